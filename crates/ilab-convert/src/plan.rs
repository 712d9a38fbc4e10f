//! What will be written, decided and checked before anything is.

use std::path::Path;

use ilab_weights::checkpoint::{Checkpoint, CheckpointError};
use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::gguf::TensorInfo;
use ilab_weights::gguf_layout::{HeadRows, architecture, head_rows};
use ilab_weights::tensor_names::{is_redundant, to_gguf};

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
        rows: HeadRows,
    },
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
        let gguf_name = to_gguf(&name).ok_or_else(|| unknown_tensor(folder, &name))?;
        let architecture = architecture(&config.model_type);
        let rows = head_rows(architecture, &name, config.head_dim());
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
    let tensor = checkpoint.tensor(name)?;
    tensor.check_shape(expected)?;
    tensor.check_readable()
}

fn unknown_tensor(folder: &Path, tensor: &str) -> ConvertError {
    ConvertError::UnknownTensor {
        folder: folder.to_owned(),
        tensor: tensor.to_owned(),
    }
}
