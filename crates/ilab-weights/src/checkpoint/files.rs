//! Which files of a folder hold its weights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ilab_base::io::{read_dir_sorted, read_to_string};
use serde::Deserialize;

use super::CheckpointError;

/// The files of a model's weights.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WeightFiles {
    pub(super) weights: Vec<PathBuf>,
    /// Says which tensors there have to be.
    pub(super) index: Option<PathBuf>,
}

/// safetensors where there are any; otherwise the files that PyTorch's index names, or the ones that are called so.
pub(super) fn find(folder: &Path) -> Result<WeightFiles, CheckpointError> {
    let paths = read_dir_sorted(folder)?;
    let of_kind = |extension: &str| -> Vec<PathBuf> {
        let mut found = paths.clone();
        found.retain(|path| path.extension().is_some_and(|found| found == extension));
        found
    };
    let safetensors = of_kind("safetensors");
    if !safetensors.is_empty() {
        return Ok(WeightFiles {
            weights: safetensors,
            index: existing(folder, "model.safetensors.index.json"),
        });
    }
    let index = existing(folder, "pytorch_model.bin.index.json");
    let weights = match &index {
        // Optimiser states and the like may lie beside the weights; the index tells them apart.
        Some(index) => named_by(index)?,
        None => {
            let mut found = of_kind("bin");
            found.retain(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.starts_with("pytorch_model") || name.starts_with("consolidated")
            });
            found
        }
    };
    if weights.is_empty() {
        return Err(CheckpointError::NoWeights {
            folder: folder.to_owned(),
        });
    }
    Ok(WeightFiles { weights, index })
}

fn existing(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = folder.join(name);
    path.is_file().then_some(path)
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

fn read(path: &Path) -> Result<Index, CheckpointError> {
    let text = read_to_string(path)?;
    serde_json::from_str(&text).map_err(|source| CheckpointError::Index {
        path: path.to_owned(),
        source,
    })
}

/// The tensors that an index promises.
pub(super) fn indexed(path: &Path) -> Result<Vec<String>, CheckpointError> {
    Ok(read(path)?.weight_map.into_keys().collect())
}

fn named_by(path: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    let names: BTreeSet<String> = read(path)?.weight_map.into_values().collect();
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = |name: String| {
        let is_plain = Path::new(&name).file_name() == Some(name.as_ref());
        if is_plain {
            Ok(folder.join(name))
        } else {
            Err(CheckpointError::IndexOutside {
                path: path.to_owned(),
                name,
            })
        }
    };
    names.into_iter().map(file).collect()
}
