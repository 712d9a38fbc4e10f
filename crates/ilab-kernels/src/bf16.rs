//! Matrix products of bf16 inputs summed in f32, for processors with AVX512-BF16; elsewhere the caller takes f32.
//!
//! Both factors are rounded to bf16 while they are packed: pairs along the inner axis share a 32-bit word, as the dot
//! product instruction wants them.

use rayon::prelude::*;

use crate::matmul::{Threads, View};
use crate::simd::widest;

/// Rows of a tile of the product.
const TILE_ROWS: usize = 6;
/// Columns of a tile of the product: four registers.
const TILE_COLUMNS: usize = 64;
/// Words along the inner axis that are multiplied before the next panel: 128 KiB of the right factor stay in the cache.
const WORDS_PER_BLOCK: usize = 512;
/// Rows of the product that one task computes.
const ROWS_PER_TASK: usize = 30 * TILE_ROWS;

/// Whether this processor multiplies bf16 faster than f32.
pub(crate) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx512bf16")
        && std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
}

/// `out = keep · out + scale · bf16(a) · bf16(b)` with f32 sums; `out` is row-major and dense.
///
/// # Panics
/// When the processor cannot: see [`is_available`].
pub(crate) fn matmul(
    out: &mut [f32],
    keep: f32,
    scale: f32,
    a: View<'_>,
    b: View<'_>,
    threads: Threads,
) {
    assert!(is_available(), "this processor has no bf16 product");
    let n = b.n_columns();
    let packed = Packed::new(b, threads);
    let task = |(task, out): (usize, &mut [f32])| {
        let first = task * ROWS_PER_TASK;
        let a = a.rows(first..first + out.len() / n);
        // SAFETY: the processor has these instructions, see above.
        #[allow(unsafe_code)]
        unsafe {
            part(out, keep, scale, a, &packed, n);
        }
    };
    match threads {
        Threads::All => out
            .par_chunks_mut(ROWS_PER_TASK * n)
            .enumerate()
            .for_each(task),
        Threads::One => out.chunks_mut(ROWS_PER_TASK * n).enumerate().for_each(task),
    }
}

/// The right factor: panels of [`TILE_COLUMNS`] columns, in each the words of all columns for one pair of rows together.
struct Packed {
    words: Vec<u32>,
    n_pairs: usize,
}

impl Packed {
    fn new(b: View<'_>, threads: Threads) -> Self {
        let n_pairs = b.n_rows().div_ceil(2);
        let mut words = vec![0; b.n_columns().div_ceil(TILE_COLUMNS) * n_pairs * TILE_COLUMNS];
        let pack = |(panel, words): (usize, &mut [u32])| {
            widest(|| {
                pack::<TILE_COLUMNS>(words, b.transposed(), panel * TILE_COLUMNS, 0..n_pairs);
            });
        };
        let panel_words = n_pairs * TILE_COLUMNS;
        match threads {
            Threads::All => words
                .par_chunks_exact_mut(panel_words)
                .enumerate()
                .for_each(pack),
            Threads::One => words
                .chunks_exact_mut(panel_words)
                .enumerate()
                .for_each(pack),
        }
        Self { words, n_pairs }
    }
}

/// Packs rows `first..first + WIDTH` of a matrix: for each pair of columns one word of every row, zero beyond the edges.
///
/// The loop runs along whichever axis lies together in memory.
#[inline(always)]
fn pack<const WIDTH: usize>(
    words: &mut [u32],
    matrix: View<'_>,
    first: usize,
    pairs: std::ops::Range<usize>,
) {
    let n_rows = WIDTH.min(matrix.n_rows() - first);
    let full_pairs = (matrix.n_columns() / 2).min(pairs.end);
    for pair in full_pairs..pairs.end {
        for row in 0..n_rows {
            words[(pair - pairs.start) * WIDTH + row] =
                word(matrix.element(first + row, 2 * pair), 0.0);
        }
    }
    if matrix.is_column_major() {
        for (words, pair) in words.chunks_exact_mut(WIDTH).zip(pairs.start..full_pairs) {
            let low = &matrix.column_from(2 * pair, first)[..n_rows];
            let high = &matrix.column_from(2 * pair + 1, first)[..n_rows];
            for ((out, low), high) in words.iter_mut().zip(low).zip(high) {
                *out = word(*low, *high);
            }
        }
        return;
    }
    for row in 0..n_rows {
        let values = &matrix.row(first + row)[2 * pairs.start..2 * full_pairs];
        for (words, [low, high]) in words.chunks_exact_mut(WIDTH).zip(values.as_chunks::<2>().0) {
            words[row] = word(*low, *high);
        }
    }
}

/// Two numbers as bf16, the first in the lower half.
#[inline(always)]
fn word(low: f32, high: f32) -> u32 {
    (rounded(high) & 0xffff_0000) | (rounded(low) >> 16)
}

/// The bits of a number whose upper half is its bf16, rounded to nearest even; NaN stays NaN.
#[inline(always)]
fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    if value.is_nan() { 0x7fc0_0000 } else { rounded }
}

