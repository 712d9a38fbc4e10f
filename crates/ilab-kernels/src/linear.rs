//! A linear layer, `y = x · wᵀ`: forward, and its gradients by input and weight.
//!
//! # Shape
//! `x: [n, input]`, `w: [output, input]` as checkpoints store it, `y: [n, output]`; all sizes come from the factors.

use crate::factor::Factor;
use crate::matmul::{Precision, Threads};

/// `x · wᵀ`.
pub fn linear(x: Factor<'_>, w: Factor<'_>, precision: Precision) -> Vec<f32> {
    let mut y = vec![0.0; x.n_rows() * w.n_rows()];
    linear_into(&mut y, x, w, precision);
    y
}

/// `y = x · wᵀ`, whatever `y` held.
pub fn linear_into(y: &mut [f32], x: Factor<'_>, w: Factor<'_>, precision: Precision) {
    precision.matmul(y, 0.0, 1.0, x, w.transposed(), Threads::All);
}

/// `y += x · wᵀ`.
pub fn linear_add(y: &mut [f32], x: Factor<'_>, w: Factor<'_>, precision: Precision) {
    precision.matmul(y, 1.0, 1.0, x, w.transposed(), Threads::All);
}

/// `dx = dy · w`, whatever `dx` held.
pub fn linear_input_gradient_into(
    dx: &mut [f32],
    w: Factor<'_>,
    dy: Factor<'_>,
    precision: Precision,
) {
    precision.matmul(dx, 0.0, 1.0, dy, w, Threads::All);
}

/// `dx += dy · w`.
pub fn linear_input_gradient_add(
    dx: &mut [f32],
    w: Factor<'_>,
    dy: Factor<'_>,
    precision: Precision,
) {
    precision.matmul(dx, 1.0, 1.0, dy, w, Threads::All);
}

/// `dw += dyᵀ · x`.
pub fn linear_weight_gradient_add(
    dw: &mut [f32],
    x: Factor<'_>,
    dy: Factor<'_>,
    precision: Precision,
) {
    precision.matmul(dw, 1.0, 1.0, dy.transposed(), x, Threads::All);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, values};

    #[test]
    fn forward_and_gradients_agree_with_the_naive_form_at_odd_shapes() {
        for (n, input, output) in [(1, 1, 1), (3, 5, 7), (17, 33, 9), (64, 48, 130)] {
            let (x, w, dy) = (
                values(n * input, 1),
                values(output * input, 2),
                values(n * output, 3),
            );
            let mut expected = [
                vec![1.0; n * output],
                vec![1.0; n * input],
                vec![1.0; output * input],
            ];
            for row in 0..n {
                for o in 0..output {
                    for i in 0..input {
                        expected[0][row * output + o] += x[row * input + i] * w[o * input + i];
                        expected[1][row * input + i] += dy[row * output + o] * w[o * input + i];
                        expected[2][o * input + i] += dy[row * output + o] * x[row * input + i];
                    }
                }
            }
            let (x, w, dy) = (
                Factor::dense(&x, n, input),
                Factor::dense(&w, output, input),
                Factor::dense(&dy, n, output),
            );
            for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.05)] {
                let mut y = vec![1.0; n * output];
                linear_add(&mut y, x, w, precision);
                assert_close(&y, &expected[0], tolerance);
                let fresh = linear(x, w, precision);
                let shifted: Vec<f32> = fresh.iter().map(|y| y + 1.0).collect();
                assert_close(&shifted, &expected[0], tolerance);

                let mut dx = vec![1.0; n * input];
                linear_input_gradient_add(&mut dx, w, dy, precision);
                assert_close(&dx, &expected[1], tolerance);
                let mut fresh = vec![f32::NAN; n * input];
                linear_input_gradient_into(&mut fresh, w, dy, precision);
                let shifted: Vec<f32> = fresh.iter().map(|dx| dx + 1.0).collect();
                assert_close(&shifted, &expected[1], tolerance);

                let mut dw = vec![1.0; output * input];
                linear_weight_gradient_add(&mut dw, x, dy, precision);
                assert_close(&dw, &expected[2], tolerance);
            }
        }
    }
}
