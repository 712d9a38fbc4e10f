//! The conversion itself.

use std::path::Path;

use ilab_base::cancel::Cancelled;
use ilab_weights::gguf::{GgufWriter, Metadata};

use crate::encode::write_tensor;
use crate::error::ConvertError;
use crate::hyperparameters;
use crate::model::Source;
use crate::output_type::OutputType;
use crate::plan::plan_tensors;

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
    let source = Source::model(folder);
    let config = source.config()?;
    config.llama3_factors(&source.config_path())?;
    source.insert_vocabulary(&mut Metadata::new(), &config)
}

/// Writes a model to the GGUF file `destination`, replacing what is there once the new file is complete.
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
    convert_source(&Source::model(folder), destination, output_type, observer)
}

/// As [`convert`], with a tokenizer from elsewhere or an adapter to merge.
///
/// # Errors
/// As [`convert`], and an adapter that is another model's.
pub fn convert_source(
    source: &Source<'_>,
    destination: &Path,
    output_type: OutputType,
    observer: &mut dyn FnMut(&Step<'_>) -> Result<(), Cancelled>,
) -> Result<Converted, ConvertError> {
    let (config, checkpoint) = source.open()?;
    let rope_factors = config.llama3_factors(&source.config_path())?;
    let tensors = plan_tensors(
        source.model,
        &config,
        &checkpoint,
        output_type,
        rope_factors,
    )?;
    let n_parameters = tensors.iter().map(|tensor| tensor.info.n_values()).sum();

    let mut metadata = Metadata::new();
    let name = model_name(source.model);
    hyperparameters::insert(&mut metadata, &config, &name, n_parameters, output_type);
    source.insert_vocabulary(&mut metadata, &config)?;

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
        write_tensor(tensor, &checkpoint, source.adapter, sink)
    })?;
    Ok(Converted {
        n_tensors: tensors.len(),
        n_parameters,
        tensor_bytes: bytes_total,
    })
}

/// The folder's name, also where it was given as `.`.
pub(crate) fn model_name(folder: &Path) -> String {
    let absolute = std::path::absolute(folder);
    let named = absolute.as_deref().unwrap_or(folder);
    // The ending of a file is no part of the model's name; that of a folder (Granite-3.1) may be.
    let name = if named.is_dir() {
        named.file_name()
    } else {
        named.file_stem()
    };
    name.map_or_else(
        || "model".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
