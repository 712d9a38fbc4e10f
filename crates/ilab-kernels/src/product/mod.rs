//! How products are computed.
//!
//! The left factor becomes rows of words, once, by all threads. The columns of the product are split into panels; who
//! computes a panel packs the right factor's part of it, which then stays in the second-level cache while the tiles of all
//! rows are multiplied with it: weights are read from memory once and never written as a packed copy.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(any(target_arch = "x86_64", test))]
mod blocks;
mod kernel;
mod left;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
#[cfg(target_arch = "x86_64")]
mod pack_avx512;
mod portable;
mod right;
mod target;
#[cfg(test)]
mod tests;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod tile_kernel;

use std::ops::Range;

use rayon::prelude::*;

use kernel::{Kernel, State, Tile};
use left::Left;
use pack::{Order, Packed, pack};
pub(crate) use right::Right;
pub(crate) use target::Target;

use crate::factor::Factor;
use crate::matmul::{Precision, Threads};
use crate::scratch;

/// Words along the inner axis that are multiplied before the next block: a panel of 64 columns takes 256 KiB.
const WORDS_PER_BLOCK: usize = 1024;
/// Blocks along the inner axis for which the left factor is packed at one time.
const BLOCKS_PER_PASS: usize = 2;
/// Words of the left factor that are packed at one time: 8 MiB, which the last cache holds.
const WORDS_PER_PASS: usize = 1 << 21;
/// Rows of a pass at least: every pass packs the right factor anew.
const MIN_ROWS_PER_PASS: usize = 576;
/// Tasks that every thread should find, so that one that was held up does not hold up the others.
const TASKS_PER_THREAD: usize = 4;

/// The name of the kernel that [`multiply`] takes.
pub(crate) fn instructions(precision: Precision) -> &'static str {
    kernel::best(precision).name
}

/// `out = keep · out + scale · a · b`; `keep = 0` overwrites whatever `out` holds.
///
/// The shapes have to fit: `out: [m, n]`, `a: [m, k]`, `b: [k, n]`.
pub(crate) fn multiply(
    precision: Precision,
    out: Target<'_>,
    keep: f32,
    scale: f32,
    a: Factor<'_>,
    b: Factor<'_>,
    threads: Threads,
) {
    let kernel = kernel::best(precision);
    multiply_with(kernel, &out, [keep, scale], a, b, threads);
}

/// [`multiply`] by a kernel that the processor has; `scales` are `keep` and `scale`.
fn multiply_with(
    kernel: &'static Kernel,
    out: &Target<'_>,
    scales: [f32; 2],
    a: Factor<'_>,
    b: Factor<'_>,
    threads: Threads,
) {
    let (m, k, n) = (a.n_rows(), a.n_columns(), b.n_columns());
    assert_eq!(
        [out.n_rows(), out.n_columns(), b.n_rows()],
        [m, n, k],
        "shapes"
    );
    let inner_per_pass = BLOCKS_PER_PASS * WORDS_PER_BLOCK * kernel.word.depth();
    for start in (0..k.max(1)).step_by(inner_per_pass) {
        let inner = start..(start + inner_per_pass).min(k);
        let [keep, scale] = scales;
        let keep = if start == 0 { keep } else { 1.0 };
        let words_per_row = inner.len().div_ceil(kernel.word.depth()).max(1);
        let rows_per_pass = (WORDS_PER_PASS / words_per_row).max(MIN_ROWS_PER_PASS);
        for first in (0..m).step_by(rows_per_pass) {
            let rows = first..(first + rows_per_pass).min(m);
            let pass = Pass {
                kernel,
                left: &Left::new(a, rows.clone(), inner.clone(), kernel.word, threads),
                right: b,
                inner: inner.clone(),
                out,
                first_row: first,
                keep,
                scale,
            };
            pass.run(rows.len(), n, threads);
        }
    }
}

/// Some rows of the product, over a part of the inner axis.
struct Pass<'a> {
    kernel: &'static Kernel,
    left: &'a Left<'a>,
    right: Factor<'a>,
    inner: Range<usize>,
    out: &'a Target<'a>,
    first_row: usize,
    keep: f32,
    scale: f32,
}

