//! The walk of AMX over a tile of a product: two by two blocks of sixteen by sixteen sums, sixteen words at a time.
//!
//! The blocks themselves are behind [`Steps`], so that the walk and its edges are tested on processors without AMX.
#![allow(unsafe_code)]

use super::kernel::Tile;

/// Rows, columns and words of a block.
pub(super) const BLOCK: usize = 16;
/// Rows and columns of the sums that are held at one time.
pub(super) const SUMS: usize = 2 * BLOCK;

/// Sums of two by two blocks.
#[repr(align(64))]
pub(super) struct Sums(pub(super) [f32; SUMS * SUMS]);

/// A run of blocks along the inner axis.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Two blocks of rows, of which words lie together.
    pub(super) left: *const u8,
    /// Bytes from one row to the next.
    pub(super) left_stride: usize,
    /// Two blocks of columns, of which the columns of a word lie together.
    pub(super) right: [*const u32; 2],
    /// Bytes from one word to the next.
    pub(super) right_stride: usize,
    /// Blocks along the inner axis.
    pub(super) n_steps: usize,
}

/// How blocks are multiplied.
pub(super) trait Steps {
    /// `sums += left · right` over a run of whole blocks.
    ///
    /// # Safety
    /// The processor has the instructions and the pointers lead to whole blocks.
    unsafe fn add(sums: &mut Sums, run: Run);
}

/// Computes one tile of at most 32 rows.
///
/// # Safety
/// As [`super::kernel::Kernel::multiply`].
pub(super) unsafe fn multiply<S: Steps>(tile: &Tile) {
    for first in (0..tile.n_columns).step_by(SUMS) {
        let mut sums = Sums([0.0; SUMS * SUMS]);
        let n_whole = if tile.n_rows == SUMS {
            tile.n_words / BLOCK
        } else {
            0
        };
        // A panel that ends after one block of columns: the second is computed from the first and left out.
        let second = if first + BLOCK < tile.right_width {
            first + BLOCK
        } else {
            first
        };
        // SAFETY: the caller's; whole blocks are read where they are, others from padded copies.
        unsafe {
            if n_whole > 0 {
                let run = Run {
                    left: tile.left,
                    left_stride: tile.left_stride,
                    right: [tile.right.add(first), tile.right.add(second)],
                    right_stride: 4 * tile.right_width,
                    n_steps: n_whole,
                };
                S::add(&mut sums, run);
            }
            for word in (n_whole * BLOCK..tile.n_words).step_by(BLOCK) {
                add_padded::<S>(&mut sums, tile, word, [first, second]);
            }
            let part = Tile {
                out: tile.out.add(first),
                n_columns: SUMS.min(tile.n_columns - first),
                ..*tile
            };
            part.store(&sums.0, SUMS);
        }
    }
}

/// Adds up to sixteen words from `word` on, of rows that may be fewer than 32.
///
/// # Safety
/// As [`super::kernel::Kernel::multiply`].
unsafe fn add_padded<S: Steps>(sums: &mut Sums, tile: &Tile, word: usize, columns: [usize; 2]) {
    let n_words = BLOCK.min(tile.n_words - word);
    let mut left = [[0u32; BLOCK]; SUMS];
    let mut right = [[[0u32; BLOCK]; BLOCK]; 2];
    // SAFETY: the rows and words that the tile has.
    unsafe {
        for (row, words) in left.iter_mut().take(tile.n_rows).enumerate() {
            let start = tile
                .left
                .add(row * tile.left_stride + 4 * word)
                .cast::<u32>();
            for (index, out) in words.iter_mut().take(n_words).enumerate() {
                *out = start.add(index).read_unaligned();
            }
        }
        for (right, column) in right.iter_mut().zip(columns) {
            for (index, out) in right.iter_mut().take(n_words).enumerate() {
                let start = tile.right.add((word + index) * tile.right_width + column);
                start.copy_to_nonoverlapping(out.as_mut_ptr(), BLOCK);
            }
        }
        let run = Run {
            left: left.as_ptr().cast(),
            left_stride: 4 * BLOCK,
            right: [right[0].as_ptr().cast(), right[1].as_ptr().cast()],
            right_stride: 4 * BLOCK,
            n_steps: 1,
        };
        S::add(sums, run);
    }
}

/// Blocks in plain Rust.
#[cfg(test)]
pub(super) struct Plain;

#[cfg(test)]
impl Steps for Plain {
    unsafe fn add(sums: &mut Sums, run: Run) {
        let pair = |word: u32| {
            [
                f32::from_bits(word << 16),
                f32::from_bits(word & 0xffff_0000),
            ]
        };
        for (index, sum) in sums.0.iter_mut().enumerate() {
            let (row, column) = (index / SUMS, index % SUMS);
            for word in 0..run.n_steps * BLOCK {
                // SAFETY: whole blocks, see above.
                let (left, right) = unsafe {
                    let left = run.left.add(row * run.left_stride + 4 * word);
                    let right = run.right[column / BLOCK].cast::<u8>();
                    let right = right.add(word * run.right_stride + 4 * (column % BLOCK));
                    (
                        left.cast::<u32>().read_unaligned(),
                        right.cast::<u32>().read_unaligned(),
                    )
                };
                let ([a, b], [c, d]) = (pair(left), pair(right));
                *sum += a * c + b * d;
            }
        }
    }
}

/// The walk over blocks in plain Rust.
#[cfg(test)]
pub(super) static PLAIN: super::kernel::Kernel = super::kernel::Kernel {
    name: "plain blocks",
    word: super::kernel::Word::Bf16Pair,
    tile_rows: SUMS,
    tile_columns: 64,
    lanes: BLOCK,
    multiply: multiply::<Plain>,
    state: None,
};
