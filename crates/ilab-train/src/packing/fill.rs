//! One batch after the other, each filled as far as the remaining samples allow.
//!
//! # Source
//! Minimum bin slack: Gupta and Ho, "A new heuristic algorithm for the one-dimensional bin-packing problem", Production
//! Planning & Control 10 (1999), <https://doi.org/10.1080/095372899232894>; the best sum is found exactly, by sets of sums
//! as bits.

/// Samples that are looked at for one batch: more do not fill it better.
const MAX_CANDIDATES: usize = 512;
/// Words of all the sets of one batch, 32 MiB: beyond that first-fit is as good.
const MAX_WORDS: usize = 4 << 20;

/// Batches of indices into `sorted`, lengths from the longest to the shortest; `None` where it would take too much memory.
pub(super) fn fill(sorted: &[usize], limit: usize) -> Option<Vec<Vec<usize>>> {
    let n_words = limit / 64 + 1;
    if n_words.checked_mul(sorted.len().min(MAX_CANDIDATES))? > MAX_WORDS {
        return None;
    }
    let mut left: Vec<usize> = (0..sorted.len()).collect();
    let mut batches = Vec::new();
    while !left.is_empty() {
        // The longest is the hardest to place later on.
        let first = left.remove(0);
        let mut batch = vec![first];
        let mut room = limit.saturating_sub(sorted[first]);
        while let Some(chosen) = best_sum(&left, sorted, room) {
            room -= chosen.iter().map(|index| sorted[*index]).sum::<usize>();
            left.retain(|index| !chosen.contains(index));
            batch.extend(chosen);
        }
        batches.push(batch);
    }
    Some(batches)
}

/// The samples with the largest sum that is not above `room`; `None` when there is none.
fn best_sum(left: &[usize], sorted: &[usize], room: usize) -> Option<Vec<usize>> {
    let fits = left.iter().copied().filter(|index| sorted[*index] <= room);
    let candidates: Vec<usize> = fits.take(MAX_CANDIDATES).collect();
    if candidates.is_empty() {
        return None;
    }
    let mut sums = vec![Sums::only_zero(room)];
    for index in &candidates {
        let last = &sums[sums.len() - 1];
        sums.push(last.with(sorted[*index]));
        if sums[sums.len() - 1].contains(room) {
            break;
        }
    }
    let mut sum = sums[sums.len() - 1].largest();
    let mut chosen = Vec::new();
    for (n_before, index) in candidates[..sums.len() - 1].iter().enumerate().rev() {
        if !sums[n_before].contains(sum) {
            chosen.push(*index);
            sum -= sorted[*index];
        }
    }
    chosen.reverse();
    (!chosen.is_empty()).then_some(chosen)
}

/// A set of sums from 0 to a limit.
struct Sums {
    words: Vec<u64>,
    limit: usize,
}

impl Sums {
    fn only_zero(limit: usize) -> Self {
        let mut words = vec![0; limit / 64 + 1];
        words[0] = 1;
        Self { words, limit }
    }

    /// The sums with and without one more of `length`.
    fn with(&self, length: usize) -> Self {
        let mut words = self.words.clone();
        let (n_words, n_bits) = (length / 64, length % 64);
        for (index, word) in self.words.iter().enumerate() {
            if let Some(target) = words.get_mut(index + n_words) {
                *target |= word << n_bits;
            }
            if n_bits > 0
                && let Some(target) = words.get_mut(index + n_words + 1)
            {
                *target |= word >> (64 - n_bits);
            }
        }
        let n_used = self.limit % 64 + 1;
        if n_used < 64
            && let Some(last) = words.last_mut()
        {
            *last &= (1 << n_used) - 1;
        }
        Self {
            words,
            limit: self.limit,
        }
    }

    fn contains(&self, sum: usize) -> bool {
        self.words[sum / 64] >> (sum % 64) & 1 == 1
    }

    fn largest(&self) -> usize {
        let last = self.words.iter().enumerate().rfind(|(_, word)| **word != 0);
        last.map_or(0, |(index, word)| {
            64 * index + 63 - word.leading_zeros() as usize
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn batches_are_filled_to_the_last_token() {
        // First-fit needs three: 6+3, 5+4, 2+….
        assert_eq!(
            fill(&[6, 5, 4, 3, 2], 10),
            Some(vec![vec![0, 2], vec![1, 3, 4]])
        );
        assert_eq!(fill(&[30, 4], 10), Some(vec![vec![0], vec![1]]));
        assert_eq!(fill(&[1, 1], usize::MAX), None);
    }

    proptest! {
        #[test]
        fn the_best_sum_is_the_best(mut lengths in prop::collection::vec(1usize..90, 1..10), room in 0usize..300) {
            lengths.sort_unstable_by_key(|length| std::cmp::Reverse(*length));
            let all: Vec<usize> = (0..lengths.len()).collect();
            let sum = |chosen: &[usize]| chosen.iter().map(|index| lengths[*index]).sum::<usize>();
            let best = (0..1u32 << lengths.len())
                .map(|set| all.iter().copied().filter(|index| set >> index & 1 == 1).collect::<Vec<_>>())
                .map(|chosen| sum(&chosen))
                .filter(|sum| *sum <= room)
                .max()
                .unwrap();
            let found = best_sum(&all, &lengths, room).unwrap_or_default();
            prop_assert_eq!(sum(&found), best);
        }
    }
}
