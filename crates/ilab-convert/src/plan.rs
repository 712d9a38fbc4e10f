//! What will be written, decided and checked before anything is.

use std::path::Path;

use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::gguf::TensorInfo;
use ilab_weights::safetensors::{Checkpoint, CheckpointError};
use ilab_weights::tensor_names::{is_redundant, llama_to_gguf};
use safetensors::tensor::Dtype;

use crate::error::ConvertError;
use crate::output_type::OutputType;

/// Where a tensor of the file comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    /// Values that the converter computed.
    Values(Vec<f32>),
    /// A tensor of the checkpoint.
    Tensor {
        /// Its name there.
        name: String,
        /// In which order its rows are written.
        rows: RowOrder,
    },
}

/// The order of a matrix's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// As stored.
    Stored,
    /// Within each head, the first half's rows alternate with the second half's.
    ///
    /// Hugging Face rotates dimension i of a head together with i + D/2, llama.cpp's `llama` architecture 2i with 2i + 1;
    /// queries and keys are stored for the one and used by the other.
    Interleaved {
        /// Rows of a head.
        head_dim: usize,
    },
}

impl RowOrder {
    /// Which stored row comes at this place.
    pub(crate) fn stored_row(self, row: usize) -> usize {
        match self {
            Self::Stored => row,
            Self::Interleaved { head_dim } => {
                let (head, within) = (row / head_dim, row % head_dim);
                head * head_dim + (within % 2) * (head_dim / 2) + within / 2
            }
        }
    }
}

/// One tensor of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlannedTensor {
    pub(crate) info: TensorInfo,
    pub(crate) source: Source,
}

/// All tensors, in file order; every tensor of the model is there, of the right shape, and nothing is left over.
pub(crate) fn plan_tensors(
    folder: &Path,
    config: &ModelConfig,
    checkpoint: &Checkpoint,
    output_type: OutputType,
    rope_factors: Option<Vec<f32>>,
) -> Result<Vec<PlannedTensor>, ConvertError> {
    let model_tensors = model_tensors(config);
    let unknown = checkpoint.names().find(|name| {
        // Some checkpoints carry a copy of the tied embedding; the configuration says that it is one.
        let is_tied_copy = config.tie_word_embeddings && *name == "lm_head.weight";
        let is_known = model_tensors.iter().any(|(known, _)| known == name);
        !is_known && !is_tied_copy && !is_redundant(name)
    });
    if let Some(tensor) = unknown {
        return Err(unknown_tensor(folder, tensor));
    }
    let mut planned = Vec::with_capacity(model_tensors.len() + 1);
    if let Some(factors) = rope_factors {
        planned.push(PlannedTensor {
            info: info("rope_freqs.weight", &[factors.len()], output_type),
            source: Source::Values(factors),
        });
    }
    for (name, shape) in model_tensors {
        check_tensor(checkpoint, &name, &shape)?;
        let gguf_name = llama_to_gguf(&name).ok_or_else(|| unknown_tensor(folder, &name))?;
        let rows = if name.ends_with(".q_proj.weight") || name.ends_with(".k_proj.weight") {
            let head_dim = config.head_dim();
            RowOrder::Interleaved { head_dim }
        } else {
            RowOrder::Stored
        };
        planned.push(PlannedTensor {
            info: info(&gguf_name, &shape, output_type),
            source: Source::Tensor { name, rows },
        });
    }
    Ok(planned)
}

fn info(name: &str, shape: &[usize], output_type: OutputType) -> TensorInfo {
    let dimensions: Vec<u64> = shape.iter().rev().map(|size| *size as u64).collect();
    TensorInfo::new(name, &dimensions, output_type.tensor_type(shape))
}

fn check_tensor(
    checkpoint: &Checkpoint,
    name: &str,
    expected: &[usize],
) -> Result<(), CheckpointError> {
    let view = checkpoint.tensor(name)?;
    if view.shape() != expected {
        return Err(CheckpointError::Shape {
            name: name.to_owned(),
            found: view.shape().to_vec(),
            expected: expected.to_vec(),
        });
    }
    match view.dtype() {
        Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok(()),
        dtype => Err(CheckpointError::Dtype {
            name: name.to_owned(),
            dtype,
        }),
    }
}

fn unknown_tensor(folder: &Path, tensor: &str) -> ConvertError {
    ConvertError::UnknownTensor {
        folder: folder.to_owned(),
        tensor: tensor.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaving_keeps_heads_apart() {
        let order = RowOrder::Interleaved { head_dim: 6 };
        let rows: Vec<usize> = (0..12).map(|row| order.stored_row(row)).collect();
        assert_eq!(rows, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    }
}
