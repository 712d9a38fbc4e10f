//! Muon: momentum whose update is made orthogonal, for the matrices inside a model.
//!
//! # Source
//! Jordan et al. 2024, <https://kellerjordan.github.io/posts/muon/>; the scale that lets it share learning rates with
//! AdamW is that of Liu et al. 2025, section 2.2: <https://arxiv.org/abs/2502.16982>. Conventions as in `torch.optim.Muon`.

use crate::factor::Factor;
use crate::matmul::{Precision, Threads};
use crate::simd::dot;

/// Coefficients of the quintic Newton-Schulz iteration.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.775, 2.0315];
/// Iterations: enough for singular values between 0.7 and 1.2.
const N_ITERATIONS: usize = 5;
/// Added to the norm of a gradient.
const EPS: f32 = 1e-7;
/// Root mean square of an update of AdamW.
const RMS_OF_ADAMW: f32 = 0.2;

/// What does not change between steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Muon {
    /// Decay of the momentum, in [0, 1).
    pub momentum: f32,
    /// Weight decay a step, as a fraction of the learning rate.
    pub weight_decay: f32,
    /// How the iteration multiplies.
    pub precision: Precision,
}

impl Muon {
    /// One step of a matrix with `n_columns` columns, by the calling thread: updates `weight` and its momentum.
    ///
    /// # Panics
    /// When the slices differ in length or are no such matrix.
    pub fn step(
        &self,
        weight: &mut [f32],
        momentum: &mut [f32],
        gradient: &[f32],
        n_columns: usize,
        lr: f32,
    ) {
        assert!(
            weight.len() == gradient.len() && momentum.len() == gradient.len(),
            "weight, momentum and gradient differ in length"
        );
        let n_rows = weight.len() / n_columns;
        let decay = self.momentum;
        let mut update = vec![0.0; weight.len()];
        for ((update, momentum), gradient) in update.iter_mut().zip(momentum).zip(gradient) {
            *momentum = decay * *momentum + (1.0 - decay) * gradient;
            *update = decay * *momentum + (1.0 - decay) * gradient;
        }
        let update = orthogonal(update, n_rows, n_columns, self.precision);
        let step = lr * RMS_OF_ADAMW * (n_rows.max(n_columns) as f32).sqrt();
        let keep = 1.0 - lr * self.weight_decay;
        for (weight, update) in weight.iter_mut().zip(&update) {
            *weight = keep * *weight - step * update;
        }
    }
}

/// Near the orthogonal matrix that is nearest to `x: [n_rows, n_columns]`: its singular values become about 1.
fn orthogonal(mut x: Vec<f32>, n_rows: usize, n_columns: usize, precision: Precision) -> Vec<f32> {
    let norm = dot(&x, &x).sqrt() + EPS;
    x.iter_mut().for_each(|x| *x /= norm);
    let [a, b, c] = COEFFICIENTS;
    let is_wide = n_rows <= n_columns;
    let n = n_rows.min(n_columns);
    let multiply = |out: &mut [f32], keep, scale, left: Factor<'_>, right: Factor<'_>| {
        precision.matmul(out, keep, scale, left, right, Threads::One);
    };
    let (mut gram, mut polynomial) = (vec![0.0; n * n], vec![0.0; n * n]);
    for _ in 0..N_ITERATIONS {
        let view = Factor::dense(&x, n_rows, n_columns);
        if is_wide {
            multiply(&mut gram, 0.0, 1.0, view, view.transposed());
        } else {
            multiply(&mut gram, 0.0, 1.0, view.transposed(), view);
        }
        polynomial.copy_from_slice(&gram);
        let square = Factor::dense(&gram, n, n);
        multiply(&mut polynomial, b, c, square, square);
        let polynomial = Factor::dense(&polynomial, n, n);
        let mut next = x.clone();
        if is_wide {
            multiply(&mut next, a, 1.0, polynomial, view);
        } else {
            multiply(&mut next, a, 1.0, view, polynomial);
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::values;

    #[test]
    fn rows_or_columns_become_nearly_orthonormal() {
        for (n_rows, n_columns) in [(7, 20), (20, 7), (12, 12)] {
            for precision in [Precision::F32, Precision::Bf16] {
                let x = orthogonal(values(n_rows * n_columns, 5), n_rows, n_columns, precision);
                let n = n_rows.min(n_columns);
                let at = |i: usize, k: usize| {
                    if n_rows <= n_columns {
                        x[i * n_columns + k]
                    } else {
                        x[k * n_columns + i]
                    }
                };
                let total: f32 = (0..n)
                    .map(|i| {
                        (0..n_rows.max(n_columns))
                            .map(|k| at(i, k) * at(i, k))
                            .sum::<f32>()
                    })
                    .sum();
                // The mean of the squared singular values.
                let mean = total / n as f32;
                assert!(
                    (0.6..1.3).contains(&mean),
                    "[{n_rows}, {n_columns}]: {mean}"
                );
            }
        }
    }

    /// `torch.optim.Muon([w], lr=0.1, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")` with its iteration in f32, two
    /// steps on a [2, 3] matrix (PyTorch 2.15).
    #[test]
    fn two_steps_agree_with_pytorch() {
        let muon = Muon {
            momentum: 0.95,
            weight_decay: 0.01,
            precision: Precision::F32,
        };
        let mut weight = [1.0f32, 0.5, -0.25, 0.0, -1.0, 2.0];
        let mut momentum = [0.0; 6];
        for gradient in [
            [0.3, -0.2, 0.1, 0.5, 0.4, -0.6],
            [-0.1, 0.2, 0.3, 0.1, -0.4, 0.2],
        ] {
            muon.step(&mut weight, &mut momentum, &gradient, 3, 0.1);
        }
        let expected = [
            0.967_477_7f32,
            0.509_343_3,
            -0.288_676_95,
            -0.041_876_957,
            -0.990_520_8,
            2.021_45,
        ];
        for (found, expected) in weight.iter().zip(expected) {
            assert!((found - expected).abs() < 2e-4, "{weight:?}");
        }
    }
}
