//! Tiles in plain Rust: for processors without a kernel of their own, and the twin that the others are tested against.
#![allow(unsafe_code)]

use super::kernel::{Kernel, Tile, Word};

/// Rows and columns of the largest tile.
const ROWS: usize = 32;
const COLUMNS: usize = 64;

/// Single numbers.
pub(super) static F32: Kernel = Kernel {
    name: "portable",
    word: Word::F32,
    tile_rows: 4,
    tile_columns: 16,
    lanes: 4,
    multiply: multiply::<false>,
    state: None,
};

/// Pairs of bf16: what AMX is compared with before it is used.
#[cfg(any(target_arch = "x86_64", test))]
pub(super) static BF16: Kernel = Kernel {
    name: "portable pairs",
    word: Word::Bf16Pair,
    tile_rows: ROWS,
    tile_columns: COLUMNS,
    lanes: 16,
    multiply: multiply::<true>,
    state: None,
};

/// # Safety
/// As [`Kernel::multiply`].
pub(super) unsafe fn multiply<const IS_PAIRS: bool>(tile: &Tile) {
    let mut sums = [0.0f32; ROWS * COLUMNS];
    for word in 0..tile.n_words {
        for (row, sums) in sums.chunks_exact_mut(COLUMNS).take(tile.n_rows).enumerate() {
            // SAFETY: inside the row, which the caller vouches for.
            let left = unsafe {
                let left = tile.left.add(row * tile.left_stride + word * 4);
                left.cast::<u32>().read_unaligned()
            };
            for (column, sum) in sums.iter_mut().take(tile.n_columns).enumerate() {
                // SAFETY: inside the panel, which the caller vouches for.
                let right = unsafe { *tile.right.add(word * tile.right_width + column) };
                *sum += if IS_PAIRS {
                    let low = f32::from_bits(left << 16) * f32::from_bits(right << 16);
                    let mask = 0xffff_0000;
                    low + f32::from_bits(left & mask) * f32::from_bits(right & mask)
                } else {
                    f32::from_bits(left) * f32::from_bits(right)
                };
            }
        }
    }
    // SAFETY: the caller's.
    unsafe { tile.store(&sums, COLUMNS) }
}
