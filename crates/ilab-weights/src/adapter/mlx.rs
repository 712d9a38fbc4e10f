//! MLX's layout: `adapters.npz`, an archive with two arrays for each adapted layer.
//!
//! There A is `[in, r]` and B `[r, out]`, the other way round than here, and the scale is not in the file: 20 by default, for
//! every rank. What is written is therefore multiplied so that this default gives the adapter back.

use std::collections::BTreeMap;
use std::path::Path;

use ilab_base::{atomic, io};

use super::{Adapter, AdapterConfig, AdapterError, LoraModule, transposed};
use crate::{npy, zip};

/// The scale that MLX's LoRA example takes where nobody says another one.
pub const MLX_DEFAULT_SCALE: f64 = 20.0;

type Array = (Vec<usize>, Vec<f32>);

pub(super) fn read(path: &Path) -> Result<Adapter, AdapterError> {
    let bytes = io::read(path)?;
    let entries = zip::entries(&bytes).map_err(|source| AdapterError::Zip {
        path: path.to_owned(),
        source,
    })?;
    let mut pairs: BTreeMap<&str, [Option<Array>; 2]> = BTreeMap::new();
    for entry in &entries {
        let key = entry.name.strip_suffix(".npy").unwrap_or(&entry.name);
        let side = match key.rsplit_once('.') {
            Some((module, "lora_a")) => (module, 0),
            Some((module, "lora_b")) => (module, 1),
            _ => {
                return Err(AdapterError::UnknownTensor {
                    path: path.to_owned(),
                    tensor: key.to_owned(),
                });
            }
        };
        let array = npy::read(&bytes[entry.bytes.clone()]).map_err(|source| AdapterError::Npy {
            path: path.to_owned(),
            array: key.to_owned(),
            source,
        })?;
        pairs.entry(side.0).or_default()[side.1] = Some(array);
    }
    let modules = pairs
        .into_iter()
        .map(|(name, pair)| module(path, name, pair))
        .collect::<Result<Vec<_>, _>>()?;
    check_ranks(path, &modules)?;
    Ok(Adapter {
        config: config(&modules),
        modules,
    })
}

fn module(path: &Path, name: &str, pair: [Option<Array>; 2]) -> Result<LoraModule, AdapterError> {
    let ((a_shape, a), (b_shape, b)) = match pair {
        [Some(a), Some(b)] => (a, b),
        [a, _] => {
            let (present, absent) = if a.is_some() {
                ("lora_a", "lora_b")
            } else {
                ("lora_b", "lora_a")
            };
            return Err(AdapterError::Half {
                path: path.to_owned(),
                module: name.to_owned(),
                present,
                absent,
            });
        }
    };
    match (a_shape.as_slice(), b_shape.as_slice()) {
        (&[n_inputs, rank], &[b_rank, n_outputs]) if rank == b_rank && rank > 0 => Ok(LoraModule {
            name: name.to_owned(),
            rank,
            n_inputs,
            n_outputs,
            a: transposed(&a, n_inputs, rank),
            b: transposed(&b, rank, n_outputs),
        }),
        _ => Err(AdapterError::Shape {
            path: path.to_owned(),
            module: name.to_owned(),
            rank: a_shape.last().copied().unwrap_or(0),
            a: a_shape,
            b: b_shape,
        }),
    }
}

/// One scale for all ranks is what no other layout can say; MLX itself writes one rank only.
fn check_ranks(path: &Path, modules: &[LoraModule]) -> Result<(), AdapterError> {
    let Some(rank) = modules.first().map(|module| module.rank) else {
        return Ok(());
    };
    match modules.iter().find(|module| module.rank != rank) {
        None => Ok(()),
        Some(module) => Err(AdapterError::Shape {
            path: path.to_owned(),
            module: module.name.clone(),
            a: vec![module.rank, module.n_inputs],
            b: vec![module.n_outputs, module.rank],
            rank,
        }),
    }
}

/// PEFT's description of the same: the scale is `lora_alpha / r`.
fn config(modules: &[LoraModule]) -> AdapterConfig {
    let rank = modules.first().map_or(1, |module| module.rank);
    let mut targets: Vec<String> = modules
        .iter()
        .filter_map(|module| module.name.rsplit('.').next().map(str::to_owned))
        .collect();
    targets.sort();
    targets.dedup();
    AdapterConfig::new(rank, MLX_DEFAULT_SCALE * rank as f64, targets)
}

/// Writes an adapter as `adapters.npz`.
///
/// # Errors
/// The operating system's.
pub fn write_npz(path: &Path, adapter: &Adapter) -> Result<(), AdapterError> {
    let mut entries = Vec::with_capacity(2 * adapter.modules.len());
    for module in &adapter.modules {
        let factor = adapter.scale(module) / MLX_DEFAULT_SCALE as f32;
        let a = transposed(&module.a, module.rank, module.n_inputs);
        let mut b = transposed(&module.b, module.n_outputs, module.rank);
        b.iter_mut().for_each(|value| *value *= factor);
        let name = |side| format!("{}.{side}.npy", module.name);
        entries.push((
            name("lora_a"),
            npy::write([module.n_inputs, module.rank], &a),
        ));
        entries.push((
            name("lora_b"),
            npy::write([module.rank, module.n_outputs], &b),
        ));
    }
    Ok(atomic::write(path, &zip::archive(&entries))?)
}
