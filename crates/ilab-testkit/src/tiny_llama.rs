//! A Llama model so small that a test can make it, convert it and run it: two layers of random weights.
//!
//! It has everything a real one has: grouped-query attention, a byte-level BPE tokenizer with special tokens and a chat
//! template. The same seed always gives the same bytes.

mod family;
mod tokenizer;
mod weights;

use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, create_dir_all};
use ilab_base::{atomic, hint::Hint};
use ilab_convert::{ConvertError, OutputType, Source, convert, convert_source};
use ilab_weights::adapter::Adapter;
use serde_json::{Value, json};

pub use family::{Family, write_hf_of};
pub use tokenizer::{CHAT_TEMPLATE, SPECIAL_TOKENS, vocabulary_size};

/// Width of the residual stream.
pub const HIDDEN_SIZE: usize = 64;
/// Number of layers.
pub const N_LAYERS: usize = 2;
/// Number of query heads.
pub const N_HEADS: usize = 4;
/// Number of key-value heads.
pub const N_KV_HEADS: usize = 2;
/// Width of the feed-forward part.
pub const INTERMEDIATE_SIZE: usize = 128;
/// Longest sequence.
pub const CONTEXT_LENGTH: usize = 512;
/// Rows of the embedding that no token uses, where there are such.
const N_PADDING_ROWS: usize = 5;

/// The tiny model cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TinyLlamaError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The conversion to GGUF failed.
    #[error(transparent)]
    Convert(#[from] ConvertError),
}

impl Hint for TinyLlamaError {}

/// Writes a Hugging Face folder into `folder`: config, tokenizer and F32 weights drawn from `seed`.
///
/// # Errors
/// The operating system's, with the path.
pub fn write_hf(folder: &Path, seed: u64) -> Result<(), IoError> {
    let mut tokenizer_config = tokenizer::tokenizer_config_json(CONTEXT_LENGTH);
    tokenizer_config["add_bos_token"] = json!(false);
    write_json_files(
        folder,
        &plain_config(),
        &tokenizer::tokenizer_json(),
        &tokenizer_config,
    )?;
    let tensors = weights::tensors(vocabulary_size(), HIDDEN_SIZE / N_HEADS, true);
    let bytes = weights::safetensors(seed, &tensors);
    atomic::write(folder.join("model.safetensors"), &bytes)
}

/// As [`write_hf`], with what Llama 3.2 has: a tied output projection, llama3 rope scaling, a head width of its own, rows
/// of the embedding without a token, a tokenizer that adds `bos`, and weights in two files with an index.
///
/// # Errors
/// The operating system's, with the path.
pub fn write_hf_like_llama3(folder: &Path, seed: u64) -> Result<(), IoError> {
    let (vocab_size, head_dim) = (vocabulary_size() + N_PADDING_ROWS, 32);
    let mut config = plain_config();
    config["vocab_size"] = json!(vocab_size);
    config["head_dim"] = json!(head_dim);
    config["tie_word_embeddings"] = json!(true);
    config["rope_theta"] = json!(500000.0);
    config["rope_scaling"] = json!({
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192
    });
    let mut tokenizer = tokenizer::tokenizer_json();
    tokenizer["post_processor"] = tokenizer::adding_bos();
    let tokenizer_config = tokenizer::tokenizer_config_json(CONTEXT_LENGTH);
    write_json_files(folder, &config, &tokenizer, &tokenizer_config)?;

    let tensors = weights::tensors(vocab_size, head_dim, false);
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let mut index = serde_json::Map::new();
    for (shard_idx, shard) in [first, second].into_iter().enumerate() {
        let name = format!("model-{:05}-of-00002.safetensors", shard_idx + 1);
        atomic::write(folder.join(&name), &weights::safetensors(seed, shard))?;
        index.extend(
            shard
                .iter()
                .map(|(tensor, _)| (tensor.clone(), json!(name))),
        );
    }
    let index = json!({"metadata": {}, "weight_map": index});
    write_json(folder, "model.safetensors.index.json", &index)
}