impl Pass<'_> {
    fn run(&self, n_rows: usize, n_columns: usize, threads: Threads) {
        let width = self.kernel.tile_columns;
        let n_panels = n_columns.div_ceil(width);
        let tile_rows = self.kernel.tile_rows;
        let n_parts = match threads {
            Threads::One => 1,
            Threads::All => (TASKS_PER_THREAD * rayon::current_num_threads()).div_ceil(n_panels),
        };
        let rows_per_part = n_rows.div_ceil(n_parts).next_multiple_of(tile_rows);
        let n_parts = n_rows.div_ceil(rows_per_part);
        let task = |task: usize| {
            let (panel, part) = (task / n_parts, task % n_parts);
            let columns = panel * width..((panel + 1) * width).min(n_columns);
            let rows = part * rows_per_part..((part + 1) * rows_per_part).min(n_rows);
            self.panel(rows, columns);
        };
        match threads {
            Threads::One => (0..n_panels * n_parts).for_each(task),
            Threads::All => (0..n_panels * n_parts)
                .into_par_iter()
                .with_max_len(1)
                .for_each(task),
        }
    }

    /// Some rows of one panel of columns.
    fn panel(&self, rows: Range<usize>, columns: Range<usize>) {
        let word = self.kernel.word;
        let width = columns.len().next_multiple_of(self.kernel.lanes);
        let inner_per_block = WORDS_PER_BLOCK * word.depth();
        let n_words = self.inner.len().min(inner_per_block).div_ceil(word.depth());
        let mut words = scratch::words(n_words * width);
        // An empty inner axis is one empty block, which stores what is kept.
        let n_blocks = self.inner.len().div_ceil(inner_per_block).max(1);
        for block in 0..n_blocks {
            let start = self.inner.start + block * inner_per_block;
            let inner = start..(start + inner_per_block).min(self.inner.end);
            let n_words = inner.len().div_ceil(word.depth());
            let mut packed = Packed {
                words: &mut words[..n_words * width],
                stride: width,
                order: Order::ByWord,
                word,
            };
            pack(&mut packed, self.right.transposed(), columns.clone(), inner);
            let panel = Panel {
                kernel: self.kernel,
                left: self.left,
                skipped: block * WORDS_PER_BLOCK,
                right: &words[..n_words * width],
                right_width: width,
                out: self.out,
                first_row: self.first_row,
                columns: columns.clone(),
                keep: if block == 0 { self.keep } else { 1.0 },
                scale: self.scale,
            };
            panel.tiles(rows.clone());
        }
    }
}

/// One block of words of one panel of the right factor, and what it is multiplied with.
struct Panel<'a> {
    kernel: &'static Kernel,
    left: &'a Left<'a>,
    /// Words of the left rows that lie before the block.
    skipped: usize,
    /// `[n_words, right_width]`.
    right: &'a [u32],
    right_width: usize,
    out: &'a Target<'a>,
    /// Where the left rows start in the product.
    first_row: usize,
    columns: Range<usize>,
    keep: f32,
    scale: f32,
}

impl Panel<'_> {
    /// Multiplies the tiles of some left rows; the caller has these rows and columns of the product to itself.
    fn tiles(&self, rows: Range<usize>) {
        self.state(|state| state.enter);
        for row in rows.clone().step_by(self.kernel.tile_rows) {
            let n_rows = self.kernel.tile_rows.min(rows.end - row);
            // SAFETY: the rows and columns are the caller's, and this is its only tile now.
            #[allow(unsafe_code)]
            let out = unsafe {
                let row = self.first_row + row;
                self.out.part(row..row + n_rows, self.columns.clone())
            };
            let tile = Tile {
                left: self.left.row(row).wrapping_add(4 * self.skipped),
                left_stride: self.left.stride(),
                right: self.right.as_ptr(),
                right_width: self.right_width,
                n_words: self.right.len() / self.right_width,
                out: out.start(),
                out_stride: out.stride(),
                n_rows,
                n_columns: self.columns.len(),
                keep: self.keep,
                scale: self.scale,
            };
            // SAFETY: the left rows hold the words of all blocks, the right words are those of this one, and `part` has
            // checked that the tile lies inside the product.
            #[allow(unsafe_code)]
            unsafe {
                (self.kernel.multiply)(&tile);
            }
        }
        self.state(|state| state.leave);
    }

    fn state(&self, step: impl Fn(&State) -> unsafe fn()) {
        if let Some(state) = &self.kernel.state {
            // SAFETY: the processor has the instructions of its kernel.
            #[allow(unsafe_code)]
            unsafe {
                step(state)();
            }
        }
    }
}
