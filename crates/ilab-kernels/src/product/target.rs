//! Where a product goes.

use std::marker::PhantomData;
use std::ops::Range;

/// A row-major matrix that is written, some columns of wider rows perhaps.
#[derive(Debug)]
pub(crate) struct Target<'a> {
    start: *mut f32,
    stride: usize,
    n_rows: usize,
    n_columns: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: a target is a mutable borrow of floats; parts of it are handed to threads by `part`, whose caller keeps them
// apart.
#[allow(unsafe_code)]
unsafe impl Send for Target<'_> {}
// SAFETY: as above; nothing is read or written through a shared target.
#[allow(unsafe_code)]
unsafe impl Sync for Target<'_> {}

impl<'a> Target<'a> {
    /// Dense rows of `n_columns`.
    ///
    /// # Panics
    /// When `data` has no whole number of rows.
    pub(crate) fn dense(data: &'a mut [f32], n_columns: usize) -> Self {
        let n_rows = data.len().checked_div(n_columns).unwrap_or(0);
        assert_eq!(data.len(), n_rows * n_columns, "whole rows of {n_columns}");
        Self {
            start: data.as_mut_ptr(),
            stride: n_columns,
            n_rows,
            n_columns,
            borrowed: PhantomData,
        }
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(crate) fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Elements from one row to the next.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The first element.
    pub(crate) fn start(&self) -> *mut f32 {
        self.start
    }

    /// Some rows and columns.
    ///
    /// # Safety
    /// Parts that exist at the same time must not overlap.
    ///
    /// # Panics
    /// When the part lies outside.
    #[allow(unsafe_code)]
    pub(crate) unsafe fn part(&self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(
            rows.start <= rows.end
                && rows.end <= self.n_rows
                && columns.start <= columns.end
                && columns.end <= self.n_columns,
            "rows {rows:?} and columns {columns:?} of [{}, {}]",
            self.n_rows,
            self.n_columns
        );
        Self {
            start: self
                .start
                .wrapping_add(rows.start * self.stride + columns.start),
            n_rows: rows.len(),
            n_columns: columns.len(),
            ..*self
        }
    }

    /// One row.
    ///
    /// # Panics
    /// When there is no such row.
    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.n_rows, "row {row} of {}", self.n_rows);
        // SAFETY: the row lies inside the matrix that is borrowed, and is borrowed from this target.
        #[allow(unsafe_code)]
        unsafe {
            std::slice::from_raw_parts_mut(self.start.add(row * self.stride), self.n_columns)
        }
    }
}
