//! One tensor of a mapped file: where it lies, how it is encoded, and its values.

use std::borrow::Cow;
use std::ops::Range;

use half::{bf16, f16};

use super::CheckpointError;
use crate::gguf::{TensorType, dequantize};

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 32 bits.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// Blocks of a GGUF file.
    Blocks(TensorType),
    /// A type that is not read, by its name.
    Other(&'static str),
}

impl std::fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Blocks(tensor_type) => tensor_type.name(),
            Self::Other(name) => name,
        })
    }
}

/// In which order values lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Row after row.
    RowMajor,
    /// With these steps between neighbours along each axis, in values.
    Strided(Vec<usize>),
    /// Rows as llama.cpp orders those of queries and keys: within a head of so many rows, the first half's alternate with
    /// the second half's.
    Interleaved(usize),
}

/// A tensor's place in a file. Whoever makes one has held it against the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// Its bytes, from its first value on.
    pub(crate) bytes: Range<usize>,
    pub(crate) shape: Vec<usize>,
    pub(crate) encoding: Encoding,
    pub(crate) layout: Layout,
}

/// A tensor as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct StoredTensor<'a> {
    name: &'a str,
    location: &'a Location,
    bytes: &'a [u8],
}

impl<'a> StoredTensor<'a> {
    pub(crate) fn new(name: &'a str, location: &'a Location, file: &'a [u8]) -> Self {
        Self {
            name,
            location,
            bytes: &file[location.bytes.clone()],
        }
    }

    /// Its sizes, outermost axis first.
    pub fn shape(&self) -> &'a [usize] {
        &self.location.shape
    }

    /// How its values are stored.
    pub fn encoding(&self) -> Encoding {
        self.location.encoding
    }

    /// Its bytes as they lie in the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Values of a row: the size of the last axis.
    pub fn n_columns(&self) -> usize {
        self.shape().last().copied().unwrap_or(1)
    }

    /// Rows: the product of all other axes.
    pub fn n_rows(&self) -> usize {
        let (_, outer) = self.shape().split_last().unwrap_or((&1, &[]));
        outer.iter().product()
    }

    /// Whether it has the shape that the configuration says.
    ///
    /// # Errors
    /// [`CheckpointError::Shape`].
    pub fn check_shape(&self, expected: &[usize]) -> Result<(), CheckpointError> {
        if self.shape() == expected {
            return Ok(());
        }
        Err(CheckpointError::Shape {
            name: self.name.to_owned(),
            found: self.shape().to_vec(),
            expected: expected.to_vec(),
        })
    }

    /// Whether its values can be read.
    ///
    /// # Errors
    /// [`CheckpointError::Dtype`].
    pub fn check_readable(&self) -> Result<(), CheckpointError> {
        let is_readable = match self.encoding() {
            Encoding::F32 | Encoding::F16 | Encoding::Bf16 => true,
            Encoding::Blocks(tensor_type) => dequantize::is_supported(tensor_type),
            Encoding::Other(_) => false,
        };
        if is_readable {
            return Ok(());
        }
        Err(CheckpointError::Dtype {
            name: self.name.to_owned(),
            dtype: self.encoding(),
        })
    }

    /// Appends the values of one row.
    ///
    /// # Errors
    /// A type that cannot be read.
    pub fn append_row(&self, row: usize, values: &mut Vec<f32>) -> Result<(), CheckpointError> {
        self.check_readable()?;
        let n_columns = self.n_columns();
        match &self.location.layout {
            Layout::RowMajor => self.append_stored_row(row, values),
            Layout::Interleaved(head_rows) => {
                let (head, within, half) = (row / head_rows, row % head_rows, head_rows / 2);
                let stored = head * head_rows + (within % half) * 2 + within / half;
                self.append_stored_row(stored, values);
            }
            Layout::Strided(strides) => {
                let mut begin = 0;
                let mut rest = row;
                let (column_stride, outer) = strides.split_last().unwrap_or((&1, &[]));
                for (size, stride) in self.shape().iter().zip(outer).rev() {
                    begin += (rest % size) * stride;
                    rest /= size;
                }
                let width = self.value_bytes();
                for column in 0..n_columns {
                    let at = (begin + column * column_stride) * width;
                    self.append(&self.bytes[at..at + width], values);
                }
            }
        }
        Ok(())
    }

    /// All values as f32, row-major.
    ///
    /// # Errors
    /// A type that cannot be read.
    pub fn to_f32(&self) -> Result<Vec<f32>, CheckpointError> {
        self.check_readable()?;
        let mut values = Vec::with_capacity(self.n_rows() * self.n_columns());
        if self.location.layout == Layout::RowMajor {
            self.append(self.bytes, &mut values);
        } else {
            for row in 0..self.n_rows() {
                self.append_row(row, &mut values)?;
            }
        }
        Ok(values)
    }

    /// All values as bf16, row-major; without a copy where the file has them so.
    ///
    /// # Errors
    /// A type that cannot be read.
    pub fn to_bf16(&self) -> Result<Cow<'a, [bf16]>, CheckpointError> {
        if self.location.layout == Layout::RowMajor
            && self.encoding() == Encoding::Bf16
            && let Some(values) = as_bf16(self.bytes)
        {
            return Ok(Cow::Borrowed(values));
        }
        self.check_readable()?;
        let mut values = Vec::with_capacity(self.n_rows() * self.n_columns());
        let mut row_values = Vec::with_capacity(self.n_columns());
        for row in 0..self.n_rows() {
            row_values.clear();
            self.append_row(row, &mut row_values)?;
            values.extend(row_values.iter().map(|value| bf16::from_f32(*value)));
        }
        Ok(Cow::Owned(values))
    }

    fn append_stored_row(&self, row: usize, values: &mut Vec<f32>) {
        let row_bytes = self.bytes.len() / self.n_rows().max(1);
        self.append(&self.bytes[row * row_bytes..][..row_bytes], values);
    }

    /// Bytes of one value; only plain types have them.
    fn value_bytes(&self) -> usize {
        match self.encoding() {
            Encoding::F32 => 4,
            _ => 2,
        }
    }

    fn append(&self, bytes: &[u8], values: &mut Vec<f32>) {
        match self.encoding() {
            Encoding::F32 => each(bytes, f32::from_le_bytes, values),
            Encoding::F16 => each(bytes, |bytes| f16::from_le_bytes(bytes).to_f32(), values),
            Encoding::Bf16 => each(bytes, |bytes| bf16::from_le_bytes(bytes).to_f32(), values),
            Encoding::Blocks(tensor_type) => dequantize::append(tensor_type, bytes, values),
            Encoding::Other(_) => {}
        }
    }
}

fn each<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f32, values: &mut Vec<f32>) {
    values.extend(bytes.as_chunks::<N>().0.iter().map(|chunk| decode(*chunk)));
}

/// The bytes themselves as bf16, where they are aligned and the machine's byte order is the file's.
fn as_bf16(bytes: &[u8]) -> Option<&[bf16]> {
    if cfg!(target_endian = "big") {
        return None;
    }
    // SAFETY: bf16 is a transparent u16, for which every pair of bytes is a value; `align_to` sees to alignment.
    let (before, values, after) = unsafe { bytes.align_to::<bf16>() };
    (before.is_empty() && after.is_empty()).then_some(values)
}