/// One task: some rows of the product.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
fn part(out: &mut [f32], keep: f32, scale: f32, a: View<'_>, b: &Packed, n: usize) {
    let n_rows = out.len() / n;
    let mut left =
        vec![0u32; n_rows.div_ceil(TILE_ROWS) * TILE_ROWS * WORDS_PER_BLOCK.min(b.n_pairs)];
    let mut tile = [0.0f32; TILE_ROWS * TILE_COLUMNS];
    for start in (0..b.n_pairs).step_by(WORDS_PER_BLOCK) {
        let end = (start + WORDS_PER_BLOCK).min(b.n_pairs);
        let panel_words = (end - start) * TILE_ROWS;
        for (panel, words) in left
            .chunks_exact_mut(panel_words)
            .take(n_rows.div_ceil(TILE_ROWS))
            .enumerate()
        {
            words.fill(0);
            pack::<TILE_ROWS>(words, a, panel * TILE_ROWS, start..end);
        }
        let keep = if start == 0 { keep } else { 1.0 };
        for column in (0..n).step_by(TILE_COLUMNS) {
            let right = &b.words[column * b.n_pairs..][start * TILE_COLUMNS..end * TILE_COLUMNS];
            for row in (0..n_rows).step_by(TILE_ROWS) {
                let left = &left[row / TILE_ROWS * panel_words..][..panel_words];
                multiply(&mut tile, left, right);
                let width = TILE_COLUMNS.min(n - column);
                for (index, sums) in tile
                    .chunks_exact(TILE_COLUMNS)
                    .take(TILE_ROWS.min(n_rows - row))
                    .enumerate()
                {
                    let out = &mut out[(row + index) * n + column..][..width];
                    store(out, sums, keep, scale);
                }
            }
        }
    }
}

#[inline(always)]
fn store(out: &mut [f32], sums: &[f32], keep: f32, scale: f32) {
    if keep == 0.0 {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = scale * sum;
        }
    } else {
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = keep * *out + scale * sum;
        }
    }
}

/// `tile = left · right` over the words of one block.
#[target_feature(enable = "avx512f,avx512bf16")]
fn multiply(tile: &mut [f32; TILE_ROWS * TILE_COLUMNS], left: &[u32], right: &[u32]) {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32,
        _mm512_setzero_ps, _mm512_storeu_ps,
    };
    const LANES: usize = 16;
    const REGISTERS: usize = TILE_COLUMNS / LANES;
    let n_words = (left.len() / TILE_ROWS).min(right.len() / TILE_COLUMNS);
    let mut sums = [[_mm512_setzero_ps(); REGISTERS]; TILE_ROWS];
    // SAFETY: `n_words` panels lie in both slices, the tile holds all sums, and bf16 vectors are plain bits.
    #[allow(unsafe_code)]
    unsafe {
        let bits = |bits: __m512i| std::mem::transmute::<__m512i, __m512bh>(bits);
        for word in 0..n_words {
            let right = right.as_ptr().add(word * TILE_COLUMNS);
            let load =
                |register: usize| bits(_mm512_loadu_si512(right.add(register * LANES).cast()));
            let columns = [load(0), load(1), load(2), load(3)];
            let left = left.as_ptr().add(word * TILE_ROWS);
            let add = |sums: [__m512; REGISTERS], row: usize| {
                let row = bits(_mm512_set1_epi32((*left.add(row)).cast_signed()));
                [
                    _mm512_dpbf16_ps(sums[0], row, columns[0]),
                    _mm512_dpbf16_ps(sums[1], row, columns[1]),
                    _mm512_dpbf16_ps(sums[2], row, columns[2]),
                    _mm512_dpbf16_ps(sums[3], row, columns[3]),
                ]
            };
            // Written out, because a loop that is unrolled late leaves the sums in memory.
            sums = [
                add(sums[0], 0),
                add(sums[1], 1),
                add(sums[2], 2),
                add(sums[3], 3),
                add(sums[4], 4),
                add(sums[5], 5),
            ];
        }
        for (index, sum) in sums.as_flattened().iter().enumerate() {
            _mm512_storeu_ps(tile.as_mut_ptr().add(index * LANES), *sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, values};

    #[test]
    fn rounding_is_that_of_the_half_crate() {
        let bits = (0..1 << 16).map(|bits: u32| f32::from_bits(bits.wrapping_mul(65_521)));
        for value in bits.chain([f32::NAN, f32::INFINITY, f32::MAX, -0.0]) {
            let expected = half::bf16::from_f32(value);
            let found = half::bf16::from_bits((rounded(value) >> 16) as u16);
            assert!(
                found == expected || (found.is_nan() && expected.is_nan()),
                "{value}: {found}, expected {expected}"
            );
        }
    }

    /// The naive product of rounded factors; the only error left is the order of the sum.
    #[test]
    fn agrees_with_the_product_of_rounded_factors() {
        if !is_available() {
            // The caller then takes the f32 product, which has its own test.
            return;
        }
        let round = |value: f32| half::bf16::from_f32(value).to_f32();
        for (m, k, n) in [(1, 1, 1), (7, 5, 3), (13, 66, 65), (181, 1027, 130)] {
            let (a, b, before) = (values(m * k, 1), values(k * n, 2), values(m * n, 3));
            let mut expected = before.clone();
            for (index, value) in expected.iter_mut().enumerate() {
                let (row, column) = (index / n, index % n);
                let sum: f32 = (0..k)
                    .map(|i| round(a[row * k + i]) * round(b[i * n + column]))
                    .sum();
                *value = 0.5 * *value + 2.0 * sum;
            }
            let mut found = before;
            matmul(
                &mut found,
                0.5,
                2.0,
                View::dense(&a, m, k),
                View::dense(&b, k, n),
                Threads::All,
            );
            assert_close(&found, &expected, 2e-4);
            // The same from transposed views.
            let transpose = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
                (0..rows * columns)
                    .map(|i| x[(i % rows) * columns + i / rows])
                    .collect()
            };
            let (at, bt) = (transpose(&a, m, k), transpose(&b, k, n));
            let mut again = values(m * n, 3);
            let (at, bt) = (
                View::dense(&at, k, m).transposed(),
                View::dense(&bt, n, k).transposed(),
            );
            matmul(&mut again, 0.5, 2.0, at, bt, Threads::One);
            assert_eq!(again, found);
        }
    }
}
