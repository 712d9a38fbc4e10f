//! Matrix products: the three that a linear layer needs.
//!
//! All matrices are row-major and dense. The kernels are those of the `gemm` crate, which picks AVX-512, AVX2, NEON or a
//! portable loop at run time.

use gemm::Parallelism;
use rayon::prelude::*;

/// A matrix seen through its strides, in elements.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    n_rows: usize,
    n_columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// Row-major `[n_rows, n_columns]` whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When `data` is too short for that shape.
    pub fn new(data: &'a [f32], n_rows: usize, n_columns: usize, row_stride: usize) -> Self {
        assert!(n_columns <= row_stride || n_rows <= 1, "rows overlap");
        assert!(
            n_rows == 0 || (n_rows - 1) * row_stride + n_columns <= data.len(),
            "matrix is larger than its data"
        );
        Self {
            data,
            n_rows,
            n_columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// Dense `[n_rows, n_columns]`.
    ///
    /// # Panics
    /// When `data` is too short for that shape.
    pub fn dense(data: &'a [f32], n_rows: usize, n_columns: usize) -> Self {
        Self::new(data, n_rows, n_columns, n_columns)
    }

    pub(crate) fn n_rows(self) -> usize {
        self.n_rows
    }

    pub(crate) fn n_columns(self) -> usize {
        self.n_columns
    }

    pub(crate) fn element(self, row: usize, column: usize) -> f32 {
        self.data[row * self.row_stride + column * self.column_stride]
    }

    /// Whether the elements of a column lie together in memory.
    pub(crate) fn is_column_major(self) -> bool {
        self.row_stride == 1 && self.column_stride != 1
    }

    /// The elements of a column from a row on; of column-major matrices only.
    pub(crate) fn column_from(self, column: usize, row: usize) -> &'a [f32] {
        &self.data[column * self.column_stride + row..column * self.column_stride + self.n_rows]
    }

    /// The elements of a row; of row-major matrices only.
    pub(crate) fn row(self, row: usize) -> &'a [f32] {
        &self.data[row * self.row_stride..row * self.row_stride + self.n_columns]
    }

    /// Some of the rows.
    pub(crate) fn rows(self, rows: std::ops::Range<usize>) -> Self {
        Self {
            data: &self.data[rows.start * self.row_stride..],
            n_rows: rows.len(),
            ..self
        }
    }

    /// The transposed matrix; nothing is moved.
    pub fn transposed(self) -> Self {
        Self {
            n_rows: self.n_columns,
            n_columns: self.n_rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// Who computes a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone: inside a parallel loop.
    One,
    /// All threads of the pool.
    All,
}

/// Rows of the product that one thread takes at least.
const ROWS_PER_TASK: usize = 32;
/// Parts into which the rows are split for each thread, so that a thread that was held up does not hold up the others.
const PARTS_PER_THREAD: usize = 2;

/// `out = keep · out + scale · a · b`, with `out` row-major and dense.
///
/// # Shape
/// `a: [m, k]`, `b: [k, n]`, `out: [m, n]`; `keep = 0` overwrites whatever `out` holds, NaN included.
///
/// # Panics
/// When the shapes do not fit.
pub fn matmul(out: &mut [f32], keep: f32, scale: f32, a: View<'_>, b: View<'_>, threads: Threads) {
    let (m, k, n) = (a.n_rows, a.n_columns, b.n_columns);
    assert_eq!(k, b.n_rows, "inner sizes differ");
    assert_eq!(out.len(), m * n, "the product is [{m}, {n}]");
    if out.is_empty() {
        return;
    }
    match threads {
        Threads::One => product(out, keep, scale, a, b),
        // The threads of the `gemm` crate wait for each other in a busy loop at every block, which costs half the speed
        // when the machine does anything else; independent parts do not.
        Threads::All => {
            let n_parts = PARTS_PER_THREAD * rayon::current_num_threads();
            let n_rows = m.div_ceil(n_parts).max(ROWS_PER_TASK);
            out.par_chunks_mut(n_rows * n)
                .enumerate()
                .for_each(|(part, out)| {
                    let rows = part * n_rows..(part * n_rows + out.len() / n);
                    product(out, keep, scale, a.rows(rows), b);
                });
        }
    }
}

/// One part of a product, by the calling thread.
fn product(out: &mut [f32], keep: f32, scale: f32, a: View<'_>, b: View<'_>) {
    let stride =
        |stride: usize| isize::try_from(stride).expect("a slice is never longer than isize::MAX");
    // SAFETY: `View` checks at construction that every element of `a` and `b` lies inside its slice, `out` holds m·n
    // elements (checked by `matmul`) and is borrowed mutably, so nothing overlaps it.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            a.n_rows,
            b.n_columns,
            a.n_columns,
            out.as_mut_ptr(),
            1,
            stride(b.n_columns),
            keep != 0.0,
            a.data.as_ptr(),
            stride(a.column_stride),
            stride(a.row_stride),
            b.data.as_ptr(),
            stride(b.column_stride),
            stride(b.row_stride),
            keep,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// In which precision the factors of a linear layer are multiplied; sums are always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    F32,
    /// Rounded to bf16 where the processor multiplies that faster, else as they are.
    Bf16,
}

impl Precision {
    /// [`matmul`] in this precision.
    pub fn matmul(
        self,
        out: &mut [f32],
        keep: f32,
        scale: f32,
        a: View<'_>,
        b: View<'_>,
        threads: Threads,
    ) {
        #[cfg(target_arch = "x86_64")]
        {
            let is_worth_packing = a.n_rows > 16 && a.n_columns > 16 && b.n_columns > 16;
            if self == Self::Bf16 && is_worth_packing && crate::bf16::is_available() {
                assert_eq!(a.n_columns, b.n_rows, "inner sizes differ");
                assert_eq!(
                    out.len(),
                    a.n_rows * b.n_columns,
                    "the product has another size"
                );
                return crate::bf16::matmul(out, keep, scale, a, b, threads);
            }
        }
        matmul(out, keep, scale, a, b, threads);
    }
}

/// The sizes of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearShape {
    /// Rows.
    pub n: usize,
    /// Width of its input.
    pub input: usize,
    /// Width of its output.
    pub output: usize,
}

