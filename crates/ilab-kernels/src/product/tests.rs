//! Every kernel against the naive product, for every kind of factor in either orientation.

use half::bf16;
use proptest::prelude::*;

use super::kernel::{self, Kernel, Word};
use super::{Right, Target, blocks, multiply_with, portable};
use crate::attention::tests::{assert_close, values};
use crate::factor::Factor;
use crate::matmul::Threads;
use crate::matrix::{Format, Matrix};

const FORMATS: [Format; 4] = [Format::F32, Format::Bf16, Format::Q8, Format::Nf4];

fn kernels() -> Vec<&'static Kernel> {
    let mut kernels = kernel::available();
    kernels.extend([&portable::F32, &portable::BF16, &blocks::PLAIN]);
    kernels
}

/// A factor as it is stored, and the same numbers as a plain matrix.
struct Side {
    stored: Matrix,
    is_transposed: bool,
}

impl Side {
    fn new(
        n_rows: usize,
        n_columns: usize,
        format: Format,
        is_transposed: bool,
        seed: u64,
    ) -> Self {
        let (stored_rows, stored_columns) = if is_transposed {
            (n_columns, n_rows)
        } else {
            (n_rows, n_columns)
        };
        let data = values(n_rows * n_columns, seed);
        Self {
            stored: Matrix::rounded(&data, stored_rows, stored_columns, format),
            is_transposed,
        }
    }

    fn factor(&self) -> Factor<'_> {
        let factor = self.stored.as_factor();
        if self.is_transposed {
            factor.transposed()
        } else {
            factor
        }
    }

    /// Row after row of the matrix, rounded as words of that kind are.
    fn dense(&self, word: Word) -> Vec<f32> {
        let (n_rows, n_columns) = (self.factor().n_rows(), self.factor().n_columns());
        let stored = self.stored.to_f32();
        let mut dense = Vec::with_capacity(stored.len());
        for row in 0..n_rows {
            for column in 0..n_columns {
                dense.push(if self.is_transposed {
                    stored[column * n_rows + row]
                } else {
                    stored[row * n_columns + column]
                });
            }
        }
        if word == Word::Bf16Pair {
            dense
                .iter_mut()
                .for_each(|value| *value = bf16::from_f32(*value).to_f32());
        }
        dense
    }
}

fn check(
    kernel: &'static Kernel,
    [m, k, n]: [usize; 3],
    a: &Side,
    b: &Side,
    [keep, scale]: [f32; 2],
) {
    let (left, right, before) = (a.dense(kernel.word), b.dense(kernel.word), values(m * n, 3));
    let mut expected = before.clone();
    for (index, value) in expected.iter_mut().enumerate() {
        let (row, column) = (index / n, index % n);
        let sum: f64 = (0..k)
            .map(|i| f64::from(left[row * k + i]) * f64::from(right[i * n + column]))
            .sum();
        *value = keep * *value + scale * sum as f32;
    }
    for threads in [Threads::One, Threads::All] {
        let mut found = before.clone();
        if keep == 0.0 {
            found.fill(f32::NAN);
        }
        multiply_with(
            kernel,
            &Target::dense(&mut found, n),
            [keep, scale],
            a.factor(),
            b.factor(),
            threads,
        );
        // The rounding of one chain of f32 additions, whose partial sums grow with the root of its length.
        let tolerance = 3e-6 * (k as f32).sqrt().max(2.0);
        assert_close(&found, &expected, tolerance);
    }
}

#[test]
fn all_kinds_of_factors_in_both_orientations_agree_with_the_naive_product() {
    for kernel in kernels() {
        for (index, shape) in [
            [1, 1, 1],
            [3, 17, 65],
            [65, 3, 17],
            [17, 65, 3],
            [67, 127, 130],
            [33, 96, 64],
        ]
        .into_iter()
        .enumerate()
        {
            let [m, k, n] = shape;
            for (a_format, b_format) in FORMATS.iter().flat_map(|a| FORMATS.map(|b| (*a, b))) {
                for (a_is_transposed, b_is_transposed) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let a = Side::new(m, k, a_format, a_is_transposed, 1);
                    let b = Side::new(k, n, b_format, b_is_transposed, 2);
                    let scales = [[0.0, 1.0], [1.0, 1.0], [0.5, 2.0]][index % 3];
                    check(kernel, shape, &a, &b, scales);
                }
            }
        }
    }
}

