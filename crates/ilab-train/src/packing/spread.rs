//! A given number of batches, made even: longest samples first into the emptiest, then swaps out of the fullest.
//!
//! Where first-fit needs a batch more than there must be, the room is there and only badly shared out; a few swaps mend that.
//!
//! # Source
//! The start is LPT: Graham, "Bounds on multiprocessing timing anomalies", SIAM J. Appl. Math. 17 (1969),
//! <https://doi.org/10.1137/0117039>.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Samples beyond which swaps take too long; first-fit wastes next to nothing there.
const MAX_SAMPLES: usize = 4096;
/// Swaps for each batch, after which it is left as it is.
const SWAPS_PER_BATCH: usize = 8;

/// Exactly `n_batches` batches of indices into `sorted`, lengths from the longest to the shortest; `None` when one stays
/// longer than `limit`.
pub(super) fn spread(sorted: &[usize], n_batches: usize, limit: usize) -> Option<Vec<Vec<usize>>> {
    if sorted.len() > MAX_SAMPLES || n_batches == 0 {
        return None;
    }
    let mut batches = emptiest_first(sorted, n_batches);
    for _ in 0..SWAPS_PER_BATCH * n_batches {
        let fullest = batches
            .iter()
            .enumerate()
            .max_by_key(|(_, batch)| batch.n_tokens);
        let (from, _) = fullest?;
        let Some(swap) = best_swap(&batches, from, sorted) else {
            break;
        };
        swap.make(&mut batches, from, sorted);
    }
    let is_short = |batch: &Batch| batch.n_tokens <= limit;
    (batches.iter().all(is_short)).then(|| batches.into_iter().map(|batch| batch.samples).collect())
}

#[derive(Default)]
struct Batch {
    samples: Vec<usize>,
    n_tokens: usize,
}

fn emptiest_first(sorted: &[usize], n_batches: usize) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    batches.resize_with(n_batches, Batch::default);
    let mut emptiest: BinaryHeap<_> = (0..n_batches).map(|batch| Reverse((0, batch))).collect();
    for (index, length) in sorted.iter().enumerate() {
        if let Some(Reverse((n_tokens, batch))) = emptiest.pop() {
            batches[batch].samples.push(index);
            batches[batch].n_tokens = n_tokens + length;
            emptiest.push(Reverse((n_tokens + length, batch)));
        }
    }
    batches
}

/// A sample of the fullest batch goes to another, perhaps for one of that.
struct Swap {
    given: usize,
    to: usize,
    taken: Option<usize>,
}

/// The swap after which the fuller of its two batches is shortest, and shorter than the fullest is now.
fn best_swap(batches: &[Batch], from: usize, sorted: &[usize]) -> Option<Swap> {
    let n_tokens = batches[from].n_tokens;
    let mut best = None;
    let mut shortest = n_tokens;
    for (given, length) in batches[from]
        .samples
        .iter()
        .map(|index| sorted[*index])
        .enumerate()
    {
        for (to, other) in batches.iter().enumerate().filter(|(to, _)| *to != from) {
            let taken = other.samples.iter().map(|index| sorted[*index]).enumerate();
            let taken = taken.map(|(place, length)| (Some(place), length));
            for (taken, back) in taken.chain([(None, 0)]) {
                if back >= length {
                    continue;
                }
                let shift = length - back;
                let longer = (n_tokens - shift).max(other.n_tokens + shift);
                if longer < shortest {
                    shortest = longer;
                    best = Some(Swap { given, to, taken });
                }
            }
        }
    }
    best
}

impl Swap {
    fn make(self, batches: &mut [Batch], from: usize, sorted: &[usize]) {
        let given = batches[from].samples.swap_remove(self.given);
        batches[from].n_tokens -= sorted[given];
        let to = &mut batches[self.to];
        let taken = self.taken.map(|place| to.samples.swap_remove(place));
        to.samples.push(given);
        to.n_tokens += sorted[given];
        if let Some(taken) = taken {
            to.n_tokens -= sorted[taken];
            batches[from].samples.push(taken);
            batches[from].n_tokens += sorted[taken];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::first_fit::first_fit;

    fn tokens(sorted: &[usize], n_batches: usize, limit: usize) -> Option<Vec<usize>> {
        let batches = spread(sorted, n_batches, limit)?;
        let tokens = |batch: Vec<usize>| batch.into_iter().map(|index| sorted[index]).sum();
        Some(batches.into_iter().map(tokens).collect())
    }

    #[test]
    fn swaps_find_the_room_that_first_fit_does_not() {
        // First-fit puts 5 and 4 together, then 4, 3 and 2, and has no room for the last.
        assert_eq!(first_fit(&[5, 4, 4, 3, 2, 2], 10).len(), 3);
        assert_eq!(tokens(&[5, 4, 4, 3, 2, 2], 2, 10), Some(vec![10, 10]));
        assert_eq!(tokens(&[7, 7], 1, 10), None);
        assert_eq!(tokens(&[7, 7], 0, 10), None);
        assert_eq!(tokens(&[5], 3, 10), Some(vec![5, 0, 0]));
    }
}
