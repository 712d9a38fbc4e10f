//! A GGUF file as the source of a model: its tensors under their Hugging Face names, its configuration, its tokenizer.

mod config;
mod tokenizer;

use std::path::Path;

pub use config::config;
pub use tokenizer::{TokenizerError, tokenizer_files, write_tokenizer};

use crate::checkpoint::{CheckpointError, Encoding, Layout, Location, MappedFile};
use crate::gguf::{GgufFile, TensorInfo, TensorType};
use crate::gguf_layout::{HeadRows, head_rows};
use crate::tensor_names::from_gguf;

/// The frequencies' factors follow from the configuration, so they are no tensor of the model.
const ROPE_FACTORS: &str = "rope_freqs.weight";

/// Whether a path is meant as a GGUF file, told by its name.
pub fn is_gguf(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "gguf")
        && !path.is_dir()
}

/// The tensors of a mapped GGUF file and where they lie.
pub(crate) fn locate(file: &MappedFile) -> Result<Vec<(String, Location)>, CheckpointError> {
    let gguf = GgufFile::open(&file.path)?;
    let mut located = Vec::with_capacity(gguf.tensors().len());
    for tensor in gguf.tensors() {
        if tensor.name == ROPE_FACTORS {
            continue;
        }
        let name = from_gguf(&tensor.name).ok_or_else(|| CheckpointError::UnknownTensor {
            path: file.path.clone(),
            tensor: tensor.name.clone(),
        })?;
        let location = place(&gguf, tensor, &name)
            .filter(|location| location.bytes.end <= file.map.len())
            .ok_or_else(|| CheckpointError::UnknownTensor {
                path: file.path.clone(),
                tensor: tensor.name.clone(),
            })?;
        located.push((name, location));
    }
    Ok(located)
}

/// Opening the file has held sizes and offsets against its length; what is left are numbers that this machine cannot hold.
fn place(gguf: &GgufFile, tensor: &TensorInfo, name: &str) -> Option<Location> {
    let begin = usize::try_from(gguf.header().data_offset.checked_add(tensor.offset)?).ok()?;
    let size = usize::try_from(tensor.size_bytes().ok()?).ok()?;
    let shape = tensor.dimensions.iter().rev();
    let shape: Vec<usize> = shape
        .map(|size| usize::try_from(*size).ok())
        .collect::<Option<_>>()?;
    let architecture = gguf.architecture().unwrap_or_default();
    let rows = head_rows(architecture, name, head_dim(gguf).unwrap_or(0));
    let layout = match rows {
        HeadRows::AsStored => Layout::RowMajor,
        HeadRows::Interleaved { head_dim } => {
            let n_rows = *shape.first()?;
            let is_whole = head_dim > 0 && head_dim % 2 == 0 && n_rows.is_multiple_of(head_dim);
            if !is_whole {
                return None;
            }
            Layout::Interleaved(head_dim)
        }
    };
    Some(Location {
        bytes: begin..begin.checked_add(size)?,
        shape,
        encoding: encoding(tensor.tensor_type),
        layout,
    })
}

fn encoding(tensor_type: TensorType) -> Encoding {
    match tensor_type {
        TensorType::F32 => Encoding::F32,
        TensorType::F16 => Encoding::F16,
        TensorType::BF16 => Encoding::Bf16,
        other => Encoding::Blocks(other),
    }
}

/// Width of a head: what the file says, otherwise the width of the model over the number of heads.
fn head_dim(gguf: &GgufFile) -> Option<usize> {
    let architecture = gguf.architecture()?;
    let number = |key: &str| gguf.metadata().unsigned(&format!("{architecture}.{key}"));
    let head_dim = number("attention.key_length").or_else(|| {
        let heads = number("attention.head_count").filter(|heads| *heads > 0)?;
        Some(number("embedding_length")? / heads)
    });
    usize::try_from(head_dim?).ok()
}
