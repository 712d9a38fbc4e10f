//! Checkpoints: Hugging Face model folders that appear whole or not at all.

use std::path::Path;

use ilab_base::atomic::{StagedDir, write};
use ilab_base::io::{WithPath, read};
use ilab_weights::adapter::{self, AdapterConfig};
use ilab_weights::safetensors::FloatType;

use crate::error::TrainError;
use crate::method::LoraOptions;
use crate::model::Model;
use crate::state_file::write_parameters;

/// Files of the source model that make a checkpoint usable on its own.
const COMPANIONS: [&str; 5] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
];

/// Writes the weights, `config.json` and what of the tokenizer stands in `tokenizer_dir`, under a temporary name. The caller
/// may add files before it commits.
///
/// # Errors
/// Any operating system error, with the path; nothing is left behind.
pub fn stage(
    model: &Model,
    tokenizer_dir: &Path,
    destination: &Path,
    float_type: FloatType,
) -> Result<StagedDir, TrainError> {
    let staged = StagedDir::new(destination)?;
    let folder = staged.path();
    let parameters: Vec<_> = model.parameters().collect();
    write_parameters(&folder.join("model.safetensors"), &parameters, float_type)?;
    copy_companions(tokenizer_dir, folder)?;
    let mut config = model.config().clone();
    let dtype = if float_type == FloatType::F32 {
        "float32"
    } else {
        "bfloat16"
    };
    // transformers 5 writes `dtype`, and reads it first.
    for key in ["torch_dtype", "dtype"] {
        if key == "torch_dtype" || config.rest.contains_key(key) {
            config.rest.insert(key.to_owned(), dtype.into());
        }
    }
    let text = serde_json::to_vec_pretty(&config)
        .map_err(std::io::Error::from)
        .with_path("write", folder)?;
    write(folder.join("config.json"), &text)?;
    Ok(staged)
}

/// Writes the adapters of a model in PEFT's layout, and what of the tokenizer stands in `tokenizer_dir`, under a temporary
/// name. The caller may add files before it commits.
///
/// # Errors
/// Any operating system error, with the path; nothing is left behind.
pub fn stage_adapter(
    model: &Model,
    options: &LoraOptions,
    base: &Path,
    tokenizer_dir: &Path,
    destination: &Path,
) -> Result<StagedDir, TrainError> {
    let staged = StagedDir::new(destination)?;
    let folder = staged.path();
    let targets = options.target_modules.clone();
    let mut config = AdapterConfig::new(options.rank, f64::from(options.alpha), targets);
    config.lora_dropout = f64::from(options.dropout);
    config.base_model_name_or_path = Some(base.display().to_string());
    adapter::write(folder, &config, &model.adapters()?, FloatType::F32)?;
    copy_companions(tokenizer_dir, folder)?;
    Ok(staged)
}

fn copy_companions(source: &Path, folder: &Path) -> Result<(), TrainError> {
    for name in COMPANIONS {
        let path = source.join(name);
        if path.exists() {
            write(folder.join(name), &read(&path)?)?;
        }
    }
    Ok(())
}
