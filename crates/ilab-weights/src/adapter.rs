//! LoRA adapters: two thin matrices beside a frozen one, in the layouts of PEFT, of MLX and of llama.cpp.
//!
//! An adapted matrix is W + s·B·A, where W is `[out, in]`, A is `[r, in]`, B is `[out, r]` and the scale s is `lora_alpha / r`
//! (`lora_alpha / √r` with `use_rslora`). Every layout is read into the same [`Adapter`]; what it cannot hold is refused by name.
//!
//! # Source
//! LoRA: <https://arxiv.org/abs/2106.09685>; rank-stabilised scale: <https://arxiv.org/abs/2312.03732>.

mod config;
mod error;
mod gguf;
mod merge;
mod mlx;
mod peft;

use std::path::Path;

pub use config::{AdapterConfig, TargetModules};
pub use error::AdapterError;
pub use gguf::write_gguf;
pub use mlx::{MLX_DEFAULT_SCALE, write_npz};
pub use peft::write;

use crate::file_name;

/// The matrices that adapt one linear layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LoraModule {
    /// The layer in Hugging Face's naming, without `.weight`: `model.layers.0.self_attn.q_proj`.
    pub name: String,
    /// r: rows of A, columns of B.
    pub rank: usize,
    /// Width of the layer's input: columns of A.
    pub n_inputs: usize,
    /// Width of its output: rows of B.
    pub n_outputs: usize,
    /// A, `[rank, n_inputs]`, row-major.
    pub a: Vec<f32>,
    /// B, `[n_outputs, rank]`, row-major.
    pub b: Vec<f32>,
}

/// An adapter, whatever layout it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapter {
    /// What is said about it, in PEFT's terms.
    pub config: AdapterConfig,
    /// The adapted layers, sorted by name.
    pub modules: Vec<LoraModule>,
}

impl Adapter {
    /// Reads an adapter: a folder of PEFT's (`adapter_config.json`, `adapter_model.safetensors` or `.bin`), or MLX's
    /// `adapters.npz`, given itself or as the folder that it lies in.
    ///
    /// # Errors
    /// A file that is absent or malformed, a kind of adapter that is not LoRA, matrices that do not fit together.
    pub fn open(path: &Path) -> Result<Self, AdapterError> {
        let npz = path.join(file_name::MLX_ADAPTER);
        let adapter = if path.is_file() {
            mlx::read(path)
        } else if npz.is_file() && !path.join(file_name::ADAPTER_CONFIG).is_file() {
            mlx::read(&npz)
        } else {
            peft::read(path)
        }?;
        adapter.check(path)?;
        Ok(adapter)
    }

    /// What B·A is multiplied with for a module of this rank.
    pub fn scale(&self, module: &LoraModule) -> f32 {
        self.config.scale(module.rank)
    }

    /// The module that adapts a layer, by the layer's name without `.weight`.
    pub fn module(&self, name: &str) -> Option<&LoraModule> {
        self.modules
            .binary_search_by(|module| module.name.as_str().cmp(name))
            .ok()
            .map(|module_idx| &self.modules[module_idx])
    }

    fn check(&self, path: &Path) -> Result<(), AdapterError> {
        if self.modules.is_empty() {
            return Err(AdapterError::Empty {
                path: path.to_owned(),
            });
        }
        for module in &self.modules {
            let is_finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
            if !(is_finite(&module.a) && is_finite(&module.b)) {
                return Err(AdapterError::NotFinite {
                    path: path.to_owned(),
                    module: module.name.clone(),
                });
            }
        }
        Ok(())
    }
}

/// A matrix with its axes exchanged: `[rows, columns]` to `[columns, rows]`.
fn transposed(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut result = Vec::with_capacity(values.len());
    for column in 0..columns {
        result.extend((0..rows).map(|row| values[row * columns + column]));
    }
    result
}