#[test]
fn several_blocks_and_passes_agree_with_the_naive_product() {
    for kernel in kernels() {
        for shape in [[7, 4500, 70], [1030, 4500, 3], [5, 2050, 3]] {
            let [m, k, n] = shape;
            for is_transposed in [false, true] {
                let a = Side::new(m, k, Format::F32, is_transposed, 1);
                let b = Side::new(k, n, Format::Bf16, is_transposed, 2);
                check(kernel, shape, &a, &b, [0.5, 2.0]);
            }
        }
    }
}

#[test]
fn parts_of_a_packed_right_factor_agree_with_the_naive_product() {
    for kernel in kernels() {
        for (rows, columns) in [
            (0..5, 0..3),
            (0..64, 64..130),
            (64..197, 0..70),
            (128..150, 192..200),
        ] {
            let (whole, m) = (Side::new(197, 200, Format::F32, false, 2), 40);
            let right = Right::for_kernel(kernel, whole.factor());
            let (k, n) = (rows.len(), columns.len());
            let dense = whole.dense(Word::F32);
            let part: Vec<f32> = rows
                .clone()
                .flat_map(|row| &dense[row * 200..][columns.clone()])
                .copied()
                .collect();
            let a = Side::new(m, k, Format::F32, true, 1);
            let (mut found, mut expected) = (values(m * n, 3), values(m * n, 3));
            let scales = [0.5, 2.0];
            let part = Factor::dense(&part, k, n);
            multiply_with(
                kernel,
                &Target::dense(&mut expected, n),
                scales,
                a.factor(),
                part,
                Threads::One,
            );
            right.multiply(
                &Target::dense(&mut found, n),
                scales,
                a.factor(),
                rows,
                columns,
            );
            assert_close(&found, &expected, 1e-6);
        }
    }
}

#[test]
fn an_empty_inner_axis_leaves_what_is_kept() {
    for kernel in kernels() {
        for (keep, expected) in [(0.5, 1.0), (0.0, 0.0)] {
            let mut out = [2.0; 6];
            let (a, b) = (Factor::dense(&[], 2, 0), Factor::dense(&[], 0, 3));
            multiply_with(
                kernel,
                &Target::dense(&mut out, 3),
                [keep, 1.0],
                a,
                b,
                Threads::One,
            );
            assert_eq!(out, [expected; 6], "{}", kernel.name);
        }
    }
}

#[test]
fn nan_reaches_its_row_or_column_and_no_other() {
    for kernel in kernels() {
        let (m, k, n) = (20, 33, 70);
        for format in [Format::F32, Format::Bf16] {
            let (mut a, b) = (values(m * k, 1), values(k * n, 2));
            // The first of a row, which follows the odd end of the row before, and the last of another.
            a[3 * k] = f32::NAN;
            a[11 * k + k - 1] = f32::INFINITY;
            let (a, b) = (
                Matrix::rounded(&a, m, k, format),
                Matrix::rounded(&b, k, n, format),
            );
            let mut out = vec![0.0; m * n];
            let target = Target::dense(&mut out, n);
            multiply_with(
                kernel,
                &target,
                [0.0, 1.0],
                a.as_factor(),
                b.as_factor(),
                Threads::One,
            );
            for (row, out) in out.chunks_exact(n).enumerate() {
                let is_expected = |value: &f32| match row {
                    3 => value.is_nan(),
                    11 => !value.is_finite(),
                    _ => value.is_finite(),
                };
                assert!(out.iter().all(is_expected), "{} row {row}", kernel.name);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_shape_agrees_with_the_naive_product(
        m in 1usize..90,
        k in 1usize..150,
        n in 1usize..150,
        formats in (0usize..4, 0usize..4),
        transposed in (any::<bool>(), any::<bool>()),
    ) {
        let a = Side::new(m, k, FORMATS[formats.0], transposed.0, 5);
        let b = Side::new(k, n, FORMATS[formats.1], transposed.1, 6);
        for kernel in kernels() {
            check(kernel, [m, k, n], &a, &b, [1.0, 0.5]);
        }
    }
}
