//! Writing of safetensors, atomically; [`Checkpoint`] reads them.
//!
//! # Source
//! The format: <https://github.com/huggingface/safetensors/blob/v0.8.0/README.md#format>.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use half::{bf16, f16};
use ilab_base::atomic;
use ilab_base::io::IoError;
use safetensors::tensor::{Dtype, TensorView};

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
    let malformed = |source| CheckpointError::Malformed {
        path: path.to_owned(),
        source,
    };
    let encoded: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| float_type.encode(values))
        .collect();
    let views = tensors
        .iter()
        .zip(&encoded)
        .map(|((name, shape, _), bytes)| {
            Ok((
                name.as_str(),
                TensorView::new(float_type.dtype(), shape.clone(), bytes).map_err(malformed)?,
            ))
        })
        .collect::<Result<Vec<_>, CheckpointError>>()?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(malformed)?;
    Ok(ilab_base::atomic::write(path, &bytes)?)
}

/// One tensor of a file that is written piece by piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamedTensor {
    /// Its name.
    pub name: String,
    /// Its sizes, outermost axis first.
    pub shape: Vec<usize>,
    /// How its values are written.
    pub float_type: FloatType,
}

impl StreamedTensor {
    fn n_values(&self) -> usize {
        self.shape.iter().product()
    }

    fn n_bytes(&self) -> usize {
        let value_bytes = match self.float_type {
            FloatType::F32 => 4,
            FloatType::F16 | FloatType::Bf16 => 2,
        };
        self.n_values() * value_bytes
    }
}

/// Takes the values of one tensor.
pub struct FloatSink<'a> {
    file: &'a mut BufWriter<File>,
    path: &'a Path,
    tensor: &'a StreamedTensor,
    n_written: usize,
}

impl FloatSink<'_> {
    /// Appends values.
    ///
    /// # Errors
    /// The operating system's.
    pub fn write(&mut self, values: &[f32]) -> Result<(), CheckpointError> {
        self.n_written += values.len();
        self.file
            .write_all(&self.tensor.float_type.encode(values))
            .map_err(|source| IoError::new("write", self.path, source).into())
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
    mut fill: impl FnMut(&StreamedTensor, &mut FloatSink<'_>) -> Result<(), E>,
) -> Result<(), E> {
    // The atomic writer speaks `io::Result`; an error of ours waits here until it has cleaned up.
    let mut failure = None;
    let written = atomic::write_with(path, |file| {
        file.write_all(&header(tensors))?;
        for tensor in tensors {
            let mut sink = FloatSink {
                file,
                path,
                tensor,
                n_written: 0,
            };
            let filled = fill(tensor, &mut sink).and_then(|()| {
                if sink.n_written == tensor.n_values() {
                    return Ok(());
                }
                Err(E::from(CheckpointError::Shape {
                    name: tensor.name.clone(),
                    found: vec![sink.n_written],
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
        let dtype = format!("{:?}", tensor.float_type.dtype());
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
