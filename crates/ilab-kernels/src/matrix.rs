//! Owned matrices in the formats that are multiplied.

use half::bf16;
use rayon::prelude::*;

use crate::factor::Factor;
use crate::nf4::{self, Nf4Block};
use crate::q8::{self, Q8Block};
use crate::rounding;

/// How the numbers of a matrix are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 32 bits.
    F32,
    /// 16 bits.
    Bf16,
    /// 8.5 bits: see [`q8`].
    Q8,
    /// 4.25 bits: see [`nf4`].
    Nf4,
}

/// The numbers of a matrix, row after row; rows of blocked formats start a block.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// 32 bits.
    F32(Vec<f32>),
    /// 16 bits.
    Bf16(Vec<bf16>),
    /// Blocks of 8 bits.
    Q8(Vec<Q8Block>),
    /// Blocks of 4 bits.
    Nf4(Vec<Nf4Block>),
}

/// A matrix that owns its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    values: Values,
    n_rows: usize,
    n_columns: usize,
}

impl Matrix {
    /// `[n_rows, n_columns]` of numbers that are already in their format.
    ///
    /// # Panics
    /// When there are more or fewer numbers than that shape has.
    pub fn new(values: Values, n_rows: usize, n_columns: usize) -> Self {
        let (found, expected) = match &values {
            Values::F32(values) => (values.len(), n_rows * n_columns),
            Values::Bf16(values) => (values.len(), n_rows * n_columns),
            Values::Q8(blocks) => (blocks.len(), n_rows * n_columns.div_ceil(q8::BLOCK)),
            Values::Nf4(blocks) => (blocks.len(), n_rows * n_columns.div_ceil(nf4::BLOCK)),
        };
        assert_eq!(found, expected, "of a matrix [{n_rows}, {n_columns}]");
        Self {
            values,
            n_rows,
            n_columns,
        }
    }

    /// `data: [n_rows, n_columns]` rounded to `format`.
    ///
    /// # Panics
    /// When `data` has another size.
    pub fn rounded(data: &[f32], n_rows: usize, n_columns: usize, format: Format) -> Self {
        assert_eq!(data.len(), n_rows * n_columns, "[{n_rows}, {n_columns}]");
        let rows = || data.par_chunks(n_columns.max(1));
        let values = match format {
            Format::F32 => Values::F32(data.to_vec()),
            Format::Bf16 => Values::Bf16(rounding::to_bf16(data)),
            Format::Q8 => Values::Q8(rows().flat_map_iter(q8::quantise).collect()),
            Format::Nf4 => Values::Nf4(rows().flat_map_iter(nf4::quantise).collect()),
        };
        Self::new(values, n_rows, n_columns)
    }

    /// The matrix as a factor of a product.
    pub fn as_factor(&self) -> Factor<'_> {
        let (n_rows, n_columns) = (self.n_rows, self.n_columns);
        match &self.values {
            Values::F32(values) => Factor::dense(values, n_rows, n_columns),
            Values::Bf16(values) => Factor::dense_bf16(values, n_rows, n_columns),
            Values::Q8(blocks) => Factor::q8(blocks, n_rows, n_columns),
            Values::Nf4(blocks) => Factor::nf4(blocks, n_rows, n_columns),
        }
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// The numbers as they are kept.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The format that the numbers are kept in.
    pub fn format(&self) -> Format {
        match self.values {
            Values::F32(_) => Format::F32,
            Values::Bf16(_) => Format::Bf16,
            Values::Q8(_) => Format::Q8,
            Values::Nf4(_) => Format::Nf4,
        }
    }

    /// Memory that the numbers take.
    pub fn size_bytes(&self) -> usize {
        match &self.values {
            Values::F32(values) => size_of_val(values.as_slice()),
            Values::Bf16(values) => size_of_val(values.as_slice()),
            Values::Q8(blocks) => size_of_val(blocks.as_slice()),
            Values::Nf4(blocks) => size_of_val(blocks.as_slice()),
        }
    }

    /// One row in f32: the embedding of a token.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> Vec<f32> {
        self.as_factor().row(row)
    }

    /// All numbers in f32, row after row.
    pub fn to_f32(&self) -> Vec<f32> {
        self.as_factor().to_f32()
    }
}

impl Factor<'_> {
    /// One row as it is stored, in f32.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(self, row: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.n_stored_columns()];
        self.read_row(row, &mut values);
        values
    }

    /// Copies one row as it is stored to `out`, in f32.
    ///
    /// # Panics
    /// When there is no such row, or `out` is shorter.
    pub fn read_row(self, row: usize, out: &mut [f32]) {
        self.read_stored(row, 0..self.n_stored_columns(), out);
    }

    /// All numbers in f32, row after row as they are stored.
    pub fn to_f32(self) -> Vec<f32> {
        let mut values = vec![0.0; self.n_stored_rows() * self.n_stored_columns()];
        self.read_into(&mut values);
        values
    }

    /// All numbers in f32, row after row as they are stored, into a buffer.
    ///
    /// # Panics
    /// When the buffer has another size.
    pub fn read_into(self, values: &mut [f32]) {
        let (n_rows, n_columns) = (self.n_stored_rows(), self.n_stored_columns());
        assert_eq!(values.len(), n_rows * n_columns, "[{n_rows}, {n_columns}]");
        values
            .par_chunks_mut(n_columns.max(1))
            .enumerate()
            .for_each(|(row, out)| self.read_row(row, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, values};

    #[test]
    fn every_format_reads_back_what_it_was_given() {
        let (n_rows, n_columns) = (5, 70);
        let data = values(n_rows * n_columns, 3);
        for (format, tolerance, size_bytes) in [
            (Format::F32, 0.0, 5 * 70 * 4),
            (Format::Bf16, 0.004, 5 * 70 * 2),
            (Format::Q8, 0.005, 5 * 3 * 34),
            (Format::Nf4, 0.16, 5 * 2 * 34),
        ] {
            let matrix = Matrix::rounded(&data, n_rows, n_columns, format);
            assert_eq!((matrix.format(), matrix.size_bytes()), (format, size_bytes));
            assert_close(&matrix.to_f32(), &data, tolerance);
            assert_eq!(matrix.row(3), matrix.to_f32()[210..280]);
        }
    }
}
