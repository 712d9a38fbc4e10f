//! Which samples are learned together: steps of a fixed number of samples, packed into batches of a bounded number of
//! tokens.

use std::sync::Arc;

use ilab_base::seed;
use ilab_text::sample::EncodedSample;
use rand::RngExt;

/// Rows that go through the model together: several samples one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Token ids, `[N]`.
    pub input_ids: Vec<u32>,
    /// The token to be predicted after each row, `None` where nothing is learned, `[N]`.
    pub targets: Arc<Vec<Option<u32>>>,
    /// Position of each row in its sample, `[N]`.
    pub positions: Arc<Vec<u32>>,
    /// First row of each sample, and `N`.
    pub segments: Arc<Vec<usize>>,
}

impl Batch {
    /// Lays samples one after the other.
    pub fn pack<'a>(samples: impl IntoIterator<Item = &'a EncodedSample>) -> Self {
        let (mut input_ids, mut targets, mut positions, mut segments) =
            (vec![], vec![], vec![], vec![0]);
        for sample in samples {
            let length = sample.input_ids.len();
            input_ids.extend(&sample.input_ids);
            positions
                .extend(0..u32::try_from(length).expect("a sample is shorter than 2^32 tokens"));
            let next = sample.input_ids.iter().zip(&sample.is_learned).skip(1);
            targets.extend(next.map(|(id, is_learned)| is_learned.then_some(*id)));
            targets.resize(input_ids.len(), None);
            segments.push(input_ids.len());
        }
        Self {
            input_ids,
            targets: Arc::new(targets),
            positions: Arc::new(positions),
            segments: Arc::new(segments),
        }
    }

    /// How many tokens are learned.
    pub fn n_learned(&self) -> usize {
        self.targets.iter().flatten().count()
    }
}

/// The samples of one optimiser step, by index, in batches that are computed one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPlan {
    /// Indices into the samples, one list a batch.
    pub batches: Vec<Vec<usize>>,
}

/// Plans one epoch: every sample once, in an order drawn from `seed` and `epoch` or else as they come; the last step may be
/// smaller.
///
/// A batch holds at most `max_batch_len` tokens, or one sample that is longer.
pub fn plan_epoch(
    lengths: &[usize],
    samples_per_step: usize,
    max_batch_len: usize,
    seed: Option<u64>,
    epoch: usize,
) -> Vec<StepPlan> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    if let Some(seed) = seed {
        let mut rng = seed::rng(seed, &format!("epoch {epoch}"));
        for index in (1..order.len()).rev() {
            order.swap(index, rng.random_range(0..=index));
        }
    }
    order
        .chunks(samples_per_step.max(1))
        .map(|samples| StepPlan {
            batches: first_fit_decreasing(samples, lengths, max_batch_len),
        })
        .collect()
}

/// Longest samples first, each into the first batch that has room: wastes few batches and depends on nothing but its input.
fn first_fit_decreasing(
    samples: &[usize],
    lengths: &[usize],
    max_batch_len: usize,
) -> Vec<Vec<usize>> {
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|sample| std::cmp::Reverse(lengths[*sample]));
    let mut batches: Vec<(usize, Vec<usize>)> = Vec::new();
    for sample in sorted {
        let length = lengths[sample];
        match batches
            .iter_mut()
            .find(|(filled, _)| filled + length <= max_batch_len)
        {
            Some((filled, batch)) => {
                *filled += length;
                batch.push(sample);
            }
            None => batches.push((length, vec![sample])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn targets_are_the_next_tokens_of_the_same_sample() {
        let sample = |ids: &[u32], learned: &[bool]| EncodedSample {
            input_ids: ids.to_vec(),
            is_learned: learned.to_vec(),
        };
        let batch = Batch::pack(&[
            sample(&[5, 6, 7], &[true, false, true]),
            sample(&[8, 9], &[true, true]),
        ]);
        assert_eq!(batch.input_ids, [5, 6, 7, 8, 9]);
        assert_eq!(*batch.targets, [None, Some(7), None, Some(9), None]);
        assert_eq!(*batch.positions, [0, 1, 2, 0, 1]);
        assert_eq!(*batch.segments, [0, 3, 5]);
    }

    #[test]
    fn without_a_seed_the_samples_keep_their_order() {
        let plan = plan_epoch(&[1; 5], 2, 1, None, 3);
        let order: Vec<usize> = plan.iter().flat_map(|step| step.batches.concat()).collect();
        assert_eq!(order, [0, 1, 2, 3, 4]);
        assert_ne!(plan, plan_epoch(&[1; 5], 2, 1, Some(3), 3));
    }

    proptest! {
        #[test]
        fn every_sample_is_planned_once_and_batches_keep_the_limit(
            lengths in prop::collection::vec(1usize..300, 0..80), per_step in 1usize..20, limit in 1usize..400,
            seed: Option<u64>,
        ) {
            let plan = plan_epoch(&lengths, per_step, limit, seed, 0);
            prop_assert_eq!(&plan, &plan_epoch(&lengths, per_step, limit, seed, 0));
            prop_assert_eq!(plan.len(), lengths.len().div_ceil(per_step));
            let mut seen: Vec<usize> = plan.iter().flat_map(|step| step.batches.iter().flatten()).copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in plan.iter().flat_map(|step| &step.batches) {
                let total: usize = batch.iter().map(|sample| lengths[*sample]).sum();
                prop_assert!(batch.len() == 1 || total <= limit);
            }
        }
    }
}
