//! From a file to the places of its tensors.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;

use super::{CheckpointError, Encoding, Layout, Location, MappedFile};
use crate::{gguf_model, pytorch};

type Located = Vec<(String, Location)>;

/// Maps a file and finds its tensors; the kind is told by the name's ending.
pub(super) fn file(path: &Path) -> Result<(MappedFile, Located), CheckpointError> {
    let extension = path.extension().unwrap_or_default();
    let find: fn(&MappedFile) -> Result<Located, CheckpointError> = match extension.to_str() {
        Some("safetensors") => in_safetensors,
        Some("bin" | "pt" | "pth") => in_torch,
        Some("gguf") => gguf_model::locate,
        _ => {
            return Err(CheckpointError::UnknownKind {
                path: path.to_owned(),
            });
        }
    };
    let file = MappedFile::open(path)?;
    let tensors = find(&file)?;
    Ok((file, tensors))
}

fn in_safetensors(file: &MappedFile) -> Result<Located, CheckpointError> {
    let tensors =
        SafeTensors::deserialize(&file.map).map_err(|source| CheckpointError::Malformed {
            path: file.path.clone(),
            source,
        })?;
    let origin = file.map.as_ptr() as usize;
    let located = tensors.iter().map(|(name, view)| {
        // The views are parts of the map, so the distance is where they begin.
        let begin = view.data().as_ptr() as usize - origin;
        let location = Location {
            bytes: begin..begin + view.data().len(),
            shape: view.shape().to_vec(),
            encoding: encoding(view.dtype()),
            layout: Layout::RowMajor,
        };
        (name.to_owned(), location)
    });
    Ok(located.collect())
}

fn encoding(dtype: Dtype) -> Encoding {
    match dtype {
        Dtype::F32 => Encoding::F32,
        Dtype::F16 => Encoding::F16,
        Dtype::BF16 => Encoding::Bf16,
        Dtype::F64 => Encoding::Other("F64"),
        Dtype::I8 => Encoding::Other("I8"),
        Dtype::U8 => Encoding::Other("U8"),
        Dtype::I16 => Encoding::Other("I16"),
        Dtype::I32 => Encoding::Other("I32"),
        Dtype::I64 => Encoding::Other("I64"),
        Dtype::BOOL => Encoding::Other("BOOL"),
        Dtype::F8_E4M3 => Encoding::Other("F8_E4M3"),
        Dtype::F8_E5M2 => Encoding::Other("F8_E5M2"),
        _ => Encoding::Other("another type"),
    }
}

fn in_torch(file: &MappedFile) -> Result<Located, CheckpointError> {
    pytorch::locate(&file.map).map_err(|source| CheckpointError::Torch {
        path: file.path.clone(),
        source,
    })
}
