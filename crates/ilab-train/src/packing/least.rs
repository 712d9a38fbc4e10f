//! How many batches there must be at least.

/// Batches that no packing of samples of these `lengths` can do without.
///
/// # Source
/// The bound L2 of Martello and Toth, "Lower bounds and reduction procedures for the bin packing problem", Discrete Applied
/// Mathematics 28 (1990), <https://doi.org/10.1016/0166-218X(90)90094-S>: no two samples of more than half a batch go
/// together, and what is left beside them is all the room there is for the rest.
pub fn least_batches(lengths: &[usize], max_batch_len: usize) -> usize {
    let n_alone = lengths
        .iter()
        .filter(|length| **length > max_batch_len)
        .count();
    let mut sorted: Vec<usize> = lengths
        .iter()
        .copied()
        .filter(|length| *length <= max_batch_len)
        .collect();
    sorted.sort_unstable_by_key(|length| std::cmp::Reverse(*length));
    let mut sums = vec![0];
    for length in &sorted {
        sums.push(sums[sums.len() - 1] + length);
    }
    let n_large = sorted.partition_point(|length| 2 * length > max_batch_len);
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
    n_alone + least
}

#[cfg(test)]
mod tests {
    use super::*;

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
