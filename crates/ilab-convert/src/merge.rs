//! A model, with an adapter merged into it, as a Hugging Face folder.

use std::path::Path;

use ilab_base::atomic::{self, StagedDir};
use ilab_base::cancel::Cancelled;
use ilab_base::io::read;
use ilab_weights::adapter::Adapter;
use ilab_weights::checkpoint::{Checkpoint, Encoding};
use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::gguf::GgufFile;
use ilab_weights::gguf_model::{is_gguf, write_tokenizer};
use ilab_weights::safetensors::{Element, FloatType, StreamedTensor, TensorSink, write_streamed};
use serde_json::json;

use crate::convert::{Converted, Step};
use crate::encode::adapting;
use crate::error::ConvertError;
use crate::model::Source;

/// What a folder may hold beside configuration and weights.
const TOKENIZER_FILES: [&str; 8] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
];

/// Writes a model as the Hugging Face folder `destination`, which appears when it is complete. Weights keep their type; what was
/// quantised becomes F16.
///
/// # Errors
/// A source that cannot be read, an adapter of another model, or the operating system's.
pub fn write_folder(
    source: &Source<'_>,
    destination: &Path,
    observer: &mut dyn FnMut(&Step<'_>) -> Result<(), Cancelled>,
) -> Result<Converted, ConvertError> {
    let (config, checkpoint) = source.open()?;
    let tensors = plan(&config, &checkpoint)?;
    let staged = StagedDir::new(destination)?;
    write_description(source, &config, staged.path())?;

    let bytes_of = |tensor: &StreamedTensor| tensor.n_bytes() as u64;
    let bytes_total = tensors.iter().map(bytes_of).sum();
    let (mut n_written, mut bytes_written) = (0, 0);
    let path = staged.path().join("model.safetensors");
    write_streamed(&path, &tensors, |tensor, sink| {
        observer(&Step {
            tensor: &tensor.name,
            n_written,
            n_tensors: tensors.len(),
            bytes_written,
            bytes_total,
        })?;
        n_written += 1;
        bytes_written += bytes_of(tensor);
        write_tensor(&checkpoint, source.adapter, &tensor.name, sink)
    })?;
    staged.commit()?;
    let n_parameters = tensors
        .iter()
        .map(|tensor| tensor.shape.iter().product::<usize>() as u64)
        .sum();
    Ok(Converted {
        n_tensors: tensors.len(),
        n_parameters,
        tensor_bytes: bytes_total,
    })
}

fn plan(
    config: &ModelConfig,
    checkpoint: &Checkpoint,
) -> Result<Vec<StreamedTensor>, ConvertError> {
    let of_model = model_tensors(config).into_iter();
    let planned = of_model.map(|(name, shape)| {
        let tensor = checkpoint.tensor(&name)?;
        tensor.check_shape(&shape)?;
        tensor.check_readable()?;
        let float_type = match tensor.encoding() {
            Encoding::F32 => FloatType::F32,
            Encoding::Bf16 => FloatType::Bf16,
            _ => FloatType::F16,
        };
        Ok(StreamedTensor {
            name,
            shape,
            element: Element::Float(float_type),
        })
    });
    planned.collect()
}

fn write_tensor(
    checkpoint: &Checkpoint,
    adapter: Option<&Adapter>,
    name: &str,
    sink: &mut TensorSink<'_>,
) -> Result<(), ConvertError> {
    let stored = checkpoint.tensor(name)?;
    let module = adapter.and_then(|adapter| adapting(adapter, name));
    let mut values = Vec::with_capacity(stored.n_columns());
    for row in 0..stored.n_rows() {
        values.clear();
        stored.append_row(row, &mut values)?;
        if let Some((module, scale)) = module {
            module.add_row(scale, row, &mut values);
        }
        sink.write(&values)?;
    }
    Ok(())
}

/// Everything but the weights: copied where the source is a folder, otherwise from the metadata.
fn write_description(
    source: &Source<'_>,
    config: &ModelConfig,
    folder: &Path,
) -> Result<(), ConvertError> {
    let mut copies = vec![];
    match source.tokenizer_folder() {
        Some(tokenizer) => copies.extend(TOKENIZER_FILES.map(|name| (tokenizer, name))),
        None => write_tokenizer(&GgufFile::open(source.model)?, folder)?,
    }
    if is_gguf(source.model) {
        let path = folder.join("config.json");
        atomic::write(&path, config_text(config, &path)?.as_bytes())?;
    } else {
        copies.extend(["config.json", "generation_config.json"].map(|name| (source.model, name)));
    }
    for (from, name) in copies {
        let path = from.join(name);
        if path.is_file() {
            atomic::write(folder.join(name), &read(path)?)?;
        }
    }
    Ok(())
}

/// A configuration that was not a file before, with the class by which transformers loads the model.
fn config_text(config: &ModelConfig, path: &Path) -> Result<String, ConvertError> {
    let class = match config.model_type.as_str() {
        "mistral" => "MistralForCausalLM",
        "granite" => "GraniteForCausalLM",
        "qwen2" => "Qwen2ForCausalLM",
        "qwen3" => "Qwen3ForCausalLM",
        _ => "LlamaForCausalLM",
    };
    let mut config = config.clone();
    config
        .rest
        .insert("architectures".to_owned(), json!([class]));
    let text = serde_json::to_string_pretty(&config).map_err(|source| ConvertError::Json {
        path: path.to_owned(),
        source,
    })?;
    Ok(text + "\n")
}
