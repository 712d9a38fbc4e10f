//! The left factor as rows of words: borrowed where it is stored like that, else packed.

use std::ops::Range;

use rayon::prelude::*;

use super::kernel::Word;
use super::pack::{Order, Packed, pack};
use crate::factor::{Factor, Rows};
use crate::matmul::Threads;
use crate::scratch::{self, Words};

/// Lines that one task packs at most: of a factor that is stored the other way round, half a kilobyte of every row.
const MAX_LINES_PER_TASK: usize = 128;
/// Lines that one task packs at least.
const MIN_LINES_PER_TASK: usize = 16;
/// Words of a cache line.
const LINE: usize = 16;

/// Rows of words.
pub(super) struct Left<'a> {
    start: Start<'a>,
    /// Bytes from one row to the next.
    stride: usize,
}

enum Start<'a> {
    Borrowed(*const u8, std::marker::PhantomData<&'a [u8]>),
    Packed(Words),
}

impl<'a> Left<'a> {
    /// The words of some rows of `matrix: [m, inner]` over a range of the inner axis.
    pub(super) fn new(
        matrix: Factor<'a>,
        rows: Range<usize>,
        inner: Range<usize>,
        word: Word,
        threads: Threads,
    ) -> Self {
        borrowed(matrix, &rows, &inner, word)
            .unwrap_or_else(|| packed(matrix, rows, &inner, word, threads))
    }

    /// The first word of a row.
    pub(super) fn row(&self, row: usize) -> *const u8 {
        let start = match &self.start {
            Start::Borrowed(start, _) => *start,
            Start::Packed(words) => words.as_ptr().cast(),
        };
        start.wrapping_add(row * self.stride)
    }

    pub(super) fn stride(&self) -> usize {
        self.stride
    }
}

/// Whole words that are stored as the tiles want them.
fn borrowed<'a>(
    matrix: Factor<'a>,
    rows: &Range<usize>,
    inner: &Range<usize>,
    word: Word,
) -> Option<Left<'a>> {
    if matrix.is_transposed() || !inner.len().is_multiple_of(word.depth()) {
        return None;
    }
    let (start, stride) = match (matrix.rows(), word) {
        (Rows::F32 { data, stride }, Word::F32) => (
            data[rows.start * stride + inner.start..].as_ptr().cast(),
            stride * 4,
        ),
        (Rows::Bf16 { data, stride }, Word::Bf16Pair) => (
            data[rows.start * stride + inner.start..].as_ptr().cast(),
            stride * 2,
        ),
        _ => return None,
    };
    let start = Start::Borrowed(start, std::marker::PhantomData);
    Some(Left { start, stride })
}

fn packed<'a>(
    matrix: Factor<'a>,
    rows: Range<usize>,
    inner: &Range<usize>,
    word: Word,
    threads: Threads,
) -> Left<'a> {
    let n_words = inner.len().div_ceil(word.depth());
    // An odd number of cache lines, so that the rows of a tile do not compete for the same places in the cache.
    let stride = (n_words.div_ceil(LINE) | 1) * LINE;
    let mut words = scratch::words(rows.len() * stride);
    let lines_per_task = rows
        .len()
        .div_ceil(2 * rayon::current_num_threads())
        .next_multiple_of(MIN_LINES_PER_TASK)
        .min(MAX_LINES_PER_TASK);
    let task = |(task, words): (usize, &mut [u32])| {
        let first = rows.start + task * lines_per_task;
        let lines = first..(first + lines_per_task).min(rows.end);
        let mut packed = Packed {
            words,
            stride,
            order: Order::ByLine,
            word,
        };
        pack(&mut packed, matrix, lines, inner.clone());
    };
    let words_per_task = lines_per_task * stride;
    match threads {
        Threads::All => words
            .par_chunks_mut(words_per_task)
            .enumerate()
            .for_each(task),
        Threads::One => words.chunks_mut(words_per_task).enumerate().for_each(task),
    }
    Left {
        start: Start::Packed(words),
        stride: stride * 4,
    }
}

// SAFETY: what is borrowed is only read, through a shared borrow of plain numbers.
#[allow(unsafe_code)]
unsafe impl Sync for Left<'_> {}