/// `y = x · wᵀ`: the forward pass of a linear layer.
///
/// # Shape
/// `x: [n, input]`, `w: [output, input]` as checkpoints store it, result `[n, output]`.
pub fn linear(x: &[f32], w: &[f32], shape: LinearShape, precision: Precision) -> Vec<f32> {
    let LinearShape { n, input, output } = shape;
    let mut y = vec![0.0; n * output];
    let w = View::dense(w, output, input).transposed();
    precision.matmul(&mut y, 0.0, 1.0, View::dense(x, n, input), w, Threads::All);
    y
}

/// `y += x · wᵀ`; shapes as for [`linear`].
pub fn linear_add(y: &mut [f32], x: &[f32], w: &[f32], shape: LinearShape, precision: Precision) {
    let LinearShape { n, input, output } = shape;
    let w = View::dense(w, output, input).transposed();
    precision.matmul(y, 1.0, 1.0, View::dense(x, n, input), w, Threads::All);
}

/// Gradients of [`linear`] by its input, `dy · w`, and by its weight, `dyᵀ · x`.
///
/// # Shape
/// `dy: [n, output]`, results `[n, input]` and `[output, input]`.
pub fn linear_backward(
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    shape: LinearShape,
    precision: Precision,
) -> (Vec<f32>, Vec<f32>) {
    let mut dx = vec![0.0; shape.n * shape.input];
    let dw = linear_backward_add(&mut dx, x, w, dy, shape, precision);
    (dx, dw)
}

/// The same where the input has other uses: its gradient is added to `dx`.
pub fn linear_backward_add(
    dx: &mut [f32],
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    shape: LinearShape,
    precision: Precision,
) -> Vec<f32> {
    let LinearShape { n, input, output } = shape;
    let dy = View::dense(dy, n, output);
    precision.matmul(
        dx,
        1.0,
        1.0,
        dy,
        View::dense(w, output, input),
        Threads::All,
    );
    let mut dw = vec![0.0; output * input];
    precision.matmul(
        &mut dw,
        0.0,
        1.0,
        dy.transposed(),
        View::dense(x, n, input),
        Threads::All,
    );
    dw
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, values};

    #[test]
    fn agrees_with_the_naive_product_at_odd_shapes() {
        for (n, input, output) in [(1, 1, 1), (3, 5, 7), (17, 33, 9), (64, 48, 130)] {
            let (x, w, dy) = (
                values(n * input, 1),
                values(output * input, 2),
                values(n * output, 3),
            );
            let mut expected = [
                vec![0.0; n * output],
                vec![0.0; n * input],
                vec![0.0; output * input],
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
            let shape = LinearShape { n, input, output };
            for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.05)] {
                let (dx, dw) = linear_backward(&x, &w, &dy, shape, precision);
                for (found, expected) in [linear(&x, &w, shape, precision), dx, dw]
                    .iter()
                    .zip(&expected)
                {
                    assert_close(found, expected, tolerance);
                }
            }
        }
    }

    #[test]
    fn keep_zero_overwrites_nan() {
        let mut out = vec![f32::NAN];
        matmul(
            &mut out,
            0.0,
            2.0,
            View::dense(&[3.0], 1, 1),
            View::dense(&[4.0], 1, 1),
            Threads::One,
        );
        assert_eq!(out, [24.0]);
    }
}
