//! The pieces of a softmax over one row, forward and backward.

use crate::exponential::exp;
use crate::simd::{LANES, dot, maximum, total};

/// Replaces `x` by `e^(x - highest)` and returns their sum; none become 0.
#[inline(always)]
pub(crate) fn exponentials(x: &mut [f32], highest: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = x.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (total, x) in lanes.iter_mut().zip(chunk) {
            *x = exp(*x - highest);
            *total += *x;
        }
    }
    // Apart from the lanes, which stay in a register as long as no variable indexes them.
    let mut tail = 0.0;
    for x in rest {
        *x = exp(*x - highest);
        tail += *x;
    }
    total(lanes) + tail
}

/// Replaces scores by unscaled weights and returns the factor that makes their sum 1.
#[inline(always)]
pub(crate) fn unscaled(scores: &mut [f32]) -> f32 {
    let highest = maximum(scores);
    1.0 / exponentials(scores, highest)
}

/// Multiplies all values.
#[inline(always)]
pub(crate) fn scale(values: &mut [f32], factor: f32) {
    for value in values {
        *value *= factor;
    }
}

/// Turns gradients by weights into gradients by scores.
#[inline(always)]
pub(crate) fn backward(dscores: &mut [f32], weights: &[f32]) {
    let mean = dot(dscores, weights);
    for (dscore, weight) in dscores.iter_mut().zip(weights) {
        *dscore = weight * (*dscore - mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, check_gradient, values};

    fn naive(x: &[f32]) -> Vec<f32> {
        let total: f32 = x.iter().map(|x| x.exp()).sum();
        x.iter().map(|x| x.exp() / total).collect()
    }

    #[test]
    fn weights_and_gradients_of_any_length_are_those_of_the_plain_form() {
        for n in [1, 3, 16, 17, 65] {
            let (x, dy) = (values(n, 1), values(n, 2));
            let mut weights = x.clone();
            let factor = unscaled(&mut weights);
            scale(&mut weights, factor);
            assert_close(&weights, &naive(&x), 1e-6);
            let mut dx = dy.clone();
            backward(&mut dx, &weights);
            check_gradient(&x, &dx, |x| {
                naive(x)
                    .iter()
                    .zip(&dy)
                    .map(|(y, dy)| f64::from(y * dy))
                    .sum()
            });
        }
    }
}
