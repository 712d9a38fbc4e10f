//! Rearranging factors for the tiles: words along the inner axis, rounded to bf16 where the words are pairs.
//!
//! Both sides read *lines* (rows of the left factor, columns of the right one) in blocks of 16 lines by 16 words. Left
//! words lie together along a line, right words lie together across the lines of a panel; what is stored the other way
//! round is transposed on the way.

use std::ops::Range;

use half::bf16;

use super::kernel::Word;
use crate::factor::{Factor, Rows};
use crate::rounding;
use crate::simd::widest;

/// Lines and words of a block.
pub(super) const BLOCK: usize = 16;
/// Lines that are unpacked together when a factor is quantised.
const STAGED_LINES: usize = 64;
/// Numbers along the inner axis of a block of pairs.
const STAGED_DEPTH: usize = 2 * BLOCK;

/// A block of words, indexed by line and word or by word and line.
pub(super) type Block = [[u32; BLOCK]; BLOCK];

/// Whether the words of a line, or the lines of a word, lie together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    ByLine,
    ByWord,
}

/// Where packed words go.
pub(super) struct Packed<'a> {
    pub(super) words: &'a mut [u32],
    /// Words from one line to the next, or from the lines of one word to those of the next.
    pub(super) stride: usize,
    pub(super) order: Order,
    pub(super) word: Word,
}

/// Packs `lines` of a matrix `[lines, inner]` over `inner` numbers of the inner axis.
///
/// Words beyond an odd end are filled up with zero; `packed.stride` lines are written by word, those beyond the last zero.
pub(super) fn pack(
    packed: &mut Packed<'_>,
    matrix: Factor<'_>,
    lines: Range<usize>,
    inner: Range<usize>,
) {
    let mut stage = [0.0f32; STAGED_LINES * STAGED_DEPTH];
    let depth = BLOCK * packed.word.depth();
    for k in inner.clone().step_by(depth) {
        let n_k = depth.min(inner.end - k);
        for line in lines.clone().step_by(STAGED_LINES) {
            let n_lines = STAGED_LINES.min(lines.end - line);
            let at = [line - lines.start, (k - inner.start) / packed.word.depth()];
            let is_k_major = matrix.is_transposed();
            let origin = |stride: usize| {
                if is_k_major {
                    k * stride + line
                } else {
                    line * stride + k
                }
            };
            match matrix.rows() {
                Rows::F32 { data, stride } => {
                    let source = Source {
                        data: &data[origin(stride)..],
                        stride,
                        is_k_major,
                    };
                    write(packed, source, n_lines, n_k, at);
                }
                Rows::Bf16 { data, stride } => {
                    let source = Source {
                        data: &data[origin(stride)..],
                        stride,
                        is_k_major,
                    };
                    write(packed, source, n_lines, n_k, at);
                }
                Rows::Q8 { .. } | Rows::Nf4 { .. } => {
                    let [first, n_rows, start, n_columns] = if is_k_major {
                        [k, n_k, line, n_lines]
                    } else {
                        [line, n_lines, k, n_k]
                    };
                    widest(|| {
                        for (row, out) in stage.chunks_mut(n_columns).take(n_rows).enumerate() {
                            matrix.read_stored(first + row, start..start + n_columns, out);
                        }
                    });
                    let source = Source {
                        data: &stage[..n_rows * n_columns],
                        stride: n_columns,
                        is_k_major,
                    };
                    write(packed, source, n_lines, n_k, at);
                }
            }
        }
    }
    if packed.order == Order::ByWord {
        let n_lines = lines.len();
        for words in packed.words.chunks_exact_mut(packed.stride) {
            words[n_lines..].fill(0);
        }
    }
}

/// Numbers in memory: `data[line · stride + k]`, or `data[k · stride + line]` when k-major.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, N> {
    pub(super) data: &'a [N],
    pub(super) stride: usize,
    pub(super) is_k_major: bool,
}

/// Packs up to 64 lines and one block of words; `at` is their place among the packed lines and words.
fn write<N: Number>(
    packed: &mut Packed<'_>,
    source: Source<'_, N>,
    n_lines: usize,
    n_k: usize,
    at: [usize; 2],
) {
    let depth = packed.word.depth();
    let n_words = n_k.div_ceil(depth);
    for first in (0..n_lines).step_by(BLOCK) {
        let source = Source {
            data: &source.data[if source.is_k_major {
                first
            } else {
                first * source.stride
            }..],
            ..source
        };
        let n_lines = BLOCK.min(n_lines - first);
        let [line, word] = [at[0] + first, at[1]];
        let (start, rows, columns) = match packed.order {
            Order::ByLine => (line * packed.stride + word, n_lines, n_words),
            Order::ByWord => (word * packed.stride + line, n_words, n_lines),
        };
        let out = &mut packed.words[start..];
        #[cfg(target_arch = "x86_64")]
        if n_lines == BLOCK
            && n_k == BLOCK * depth
            && super::pack_avx512::pack(out, packed.stride, packed.order, packed.word, source)
        {
            continue;
        }
        let block = read(source, packed.word, packed.order, n_lines, n_k);
        for (row, words) in block.iter().take(rows).enumerate() {
            out[row * packed.stride..][..columns].copy_from_slice(&words[..columns]);
        }
    }
}

/// One block, zero beyond its edges.
fn read<N: Number>(
    source: Source<'_, N>,
    word: Word,
    order: Order,
    n_lines: usize,
    n_k: usize,
) -> Block {
    let number = |line: usize, k: usize| {
        (k < n_k).then(|| {
            source.data[if source.is_k_major {
                k * source.stride + line
            } else {
                line * source.stride + k
            }]
        })
    };
    let bits = |line: usize, index: usize| match word {
        Word::F32 => number(line, index).map_or(0, N::to_f32_bits),
        Word::Bf16Pair => {
            let half = |k: usize| u32::from(number(line, k).map_or(0, N::to_bf16_bits));
            half(2 * index) | half(2 * index + 1) << 16
        }
    };
    let n_words = n_k.div_ceil(word.depth());
    let (n_rows, n_columns) = match order {
        Order::ByLine => (n_lines, n_words),
        Order::ByWord => (n_words, n_lines),
    };
    let mut block = [[0; BLOCK]; BLOCK];
    for (row, words) in block.iter_mut().take(n_rows).enumerate() {
        for (column, out) in words.iter_mut().take(n_columns).enumerate() {
            *out = match order {
                Order::ByLine => bits(row, column),
                Order::ByWord => bits(column, row),
            };
        }
    }
    block
}

/// What words are made of.
pub(super) trait Number: Copy + 'static {
    /// Whether the numbers are bf16; else they are f32.
    #[cfg(target_arch = "x86_64")]
    const IS_BF16: bool;

    fn to_f32_bits(self) -> u32;
    fn to_bf16_bits(self) -> u16;
}

impl Number for f32 {
    #[cfg(target_arch = "x86_64")]
    const IS_BF16: bool = false;

    #[inline(always)]
    fn to_f32_bits(self) -> u32 {
        self.to_bits()
    }

    #[inline(always)]
    fn to_bf16_bits(self) -> u16 {
        rounding::bits(self)
    }
}

impl Number for bf16 {
    #[cfg(target_arch = "x86_64")]
    const IS_BF16: bool = true;

    #[inline(always)]
    fn to_f32_bits(self) -> u32 {
        u32::from(self.to_bits()) << 16
    }

    #[inline(always)]
    fn to_bf16_bits(self) -> u16 {
        self.to_bits()
    }
}