fn plain_config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary_size(),
        "hidden_size": HIDDEN_SIZE,
        "intermediate_size": INTERMEDIATE_SIZE,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS,
        "num_key_value_heads": N_KV_HEADS,
        "hidden_act": "silu",
        "max_position_embeddings": CONTEXT_LENGTH,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": null,
        "tie_word_embeddings": false,
        "attention_bias": false,
        "mlp_bias": false,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "torch_dtype": "float32"
    })
}

fn write_json_files(
    folder: &Path,
    config: &Value,
    tokenizer: &Value,
    tokenizer_config: &Value,
) -> Result<(), IoError> {
    create_dir_all(folder)?;
    write_json(folder, "config.json", config)?;
    write_json(folder, "tokenizer.json", tokenizer)?;
    write_json(folder, "tokenizer_config.json", tokenizer_config)
}

/// Writes the model of seed 0 as an F32 GGUF file into `folder` and returns its path.
///
/// # Errors
/// The operating system's, with the path.
pub fn write_gguf(folder: &Path) -> Result<PathBuf, TinyLlamaError> {
    let source = folder.join("tiny-llama");
    write_hf(&source, 0)?;
    to_gguf(&source, folder.join("tiny-llama-f32.gguf"))
}

/// The same of [`write_hf_like_llama3`].
///
/// # Errors
/// The operating system's, with the path.
pub fn write_gguf_like_llama3(folder: &Path) -> Result<PathBuf, TinyLlamaError> {
    let source = folder.join("tiny-llama3");
    write_hf_like_llama3(&source, 0)?;
    to_gguf(&source, folder.join("tiny-llama3-f32.gguf"))
}

fn to_gguf(source: &Path, destination: PathBuf) -> Result<PathBuf, TinyLlamaError> {
    convert(source, &destination, OutputType::F32, &mut |_| Ok(()))?;
    Ok(destination)
}

/// Writes the model in `folder` as an F32 GGUF file beside it and returns its path.
///
/// # Errors
/// The operating system's, with the path; a folder that holds no model.
pub fn write_gguf_of(folder: &Path) -> Result<PathBuf, TinyLlamaError> {
    let destination = folder.with_added_extension("gguf");
    convert(folder, &destination, OutputType::F32, &mut |_| Ok(()))?;
    Ok(destination)
}

/// Writes the model in `folder` with an adapter merged into it as an F32 GGUF file.
///
/// # Errors
/// As [`write_gguf_of`], and an adapter of another model.
pub fn write_merged_gguf(
    folder: &Path,
    adapter: &Adapter,
    destination: &Path,
) -> Result<(), TinyLlamaError> {
    let source = Source {
        adapter: Some(adapter),
        ..Source::model(folder)
    };
    convert_source(&source, destination, OutputType::F32, &mut |_| Ok(()))?;
    Ok(())
}

fn write_json(folder: &Path, name: &str, value: &Value) -> Result<(), IoError> {
    atomic::write(folder.join(name), format!("{value:#}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use ilab_base::io::read;
    use ilab_weights::gguf::GgufFile;

    use super::*;

    #[test]
    fn a_seed_gives_the_same_files_and_a_readable_gguf() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_gguf(folder.path()).unwrap();
        let file = GgufFile::open(path).unwrap();
        assert_eq!(file.architecture(), Some("llama"));
        assert_eq!(file.tensors().len(), 3 + 9 * N_LAYERS);

        let weights = |seed| {
            let again = folder.path().join("again");
            write_hf(&again, seed).unwrap();
            read(again.join("model.safetensors")).unwrap()
        };
        let first = read(folder.path().join("tiny-llama/model.safetensors")).unwrap();
        assert_eq!(weights(0), first);
        assert_ne!(weights(1), first);
    }
}
