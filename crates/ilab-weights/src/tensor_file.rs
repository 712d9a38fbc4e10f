//! Writing safetensors files tensor by tensor, so that nothing is held twice.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use half::bf16;
use ilab_base::io::WithPath;
use safetensors::View;
use safetensors::tensor::Dtype;

use crate::safetensors::CheckpointError;

/// A tensor that is written: borrowed values and the type that they have in the file.
#[derive(Debug, Clone)]
pub struct TensorData<'a> {
    /// Its name.
    pub name: String,
    /// Its axes.
    pub shape: Vec<usize>,
    /// Its values, row-major.
    pub values: TensorValues<'a>,
}

/// The values of a tensor that is written.
#[derive(Debug, Clone)]
pub enum TensorValues<'a> {
    /// As they are.
    F32(Cow<'a, [f32]>),
    /// Rounded to bf16.
    RoundedToBf16(Cow<'a, [f32]>),
    /// Bytes that mean something to whoever reads them.
    U8(&'a [u8]),
}

impl View for &TensorData<'_> {
    fn dtype(&self) -> Dtype {
        match self.values {
            TensorValues::F32(_) => Dtype::F32,
            TensorValues::RoundedToBf16(_) => Dtype::BF16,
            TensorValues::U8(_) => Dtype::U8,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match &self.values {
            TensorValues::F32(values) => Cow::Owned(
                values
                    .iter()
                    .flat_map(|value| value.to_le_bytes())
                    .collect(),
            ),
            TensorValues::RoundedToBf16(values) => {
                let rounded = values.iter().map(|value| bf16::from_f32(*value));
                Cow::Owned(rounded.flat_map(bf16::to_le_bytes).collect())
            }
            TensorValues::U8(bytes) => Cow::Borrowed(bytes),
        }
    }

    fn data_len(&self) -> usize {
        match &self.values {
            TensorValues::F32(values) => 4 * values.len(),
            TensorValues::RoundedToBf16(values) => 2 * values.len(),
            TensorValues::U8(bytes) => bytes.len(),
        }
    }
}

/// Writes tensors to a new file and waits until it is on the disk. The file grows under its own name: write it into a folder
/// that gets its name when it is complete.
///
/// # Errors
/// Shapes that do not match their values, and any operating system error, with the path.
pub fn write_tensors(path: &Path, tensors: &[TensorData<'_>]) -> Result<(), CheckpointError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let named = tensors.iter().map(|tensor| (tensor.name.as_str(), tensor));
    safetensors::serialize_to_file(named, Some(metadata), path).map_err(|source| match source {
        safetensors::SafeTensorError::IoError(source) => {
            CheckpointError::Io(ilab_base::io::IoError::new("write", path, source))
        }
        source => CheckpointError::Malformed {
            path: path.to_owned(),
            source,
        },
    })?;
    let file = File::open(path).with_path("open", path)?;
    Ok(file.sync_all().with_path("flush", path)?)
}
