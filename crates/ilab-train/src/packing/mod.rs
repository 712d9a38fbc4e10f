//! Which samples are learned together: steps of a fixed number of samples, packed into batches of a bounded number of
//! tokens.
//!
//! A batch has no padding, so that the only waste is a batch more than needed; and of two ways to lay out as many batches the
//! even one is better, since the largest batch is the peak of the memory.

mod first_fit;
mod least;
mod spread;

use std::sync::Arc;

use ilab_base::seed;
use ilab_text::sample::EncodedSample;
use rand::RngExt;
use serde::Serialize;

use crate::packing::first_fit::first_fit;
use crate::packing::spread::spread;

pub use least::least_batches;

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
            batches: batches(samples, lengths, max_batch_len),
        })
        .collect()
}

/// How well an epoch is packed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PackingReport {
    /// Optimiser steps.
    pub n_steps: usize,
    /// Batches of all steps.
    pub n_batches: usize,
    /// Batches that no packing can do without.
    pub n_batches_least: usize,
    /// Tokens of the largest batch.
    pub largest_batch: usize,
    /// Tokens of the mean batch.
    pub mean_batch: f64,
}

impl PackingReport {
    /// Looks at a plan of samples of these `lengths`, made for the same `max_batch_len`.
    pub fn of(plan: &[StepPlan], lengths: &[usize], max_batch_len: usize) -> Self {
        let tokens =
            |batch: &Vec<usize>| batch.iter().map(|sample| lengths[*sample]).sum::<usize>();
        let batches = || plan.iter().flat_map(|step| &step.batches).map(tokens);
        let n_batches = batches().count();
        Self {
            n_steps: plan.len(),
            n_batches,
            n_batches_least: plan
                .iter()
                .map(|step| {
                    let samples = step.batches.iter().flatten();
                    let lengths: Vec<usize> = samples.map(|sample| lengths[*sample]).collect();
                    least_batches(&lengths, max_batch_len)
                })
                .sum(),
            largest_batch: batches().max().unwrap_or_default(),
            mean_batch: batches().sum::<usize>() as f64 / n_batches.max(1) as f64,
        }
    }

    /// Share of the batches that a perfect packing would do without, at most.
    pub fn waste(&self) -> f64 {
        1.0 - self.n_batches_least as f64 / self.n_batches.max(self.n_batches_least).max(1) as f64
    }
}

/// As few batches as can be found, of as even a size as can be found; depends on nothing but its input.
fn batches(samples: &[usize], lengths: &[usize], max_batch_len: usize) -> Vec<Vec<usize>> {
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|sample| std::cmp::Reverse(lengths[*sample]));
    let of_sorted: Vec<usize> = sorted.iter().map(|sample| lengths[*sample]).collect();
    // Those that are too long for a batch have one of their own.
    let n_alone = of_sorted.partition_point(|length| *length > max_batch_len);
    let best = together(&of_sorted[n_alone..], max_batch_len)
        .into_iter()
        .map(|batch| batch.into_iter().map(|index| index + n_alone).collect());
    let alone = (0..n_alone).map(|index| vec![index]);
    let named = |batch: Vec<usize>| batch.into_iter().map(|index| sorted[index]).collect();
    alone.chain(best).map(named).collect()
}

/// Batches of indices into `sorted`, lengths from the longest to the shortest, none of them above `max_batch_len`.
fn together(sorted: &[usize], max_batch_len: usize) -> Vec<Vec<usize>> {
    let best = first_fit(sorted, max_batch_len);
    let n_least = least_batches(sorted, max_batch_len);
    let fewer = (n_least..best.len()).find_map(|n| spread(sorted, n, max_batch_len));
    fewer.unwrap_or_else(|| evened(best, sorted))
}

/// As many batches as `best`, of a limit as low as first-fit or swaps find.
///
/// # Source
/// MULTIFIT: Coffman, Garey and Johnson, "An application of bin-packing to multiprocessor scheduling", SIAM J. Comput. 7
/// (1978), <https://doi.org/10.1137/0207001>.
fn evened(mut best: Vec<Vec<usize>>, sorted: &[usize]) -> Vec<Vec<usize>> {
    let n_batches = best.len();
    if n_batches < 2 {
        return best;
    }
    let mean = sorted.iter().sum::<usize>().div_ceil(n_batches);
    let (mut low, mut high) = (mean.max(sorted[0]), largest(&best, sorted));
    if let Some(spread) = spread(sorted, n_batches, high) {
        high = largest(&spread, sorted);
        best = spread;
    }
    while low < high {
        let limit = low + (high - low) / 2;
        let found = first_fit(sorted, limit);
        if found.len() <= n_batches {
            high = limit;
            best = found;
        } else {
            low = limit + 1;
        }
    }
    best
}

