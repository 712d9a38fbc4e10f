//! One factor of a product: rows of numbers in any of the formats that are multiplied, read in either orientation.

use std::ops::Range;

use half::bf16;

use crate::nf4::{self, Nf4Block};
use crate::q8::{self, Q8Block};

/// A borrowed matrix. Rows lie together in memory; [`Factor::transposed`] reads them as columns without moving anything.
#[derive(Debug, Clone, Copy)]
pub struct Factor<'a> {
    rows: Rows<'a>,
    n_rows: usize,
    n_columns: usize,
    is_transposed: bool,
}

/// The rows of a factor as they are stored; strides in elements, of blocked formats in blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'a> {
    F32 { data: &'a [f32], stride: usize },
    Bf16 { data: &'a [bf16], stride: usize },
    Q8 { data: &'a [Q8Block], stride: usize },
    Nf4 { data: &'a [Nf4Block], stride: usize },
}

impl<'a> Factor<'a> {
    /// `[n_rows, n_columns]` whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When `data` is too short for that shape.
    pub fn f32(data: &'a [f32], n_rows: usize, n_columns: usize, row_stride: usize) -> Self {
        check_extent(data.len(), n_rows, n_columns, row_stride);
        let stride = row_stride;
        Self::stored(Rows::F32 { data, stride }, n_rows, n_columns)
    }

    /// Dense `[n_rows, n_columns]`.
    ///
    /// # Panics
    /// When `data` is too short for that shape.
    pub fn dense(data: &'a [f32], n_rows: usize, n_columns: usize) -> Self {
        Self::f32(data, n_rows, n_columns, n_columns)
    }

    /// `[n_rows, n_columns]` in bf16 whose rows start `row_stride` elements apart.
    ///
    /// # Panics
    /// When `data` is too short for that shape.
    pub fn bf16(data: &'a [bf16], n_rows: usize, n_columns: usize, row_stride: usize) -> Self {
        check_extent(data.len(), n_rows, n_columns, row_stride);
        let stride = row_stride;
        Self::stored(Rows::Bf16 { data, stride }, n_rows, n_columns)
    }

    /// Dense `[n_rows, n_columns]` in bf16.
    ///
    /// # Panics
    /// When `data` is too short for that shape.
    pub fn dense_bf16(data: &'a [bf16], n_rows: usize, n_columns: usize) -> Self {
        Self::bf16(data, n_rows, n_columns, n_columns)
    }

    /// `[n_rows, n_columns]` in blocks of eight bits; every row starts a block.
    ///
    /// # Panics
    /// When there are fewer blocks than that shape has.
    pub fn q8(data: &'a [Q8Block], n_rows: usize, n_columns: usize) -> Self {
        let stride = n_columns.div_ceil(q8::BLOCK);
        check_extent(data.len(), n_rows, stride, stride);
        Self::stored(Rows::Q8 { data, stride }, n_rows, n_columns)
    }

    /// `[n_rows, n_columns]` in blocks of four bits; every row starts a block.
    ///
    /// # Panics
    /// When there are fewer blocks than that shape has.
    pub fn nf4(data: &'a [Nf4Block], n_rows: usize, n_columns: usize) -> Self {
        let stride = n_columns.div_ceil(nf4::BLOCK);
        check_extent(data.len(), n_rows, stride, stride);
        Self::stored(Rows::Nf4 { data, stride }, n_rows, n_columns)
    }

    fn stored(rows: Rows<'a>, n_rows: usize, n_columns: usize) -> Self {
        Self {
            rows,
            n_rows,
            n_columns,
            is_transposed: false,
        }
    }

    /// The transposed matrix; nothing is moved.
    pub fn transposed(self) -> Self {
        Self {
            is_transposed: !self.is_transposed,
            ..self
        }
    }

    /// Rows of the matrix, after transposition.
    pub fn n_rows(self) -> usize {
        if self.is_transposed {
            self.n_columns
        } else {
            self.n_rows
        }
    }

    /// Columns of the matrix, after transposition.
    pub fn n_columns(self) -> usize {
        self.transposed().n_rows()
    }

    /// Some rows and columns of a matrix in f32 or bf16 that is not transposed.
    ///
    /// # Panics
    /// When the block lies outside the matrix, or the matrix is transposed or stored in blocks.
    pub fn block(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(
            rows.start <= rows.end && rows.end <= self.n_rows && !self.is_transposed,
            "rows {rows:?} of {} in a matrix that is not transposed",
            self.n_rows
        );
        assert!(
            columns.start <= columns.end && columns.end <= self.n_columns,
            "columns {columns:?} of {}",
            self.n_columns
        );
        // An empty block may start behind the last element.
        let start = |stride: usize, len: usize| (rows.start * stride + columns.start).min(len);
        let moved = match self.rows {
            Rows::F32 { data, stride } => Rows::F32 {
                data: &data[start(stride, data.len())..],
                stride,
            },
            Rows::Bf16 { data, stride } => Rows::Bf16 {
                data: &data[start(stride, data.len())..],
                stride,
            },
            Rows::Q8 { .. } | Rows::Nf4 { .. } => panic!("quantised rows have no blocks to cut"),
        };
        Self::stored(moved, rows.len(), columns.len())
    }

    pub(crate) fn rows(self) -> Rows<'a> {
        self.rows
    }

    /// Whether the stored rows are the columns of this matrix.
    pub(crate) fn is_transposed(self) -> bool {
        self.is_transposed
    }

    /// Rows as they are stored.
    pub(crate) fn n_stored_rows(self) -> usize {
        self.n_rows
    }

    /// Columns as they are stored.
    pub(crate) fn n_stored_columns(self) -> usize {
        self.n_columns
    }

    /// Copies elements of one stored row to `out`, widened to f32.
    ///
    /// # Panics
    /// When the row or the columns lie outside the stored matrix.
    #[inline(always)]
    pub(crate) fn read_stored(self, row: usize, columns: Range<usize>, out: &mut [f32]) {
        assert!(
            row < self.n_rows && columns.end <= self.n_columns,
            "row {row}, columns {columns:?} of [{}, {}]",
            self.n_rows,
            self.n_columns
        );
        let out = &mut out[..columns.len()];
        match self.rows {
            Rows::F32 { data, stride } => {
                out.copy_from_slice(&data[row * stride..][columns]);
            }
            Rows::Bf16 { data, stride } => {
                for (out, value) in out.iter_mut().zip(&data[row * stride..][columns]) {
                    *out = value.to_f32();
                }
            }
            Rows::Q8 { data, stride } => {
                q8::read(&data[row * stride..][..stride], columns.start, out);
            }
            Rows::Nf4 { data, stride } => {
                nf4::read(&data[row * stride..][..stride], columns.start, out);
            }
        }
    }
}

fn check_extent(len: usize, n_rows: usize, n_columns: usize, row_stride: usize) {
    assert!(n_columns <= row_stride || n_rows <= 1, "rows overlap");
    let extent = match n_rows {
        0 => Some(0),
        _ => (n_rows - 1)
            .checked_mul(row_stride)
            .and_then(|start| start.checked_add(n_columns)),
    };
    assert!(
        extent.is_some_and(|extent| extent <= len),
        "a matrix [{n_rows}, {n_columns}] with rows {row_stride} apart is larger than its {len} elements"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_reads_its_own_rows_and_columns() {
        let data: Vec<f32> = (0..24).map(|index| index as f32).collect();
        let block = Factor::dense(&data, 4, 6).block(1..3, 2..5);
        let mut out = [0.0; 2];
        block.read_stored(1, 1..3, &mut out);
        assert_eq!(out, [15.0, 16.0]);
        assert_eq!((block.n_rows(), block.transposed().n_rows()), (2, 3));
    }

    #[test]
    #[should_panic(expected = "larger than its 5 elements")]
    fn a_matrix_larger_than_its_data_is_refused() {
        Factor::dense(&[0.0; 5], 2, 3);
    }
}
