//! How many batches there must be at least.

/// Fractions of a batch that are looked at: halves, thirds, up to this.
const MAX_PARTS: usize = 24;

/// Batches that no packing of samples of these `lengths` can do without: the largest of two bounds, beside a batch for each
/// sample that is longer than one.
pub fn least_batches(lengths: &[usize], max_batch_len: usize) -> usize {
    let mut sorted: Vec<usize> = lengths
        .iter()
        .copied()
        .filter(|length| *length <= max_batch_len)
        .collect();
    let n_alone = lengths.len() - sorted.len();
    sorted.sort_unstable_by_key(|length| std::cmp::Reverse(*length));
    n_alone + by_room(&sorted, max_batch_len).max(by_parts(&sorted, max_batch_len))
}

/// No two samples of more than half a batch go together, and what is left beside them is all the room there is for the rest.
///
/// # Source
/// The bound L2 of Martello and Toth, "Lower bounds and reduction procedures for the bin packing problem", Discrete Applied
/// Mathematics 28 (1990), <https://doi.org/10.1016/0166-218X(90)90094-S>.
fn by_room(sorted: &[usize], max_batch_len: usize) -> usize {
    let mut sums = vec![0];
    for length in sorted {
        sums.push(sums[sums.len() - 1] + length);
    }
    let n_large = sorted.partition_point(|length| *length > max_batch_len / 2);
    let mut least = n_large;
    // Each length of at most half a batch in turn is the smallest that counts; 0 counts all of them.
    for smallest in sorted[n_large..].iter().copied().chain([0]) {
        let n_closed = sorted.partition_point(|length| *length + smallest > max_batch_len);
        let n_counted = sorted.partition_point(|length| *length >= smallest);
        let n_closed = n_closed.min(n_large);
        let room = (n_large - n_closed) * max_batch_len - (sums[n_large] - sums[n_closed]);
        let rest = sums[n_counted.max(n_large)] - sums[n_large];
        let more = rest.saturating_sub(room).div_ceil(max_batch_len.max(1));
        least = least.max(n_large + more);
    }
    least
}

/// Of samples of more than a third of a batch no more than two go together, of more than a fourth no more than three.
///
/// # Source
/// The dual feasible functions u(k) of Fekete and Schepers, "New classes of fast lower bounds for bin packing problems",
/// Mathematical Programming 91 (2001), <https://doi.org/10.1007/s101070100243>.
fn by_parts(sorted: &[usize], max_batch_len: usize) -> usize {
    let whole = max_batch_len.max(1) as u128;
    let bound = |n_parts: u128| {
        // In units of one batch over n_parts.
        let weight = |length: &usize| {
            let scaled = (n_parts + 1) * *length as u128;
            match scaled % whole {
                0 => n_parts * *length as u128,
                _ => scaled / whole * whole,
            }
        };
        let sum: u128 = sorted.iter().map(weight).sum();
        sum.div_ceil(n_parts * whole) as usize
    };
    (1..=MAX_PARTS as u128).map(bound).max().unwrap_or_default()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_of_a_batch_are_counted() {
        // Two of more than a third go together, and three of more than a fourth.
        assert_eq!(least_batches(&[4; 5], 11), 3);
        assert_eq!(least_batches(&[26; 7], 100), 3);
        assert_eq!(by_room(&[26; 7], 100), 2);
        assert_eq!(least_batches(&[25; 8], 100), 2);
    }

    proptest! {
        #[test]
        fn the_best_packing_needs_no_fewer(lengths in prop::collection::vec(1usize..120, 0..7), limit in 1usize..120) {
            prop_assert!(least_batches(&lengths, limit) <= best_packing(&lengths, &mut Vec::new(), limit));
        }
    }

    /// The number of batches of the best packing: tries everything.
    pub(in crate::packing) fn best_packing(
        lengths: &[usize],
        rooms: &mut Vec<usize>,
        limit: usize,
    ) -> usize {
        let Some((first, rest)) = lengths.split_first() else {
            return rooms.len();
        };
        rooms.push(limit.saturating_sub(*first));
        let mut best = best_packing(rest, rooms, limit);
        rooms.pop();
        for index in 0..rooms.len() {
            if rooms[index] >= *first {
                rooms[index] -= first;
                best = best.min(best_packing(rest, rooms, limit));
                rooms[index] += first;
            }
        }
        best
    }

    #[test]
    fn large_samples_count_for_more_than_their_tokens() {
        assert_eq!(least_batches(&[], 10), 0);
        assert_eq!(least_batches(&[5, 5, 5, 5], 10), 2);
        assert_eq!(least_batches(&[6, 6, 6], 10), 3);
        assert_eq!(least_batches(&[6, 6, 4, 4, 4], 10), 3);
        assert_eq!(least_batches(&[8, 8, 3, 3], 10), 3);
        assert_eq!(least_batches(&[30, 1, 1], 10), 2);
        assert_eq!(least_batches(&[3, 3, 3, 3], 10), 2);
    }
}
