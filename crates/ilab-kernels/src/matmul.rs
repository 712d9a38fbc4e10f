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
