//! Products of matrices, in f32 or of factors rounded to bf16.

use crate::factor::Factor;
use crate::product::{self, Target};

/// Who computes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone: inside a parallel loop.
    One,
    /// All threads of the pool.
    All,
}

/// In which precision factors are multiplied; sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// Widened to f32.
    F32,
    /// Rounded to bf16 where the processor multiplies that faster, else as for [`Precision::F32`].
    Bf16,
}

impl Precision {
    /// The instructions that this processor multiplies with.
    pub fn instructions(self) -> &'static str {
        product::instructions(self)
    }

    /// `out = keep · out + scale · a · b`, with `out` row-major and dense.
    ///
    /// # Shape
    /// `a: [m, k]`, `b: [k, n]`, `out: [m, n]`; `keep = 0` overwrites whatever `out` holds, NaN included.
    ///
    /// # Panics
    /// When the shapes do not fit.
    pub fn matmul(
        self,
        out: &mut [f32],
        keep: f32,
        scale: f32,
        a: Factor<'_>,
        b: Factor<'_>,
        threads: Threads,
    ) {
        let (m, k, n) = (a.n_rows(), a.n_columns(), b.n_columns());
        assert_eq!(
            k,
            b.n_rows(),
            "inner sizes of [{m}, {k}] · [{}, {n}]",
            b.n_rows()
        );
        assert_eq!(out.len(), m * n, "the product is [{m}, {n}]");
        if out.is_empty() {
            return;
        }
        product::multiply(self, Target::dense(out, n), keep, scale, a, b, threads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, values};

    fn all(precision: Precision, out: &mut [f32], keep: f32, a: Factor<'_>, b: Factor<'_>) {
        precision.matmul(out, keep, 1.0, a, b, Threads::All);
    }

    /// The three products of a linear layer, `y = x · wᵀ`.
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
                all(precision, &mut y, 1.0, x, w.transposed());
                assert_close(&y, &expected[0], tolerance);
                let mut fresh = vec![f32::NAN; n * output];
                all(precision, &mut fresh, 0.0, x, w.transposed());
                let shifted: Vec<f32> = fresh.iter().map(|y| y + 1.0).collect();
                assert_close(&shifted, &expected[0], tolerance);

                let mut dx = vec![1.0; n * input];
                all(precision, &mut dx, 1.0, dy, w);
                assert_close(&dx, &expected[1], tolerance);
                let mut fresh = vec![f32::NAN; n * input];
                all(precision, &mut fresh, 0.0, dy, w);
                let shifted: Vec<f32> = fresh.iter().map(|dx| dx + 1.0).collect();
                assert_close(&shifted, &expected[1], tolerance);

                let mut dw = vec![1.0; output * input];
                all(precision, &mut dw, 1.0, dy.transposed(), x);
                assert_close(&dw, &expected[2], tolerance);
            }
        }
    }
}