/// Tokens of the largest batch.
fn largest(batches: &[Vec<usize>], lengths: &[usize]) -> usize {
    let tokens = |batch: &Vec<usize>| batch.iter().map(|index| lengths[*index]).sum();
    batches.iter().map(tokens).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::least::tests::best_packing;
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

    /// A name, and the length of a sample for a number from 0 to below 1.
    type Distribution = (&'static str, fn(f64) -> f64);

    /// Lengths as data sets have them, and some that hardly go together.
    const DISTRIBUTIONS: [Distribution; 9] = [
        ("even", |x| 20.0 + 2000.0 * x),
        ("many short, some long", |x| 30.0 + 4000.0 * x.powi(8)),
        ("long", |x| 500.0 + 3000.0 * x),
        ("a fifth to a half", |x| 1000.0 + 1500.0 * x),
        ("a fourth to a third", |x| 1100.0 + 700.0 * x),
        ("about a half", |x| 1700.0 + 1700.0 * x),
        ("two kinds", |x| {
            if x < 0.5 {
                1251.0 + 300.0 * x
            } else {
                1900.0 + 900.0 * x
            }
        }),
        ("one long and many short", |x| {
            if x < 0.02 { 4990.0 } else { 20.0 + 100.0 * x }
        }),
        ("all alike", |_| 1250.0),
    ];

    #[test]
    fn less_than_three_percent_of_the_batches_are_too_many() {
        for (name, length) in DISTRIBUTIONS {
            let mut rng = seed::rng(7, name);
            let lengths: Vec<usize> = (0..3000)
                .map(|_| length(rng.random_range(0.0..1.0)) as usize)
                .collect();
            for per_step in [64, 1000] {
                let plan = plan_epoch(&lengths, per_step, 5000, Some(1), 0);
                let report = PackingReport::of(&plan, &lengths, 5000);
                assert!(
                    report.waste() < 0.03,
                    "{name}, {per_step} a step: {report:?}"
                );
            }
            // Of eight samples the best packing may need more than the bound says, and can be found by trying all.
            let plan = plan_epoch(&lengths, 8, 5000, Some(1), 0);
            let best: usize = plan
                .iter()
                .map(|step| {
                    let samples = step.batches.iter().flatten();
                    let lengths: Vec<usize> = samples.map(|sample| lengths[*sample]).collect();
                    best_packing(&lengths, &mut Vec::new(), 5000)
                })
                .sum();
            let n_batches = plan.iter().map(|step| step.batches.len()).sum::<usize>();
            assert!(
                n_batches as f64 <= 1.03 * best as f64,
                "{name}: {n_batches} and {best}"
            );
        }
    }

    #[test]
    fn batches_are_even() {
        let tokens = |lengths: &[usize], limit| {
            let plan = plan_epoch(lengths, 100, limit, None, 0);
            let batches = plan[0].batches.iter();
            let tokens = batches.map(|batch| batch.iter().map(|sample| lengths[*sample]).sum());
            tokens.collect::<Vec<usize>>()
        };
        assert_eq!(tokens(&[1000; 9], 4000), [3000, 3000, 3000]);
        assert_eq!(tokens(&[5, 5, 5, 1], 10), [10, 6]);
        // One that is longer than a batch does not keep the others from being even.
        assert_eq!(tokens(&[5000, 10, 10, 10, 10, 10, 10], 50), [5000, 30, 30]);
    }

    #[test]
    fn a_step_of_many_samples_is_planned() {
        let lengths: Vec<usize> = (0..200_000).map(|index| 20 + index * 7919 % 700).collect();
        let plan = plan_epoch(&lengths, usize::MAX, 60_000, Some(1), 0);
        let report = PackingReport::of(&plan, &lengths, 60_000);
        assert_eq!(report.n_batches, report.n_batches_least);
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
            for step in &plan {
                let samples: Vec<usize> = step.batches.concat();
                let lengths: Vec<usize> = samples.iter().map(|sample| lengths[*sample]).collect();
                prop_assert!(step.batches.len() >= least_batches(&lengths, limit));
                let mut sorted = lengths.clone();
                sorted.sort_unstable_by_key(|length| std::cmp::Reverse(*length));
                prop_assert!(step.batches.len() <= first_fit(&sorted, limit).len());
            }
        }
    }
}
