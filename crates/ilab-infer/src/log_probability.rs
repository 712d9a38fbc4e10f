//! Log-probabilities of tokens, natural logarithm, before any temperature.

/// The logarithm of the sum of the exponentials: what turns a logit into a log-probability.
///
/// Sums in `f64`, so that the order of a large vocabulary does not matter; NaN when a logit is.
pub(crate) fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from((logit - max).exp()))
        .sum();
    f64::from(max) + sum.ln()
}

/// The `n` greatest logits with their tokens, greatest first, equal ones by token id.
pub(crate) fn greatest_n(logits: &[f32], n: usize) -> Vec<(u32, f32)> {
    let mut greatest: Vec<(u32, f32)> = Vec::with_capacity(n.min(logits.len()) + 1);
    for (token, logit) in (0_u32..).zip(logits) {
        let is_full = greatest.len() == n.min(logits.len());
        if is_full && greatest.last().is_none_or(|(_, least)| logit <= least) {
            continue;
        }
        let place = greatest.partition_point(|(_, other)| other >= logit);
        greatest.insert(place, (token, *logit));
        greatest.truncate(n);
    }
    greatest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_to_one() {
        let logits = [1000.0, 999.0, -1000.0, 998.5];
        let log_sum = log_sum_exp(&logits);
        let sum: f64 = logits
            .iter()
            .map(|logit| (f64::from(*logit) - log_sum).exp())
            .sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert!(log_sum_exp(&[0.0, f32::NAN]).is_nan());
    }

    #[test]
    fn the_greatest_are_sorted_and_stable() {
        let logits = [1.0, 3.0, 2.0, 3.0, 0.0];
        assert_eq!(greatest_n(&logits, 3), [(1, 3.0), (3, 3.0), (2, 2.0)]);
        assert_eq!(greatest_n(&logits, 0), []);
        assert_eq!(greatest_n(&logits, 9).len(), 5);
    }
}
