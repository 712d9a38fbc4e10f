//! The conversion itself.

use std::path::Path;

use ilab_base::cancel::Cancelled;
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::config::ModelConfig;
use ilab_weights::gguf::{GgufWriter, Metadata};

use crate::encode::write_tensor;
use crate::error::ConvertError;
use crate::hyperparameters;
use crate::output_type::OutputType;
use crate::plan::plan_tensors;
use crate::rope_frequencies::llama3_factors;
use crate::vocabulary;

/// A tensor is about to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Its name in the file.
    pub tensor: &'a str,
    /// How many tensors were written before it.
    pub n_written: usize,
    /// How many tensors there are.
    pub n_tensors: usize,
    /// Bytes of the tensors that were written before it.
    pub bytes_written: u64,
    /// Bytes of all tensors.
    pub bytes_total: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// How many tensors the file holds.
    pub n_tensors: usize,
    /// How many parameters the model has.
    pub n_parameters: u64,
    /// Bytes of all tensors.
    pub tensor_bytes: u64,
}

/// Whether the model in `folder` can be written as GGUF, as far as that does not depend on its weights: its configuration,
/// its rotary frequencies and its tokenizer.
///
/// # Errors
/// Those of [`convert`] for these files.
pub fn check(folder: &Path) -> Result<(), ConvertError> {
    let config = ModelConfig::from_dir(folder)?;
    hyperparameters::check(&config, folder)?;
    llama3_factors(&config, &folder.join("config.json"))?;
    vocabulary::insert(&mut Metadata::new(), folder, &config)
}

/// Writes the model in `folder` to the GGUF file `destination`, replacing what is there once the new file is complete.
///
/// `observer` is called before each tensor and ends the work by returning an error; nothing is left behind then.
///
/// # Errors
/// Files that are missing, malformed or contradict each other, and anything that llama.cpp could not run, all before the
/// first byte is written; later only a full disk and the like.
pub fn convert(
    folder: &Path,
    destination: &Path,
    output_type: OutputType,
    observer: &mut dyn FnMut(&Step<'_>) -> Result<(), Cancelled>,
) -> Result<Converted, ConvertError> {
    let config = ModelConfig::from_dir(folder)?;
    hyperparameters::check(&config, folder)?;
    let checkpoint = Checkpoint::open(folder)?;
    let rope_factors = llama3_factors(&config, &folder.join("config.json"))?;
    let tensors = plan_tensors(folder, &config, &checkpoint, output_type, rope_factors)?;
    let n_parameters = tensors.iter().map(|tensor| tensor.info.n_values()).sum();

    let mut metadata = Metadata::new();
    let name = model_name(folder);
    hyperparameters::insert(&mut metadata, &config, &name, n_parameters, output_type);
    vocabulary::insert(&mut metadata, folder, &config)?;

    let mut writer = GgufWriter::new(metadata);
    let mut bytes_total = 0;
    for tensor in &tensors {
        bytes_total += tensor.info.size_bytes().unwrap_or_default();
        writer.push(tensor.info.clone());
    }
    let mut planned = tensors.iter().enumerate();
    let mut bytes_written = 0;
    writer.write(destination, |info, sink| {
        // The writer asks for tensors in the order in which it was told of them.
        let Some((n_written, tensor)) = planned.next() else {
            return Ok(());
        };
        observer(&Step {
            tensor: &info.name,
            n_written,
            n_tensors: tensors.len(),
            bytes_written,
            bytes_total,
        })?;
        bytes_written += info.size_bytes().unwrap_or_default();
        write_tensor(tensor, &checkpoint, sink)
    })?;
    Ok(Converted {
        n_tensors: tensors.len(),
        n_parameters,
        tensor_bytes: bytes_total,
    })
}

/// The folder's name, also where it was given as `.`.
fn model_name(folder: &Path) -> String {
    let absolute = std::path::absolute(folder);
    let named = absolute.as_deref().unwrap_or(folder);
    named.file_name().map_or_else(
        || "model".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
