//! Writing of safetensors, atomically; [`Checkpoint`] reads them.
//!
//! # Source
//! The format: <https://github.com/huggingface/safetensors/blob/v0.8.0/README.md#format>.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use half::{bf16, f16};
use ilab_base::atomic;
use ilab_base::io::IoError;
use safetensors::tensor::Dtype;
use serde_json::{Value, json};

pub use crate::checkpoint::{Checkpoint, CheckpointError};

/// In which type weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits.
    F32,
    /// IEEE half precision, rounded to nearest even.
    F16,
    /// The upper half of an f32, rounded to nearest even.
    Bf16,
}

impl FloatType {
    /// f32 values as little-endian bytes of this type.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Self::F16 => values
                .iter()
                .flat_map(|value| f16::from_f32(*value).to_le_bytes())
                .collect(),
            Self::Bf16 => values
                .iter()
                .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
                .collect(),
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }
}

/// Writes tensors, row-major f32 with their shapes, to one file.
///
/// # Errors
/// Shapes that do not match their data; any operating system error, after which nothing stands under `path`.
pub fn write(
    path: &Path,
    tensors: &[(String, Vec<usize>, &[f32])],
    float_type: FloatType,
) -> Result<(), CheckpointError> {
    let streamed: Vec<StreamedTensor> = tensors
        .iter()
        .map(|(name, shape, _)| StreamedTensor {
            name: name.clone(),
            shape: shape.clone(),
            element: Element::Float(float_type),
        })
        .collect();
    let mut values = tensors.iter().map(|(_, _, values)| *values);
    // The tensors are asked for in their order.
    write_streamed(path, &streamed, |_, sink| {
        sink.write(values.next().unwrap_or_default())
    })
}

/// What the numbers of a tensor are in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Weights.
    Float(FloatType),
    /// Bytes that mean something to whoever reads them.
    U8,
}

impl Element {
    fn n_bytes(self) -> usize {
        match self {
            Self::Float(FloatType::F32) => 4,
            Self::Float(FloatType::F16 | FloatType::Bf16) => 2,
            Self::U8 => 1,
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::Float(float_type) => float_type.dtype(),
            Self::U8 => Dtype::U8,
        }
    }
}

/// One tensor of a file that is written piece by piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedTensor {
    /// Its name.
    pub name: String,
    /// Its sizes, outermost axis first.
    pub shape: Vec<usize>,
    /// What its numbers are.
    pub element: Element,
}

impl StreamedTensor {
    fn n_values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its size in the file.
    pub fn n_bytes(&self) -> usize {
        self.n_values() * self.element.n_bytes()
    }
}

/// Takes the numbers of one tensor.
pub struct TensorSink<'a> {
    file: &'a mut BufWriter<File>,
    path: &'a Path,
    tensor: &'a StreamedTensor,
    n_bytes_written: usize,
}

impl TensorSink<'_> {
    /// Appends weights; those of a tensor of bytes have no place and are told as a wrong size.
    ///
    /// # Errors
    /// The operating system's.
    pub fn write(&mut self, values: &[f32]) -> Result<(), CheckpointError> {
        match self.tensor.element {
            Element::Float(float_type) => self.write_bytes(&float_type.encode(values)),
            Element::U8 => Ok(()),
        }
    }

    /// Appends numbers as they are in the file.
    ///
    /// # Errors
    /// The operating system's.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), CheckpointError> {
        self.n_bytes_written += bytes.len();
        let written = self.file.write_all(bytes);
        written.map_err(|source| IoError::new("write", self.path, source).into())
    }
}

/// Writes a file whose tensors need not be in memory together; `fill` gives the values of each in turn. Whatever goes wrong, `path`
/// is as it was before.
///
/// # Errors
/// Whatever `fill` returns, a tensor that got more or fewer values than its shape says, and the operating system's errors.
pub fn write_streamed<E: From<CheckpointError>>(
    path: &Path,
    tensors: &[StreamedTensor],
    mut fill: impl FnMut(&StreamedTensor, &mut TensorSink<'_>) -> Result<(), E>,
) -> Result<(), E> {
    // The atomic writer speaks `io::Result`; an error of ours waits here until it has cleaned up.
    let mut failure = None;
    let written = atomic::write_with(path, |file| {
        file.write_all(&header(tensors))?;
        for tensor in tensors {
            let mut sink = TensorSink {
                file,
                path,
                tensor,
                n_bytes_written: 0,
            };
            let filled = fill(tensor, &mut sink).and_then(|()| {
                if sink.n_bytes_written == tensor.n_bytes() {
                    return Ok(());
                }
                Err(E::from(CheckpointError::Shape {
                    name: tensor.name.clone(),
                    found: vec![sink.n_bytes_written / tensor.element.n_bytes()],
                    expected: tensor.shape.clone(),
                }))
            });
            if let Err(error) = filled {
                failure = Some(error);
                return Err(std::io::Error::other("a tensor could not be written"));
            }
        }
        Ok(())
    });
    match (failure, written) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(E::from(CheckpointError::Io(error))),
        (None, Ok(())) => Ok(()),
    }
}

/// The length of the description and the description, padded so that values begin at a multiple of 8.
fn header(tensors: &[StreamedTensor]) -> Vec<u8> {
    let mut description = serde_json::Map::new();
    description.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut begin = 0;
    for tensor in tensors {
        let end = begin + tensor.n_bytes();
        let dtype = format!("{:?}", tensor.element.dtype());
        description.insert(
            tensor.name.clone(),
            json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [begin, end]}),
        );
        begin = end;
    }
    let mut text = Value::Object(description).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    bytes
}
