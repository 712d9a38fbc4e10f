//! PEFT's layout: a folder with `adapter_config.json` and `adapter_model.safetensors`.
//!
//! # Source
//! <https://huggingface.co/docs/peft/v0.17.0/en/developer_guides/checkpoint>

use std::collections::BTreeMap;
use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::{create_dir_all, read_to_string};

use super::{Adapter, AdapterConfig, AdapterError, LoraModule};
use crate::checkpoint::Checkpoint;
use crate::file_name::{ADAPTER_CONFIG, ADAPTER_MODEL, ADAPTER_MODEL_TORCH};
use crate::safetensors::{self, FloatType};

/// What PEFT puts before the name that a layer has in the model.
const PREFIX: &str = "base_model.model.";
const A: &str = "lora_A.weight";
const B: &str = "lora_B.weight";

pub(super) fn read(folder: &Path) -> Result<Adapter, AdapterError> {
    let path = folder.join(ADAPTER_CONFIG);
    let text = read_to_string(&path)?;
    let config: AdapterConfig =
        serde_json::from_str(&text).map_err(|source| AdapterError::Json {
            path: path.clone(),
            source,
        })?;
    config.check(&path)?;
    let weights = folder.join(ADAPTER_MODEL);
    let torch = folder.join(ADAPTER_MODEL_TORCH);
    let file = if !weights.exists() && torch.exists() {
        torch
    } else {
        weights
    };
    let modules = read_modules(&file, &config)?;
    Ok(Adapter { config, modules })
}

fn read_modules(file: &Path, config: &AdapterConfig) -> Result<Vec<LoraModule>, AdapterError> {
    let checkpoint = Checkpoint::open_file(file)?;
    let mut pairs: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for tensor in checkpoint.names() {
        let module_and_side = tensor.strip_prefix(PREFIX).and_then(|name| {
            let a = name.strip_suffix(A).map(|module| (module, 0));
            a.or_else(|| name.strip_suffix(B).map(|module| (module, 1)))
        });
        let named = module_and_side.and_then(|(name, side)| Some((name.strip_suffix('.')?, side)));
        let Some((module, side)) = named else {
            return Err(AdapterError::UnknownTensor {
                path: file.to_owned(),
                tensor: tensor.to_owned(),
            });
        };
        pairs.entry(module.to_owned()).or_default()[side] = Some(tensor.to_owned());
    }
    let mut modules = Vec::with_capacity(pairs.len());
    for (module, pair) in pairs {
        let (a, b) = match pair {
            [Some(a), Some(b)] => (a, b),
            [a, _] => {
                let (present, absent) = if a.is_some() { (A, B) } else { (B, A) };
                return Err(AdapterError::Half {
                    path: file.to_owned(),
                    module,
                    present,
                    absent,
                });
            }
        };
        modules.push(read_module(file, &checkpoint, config, module, &a, &b)?);
    }
    Ok(modules)
}

fn read_module(
    file: &Path,
    checkpoint: &Checkpoint,
    config: &AdapterConfig,
    module: String,
    a: &str,
    b: &str,
) -> Result<LoraModule, AdapterError> {
    let (a, b) = (checkpoint.tensor(a)?, checkpoint.tensor(b)?);
    let shape = |rank| AdapterError::Shape {
        path: file.to_owned(),
        module: module.clone(),
        a: a.shape().to_vec(),
        b: b.shape().to_vec(),
        rank,
    };
    let (&[rank, n_inputs], &[n_outputs, b_rank]) = (a.shape(), b.shape()) else {
        return Err(shape(config.r));
    };
    let expected = if config.has_rank_pattern() {
        rank
    } else {
        config.r
    };
    if rank != expected || b_rank != expected || rank == 0 {
        return Err(shape(expected));
    }
    Ok(LoraModule {
        a: a.to_f32()?,
        b: b.to_f32()?,
        name: module,
        rank,
        n_inputs,
        n_outputs,
    })
}

/// Writes an adapter as PEFT does, so that PEFT, vLLM and this program read it: both files, the description last.
///
/// # Errors
/// The operating system's.
pub fn write(
    folder: &Path,
    config: &AdapterConfig,
    modules: &[LoraModule],
    float_type: FloatType,
) -> Result<(), AdapterError> {
    create_dir_all(folder)?;
    let tensors: Vec<(String, Vec<usize>, &[f32])> = modules
        .iter()
        .flat_map(|module| {
            let name = |side| format!("{PREFIX}{}.{side}", module.name);
            [
                (name(A), vec![module.rank, module.n_inputs], &module.a[..]),
                (name(B), vec![module.n_outputs, module.rank], &module.b[..]),
            ]
        })
        .collect();
    safetensors::write(&folder.join(ADAPTER_MODEL), &tensors, float_type)?;
    let path = folder.join(ADAPTER_CONFIG);
    let text = serde_json::to_string_pretty(config).map_err(|source| AdapterError::Json {
        path: path.clone(),
        source,
    })?;
    Ok(atomic::write(&path, format!("{text}\n").as_bytes())?)
}
