//! The innermost loop of a product, and which one this processor runs.

use std::sync::OnceLock;

use super::portable;
use crate::matmul::Precision;

/// What a 32-bit word along the inner axis holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// One number.
    F32,
    /// Two neighbours along the inner axis in bf16, the first in the lower half.
    Bf16Pair,
}

impl Word {
    /// Numbers along the inner axis in a word.
    pub(crate) fn depth(self) -> usize {
        match self {
            Self::F32 => 1,
            Self::Bf16Pair => 2,
        }
    }
}

/// One tile of a product: `out = keep · out + scale · left · right` over the words of one block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tile {
    /// The first of `n_rows` rows of `n_words` words each; words of a row lie together.
    pub(crate) left: *const u8,
    /// Bytes from one row to the next.
    pub(crate) left_stride: usize,
    /// `[n_words, right_width]`, on a cache line.
    pub(crate) right: *const u32,
    /// Columns of the panel: a multiple of [`Kernel::lanes`], at most [`Kernel::tile_columns`].
    pub(crate) right_width: usize,
    pub(crate) n_words: usize,
    pub(crate) out: *mut f32,
    /// Elements from one row to the next.
    pub(crate) out_stride: usize,
    /// Between 1 and [`Kernel::tile_rows`].
    pub(crate) n_rows: usize,
    /// Between 1 and `right_width`.
    pub(crate) n_columns: usize,
    /// Zero overwrites what is there.
    pub(crate) keep: f32,
    pub(crate) scale: f32,
}

impl Tile {
    /// Stores sums of which rows lie `width` apart.
    ///
    /// # Safety
    /// `out` has the tile's rows and columns, and nobody else uses them.
    #[allow(unsafe_code)]
    pub(super) unsafe fn store(&self, sums: &[f32], width: usize) {
        for (row, sums) in sums.chunks_exact(width).take(self.n_rows).enumerate() {
            for (column, sum) in sums.iter().take(self.n_columns).enumerate() {
                // SAFETY: inside the tile.
                unsafe {
                    let out = self.out.add(row * self.out_stride + column);
                    *out = if self.keep == 0.0 {
                        self.scale * sum
                    } else {
                        self.keep * *out + self.scale * sum
                    };
                }
            }
        }
    }
}

/// A way to multiply tiles.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    pub(crate) word: Word,
    pub(crate) tile_rows: usize,
    pub(crate) tile_columns: usize,
    /// Columns that are computed together: narrow panels are padded to a multiple.
    pub(crate) lanes: usize,
    /// Computes one tile.
    ///
    /// # Safety
    /// The processor has the instructions, and the pointers lead to what [`Tile`] says.
    pub(crate) multiply: unsafe fn(&Tile),
    /// Called by a thread before and after a run of tiles.
    pub(crate) state: Option<State>,
}

/// Registers that have to be set up for tiles.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) enter: unsafe fn(),
    pub(crate) leave: unsafe fn(),
}

/// The fastest kernel of this processor.
pub(crate) fn best(precision: Precision) -> &'static Kernel {
    static F32: OnceLock<&Kernel> = OnceLock::new();
    static BF16: OnceLock<&Kernel> = OnceLock::new();
    let fastest = |word: Word| available().into_iter().find(|kernel| kernel.word == word);
    let f32 = || *F32.get_or_init(|| fastest(Word::F32).unwrap_or(&portable::F32));
    match precision {
        Precision::F32 => f32(),
        // A kernel for pairs is in the list only where it is faster.
        Precision::Bf16 => BF16.get_or_init(|| fastest(Word::Bf16Pair).unwrap_or_else(f32)),
    }
}

/// The kernels that this processor runs, the fastest of each kind of word first.
pub(crate) fn available() -> Vec<&'static Kernel> {
    #[cfg(target_arch = "x86_64")]
    {
        let mut kernels = Vec::new();
        if super::amx::is_available() {
            kernels.push(&super::amx::BF16);
        }
        if super::avx512::has_bf16() {
            kernels.push(&super::avx512::BF16);
        }
        if super::avx512::has_f32() {
            kernels.push(&super::avx512::F32);
        }
        if super::avx2::is_available() {
            kernels.push(&super::avx2::F32);
        }
        kernels
    }
    #[cfg(target_arch = "aarch64")]
    {
        vec![&super::neon::F32]
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    Vec::new()
}
