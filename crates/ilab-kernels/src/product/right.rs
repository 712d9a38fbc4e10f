//! A right factor that is packed once and multiplied often.

use std::ops::Range;

use super::kernel::{self, Kernel};
use super::left::Left;
use super::pack::{Order, Packed, pack};
use super::{Panel, Target};
use crate::factor::Factor;
use crate::matmul::{Precision, Threads};
use crate::scratch::{self, Words};

/// The panels of a factor `[inner, columns]`.
pub(crate) struct Right {
    kernel: &'static Kernel,
    words: Words,
    n_inner: usize,
    n_columns: usize,
}

impl Right {
    /// Packs, by the calling thread.
    pub(crate) fn new(precision: Precision, factor: Factor<'_>) -> Self {
        Self::for_kernel(kernel::best(precision), factor)
    }

    pub(super) fn for_kernel(kernel: &'static Kernel, factor: Factor<'_>) -> Self {
        let (n_inner, n_columns) = (factor.n_rows(), factor.n_columns());
        let mut right = Self {
            kernel,
            words: scratch::words(0),
            n_inner,
            n_columns,
        };
        let n_words = n_inner.div_ceil(kernel.word.depth());
        let width = kernel.tile_columns;
        right.words = scratch::words(n_words * right.padded(n_columns));
        for first in (0..n_columns).step_by(width) {
            let columns = first..(first + width).min(n_columns);
            let stride = right.padded(columns.len());
            let mut packed = Packed {
                words: &mut right.words[n_words * first..][..n_words * stride],
                stride,
                order: Order::ByWord,
                word: kernel.word,
            };
            pack(&mut packed, factor.transposed(), columns, 0..n_inner);
        }
        right
    }

    /// Where a range of columns, or of the inner axis, may start: at any multiple of this.
    pub(crate) const ALIGNMENT: usize = 64;

    /// `out = keep · out + scale · a · b` by the calling thread, where `b` are some rows and columns of this factor.
    ///
    /// # Panics
    /// When the shapes do not fit, or a range does not start at a multiple of [`Self::ALIGNMENT`].
    pub(crate) fn multiply(
        &self,
        out: &Target<'_>,
        [keep, scale]: [f32; 2],
        a: Factor<'_>,
        inner: Range<usize>,
        columns: Range<usize>,
    ) {
        assert!(
            inner.start.is_multiple_of(Self::ALIGNMENT)
                && columns.start.is_multiple_of(Self::ALIGNMENT),
            "rows {inner:?} and columns {columns:?} do not start a panel"
        );
        assert!(
            inner.end <= self.n_inner && columns.end <= self.n_columns,
            "rows {inner:?}, columns {columns:?}"
        );
        let (m, depth) = (a.n_rows(), self.kernel.word.depth());
        assert_eq!(
            [a.n_columns(), out.n_rows(), out.n_columns()],
            [inner.len(), m, columns.len()],
            "shapes"
        );
        let left = Left::new(a, 0..m, 0..inner.len(), self.kernel.word, Threads::One);
        let n_words = self.n_inner.div_ceil(depth);
        let width = self.kernel.tile_columns;
        for first in columns.clone().step_by(width) {
            let last = (first + width).min(columns.end);
            // The panel may have more columns than are wanted.
            let stride = self.padded((first + width).min(self.n_columns) - first);
            let words = inner.start / depth * stride..inner.end.div_ceil(depth) * stride;
            let panel = Panel {
                kernel: self.kernel,
                left: &left,
                skipped: 0,
                right: &self.words[n_words * first..][words],
                right_width: stride,
                out,
                first_row: 0,
                columns: first - columns.start..last - columns.start,
                keep,
                scale,
            };
            panel.tiles(0..m);
        }
    }

    fn padded(&self, n_columns: usize) -> usize {
        n_columns.next_multiple_of(self.kernel.lanes)
    }
}
