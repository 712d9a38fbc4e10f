//! Writing of safetensors, atomically; [`Checkpoint`] reads them.
//!
//! # Source
//! The format: <https://github.com/huggingface/safetensors/blob/v0.8.0/README.md#format>.

use std::collections::HashMap;
use std::path::Path;

use half::bf16;
use safetensors::tensor::{Dtype, TensorView};

pub use crate::checkpoint::{Checkpoint, CheckpointError};

/// In which type weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits.
    F32,
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
            Self::Bf16 => values
                .iter()
                .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
                .collect(),
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
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
