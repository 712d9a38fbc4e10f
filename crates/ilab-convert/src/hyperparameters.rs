//! The metadata that describes the model: name, sizes, rotary frequencies, multipliers.
//!
//! # Source
//! `set_gguf_parameters` of the architectures' classes in `convert_hf_to_gguf.py` of llama.cpp.

use std::path::Path;

use ilab_weights::config::{ConfigError, ModelConfig};
use ilab_weights::gguf::{Metadata, Value};
use ilab_weights::gguf_layout::architecture;

use crate::output_type::OutputType;

/// Refuses what llama.cpp would compute otherwise, or not load.
pub(crate) fn check(config: &ModelConfig, path: &Path) -> Result<(), ConfigError> {
    let unsupported = |key, value: String, supported| {
        Err(ConfigError::Unsupported {
            path: path.to_owned(),
            key,
            value,
            supported,
        })
    };
    let has_factors = matches!(architecture(&config.model_type), "llama" | "granite");
    if config.rope_type() != "default" && !has_factors {
        let supported = "default for Qwen";
        return unsupported("rope_type", config.rope_type().to_owned(), supported);
    }
    if config.model_type == "qwen2" && !has_usual_head_dim(config) {
        let supported = "hidden_size / num_attention_heads for Qwen 2";
        return unsupported("head_dim", config.head_dim().to_string(), supported);
    }
    Ok(())
}

fn has_usual_head_dim(config: &ModelConfig) -> bool {
    config.head_dim() * config.num_attention_heads == config.hidden_size
}

/// Writes the keys of the model; the tokenizer's come from elsewhere.
///
/// Sizes are at most 2^30, as the configuration's check holds, so they fit.
pub(crate) fn insert(
    metadata: &mut Metadata,
    config: &ModelConfig,
    name: &str,
    n_parameters: u64,
    output_type: OutputType,
) {
    let architecture = architecture(&config.model_type);
    metadata.insert("general.architecture", architecture);
    metadata.insert("general.type", "model");
    metadata.insert("general.name", name);
    metadata.insert("general.size_label", size_label(n_parameters));
    let mut insert = |key: &str, value: Value| {
        metadata.insert(format!("{architecture}.{key}"), value);
    };
    insert("block_count", size(config.num_hidden_layers));
    insert("context_length", size(context_length(config)));
    insert("embedding_length", size(config.hidden_size));
    insert("feed_forward_length", size(config.intermediate_size));
    insert("attention.head_count", size(config.num_attention_heads));
    insert("attention.head_count_kv", size(config.n_kv_heads()));
    insert("rope.freq_base", Value::F32(config.rope_theta as f32));
    insert(
        "attention.layer_norm_rms_epsilon",
        Value::F32(config.rms_norm_eps as f32),
    );
    if writes_head_dim(architecture, config) {
        insert("attention.key_length", size(config.head_dim()));
        insert("attention.value_length", size(config.head_dim()));
    }
    if matches!(architecture, "llama" | "granite") {
        insert("vocab_size", size(config.vocab_size));
        insert("rope.dimension_count", size(config.head_dim()));
    }
    if let Some(window) = effective_window(config) {
        insert("attention.sliding_window", size(window));
    }
    if architecture == "granite" {
        insert_multipliers(&mut insert, config);
    }
    metadata.insert("general.file_type", Value::U32(output_type.file_type()));
    // The layout of the quantized blocks, `GGML_QNT_VERSION` of `ggml.h`.
    metadata.insert("general.quantization_version", Value::U32(2));
}

fn size(value: usize) -> Value {
    Value::U32(u32::try_from(value).unwrap_or(u32::MAX))
}

/// llama.cpp computes the usual width by itself. Its converter writes it where the configuration has the key, which transformers
/// adds for Llama and Qwen 3, and never for Granite.
fn writes_head_dim(architecture: &str, config: &ModelConfig) -> bool {
    let is_named = config.head_dim.is_some() && architecture != "granite";
    is_named
        || matches!(config.model_type.as_str(), "llama" | "qwen3")
        || !has_usual_head_dim(config)
}

/// Differs from upstream, which writes the longest sequence: llama.cpp has no window in its `llama` architecture, so beyond it the
/// model would see what it never saw in training.
fn context_length(config: &ModelConfig) -> usize {
    effective_window(config).unwrap_or(config.max_position_embeddings)
}

/// The window, where sequences can reach over it.
fn effective_window(config: &ModelConfig) -> Option<usize> {
    let window = config.architecture().sliding_window;
    window.filter(|window| *window <= config.max_position_embeddings)
}

/// Granite's four; llama.cpp calls them scales.
fn insert_multipliers(insert: &mut impl FnMut(&str, Value), config: &ModelConfig) {
    let architecture = config.architecture();
    for (key, value) in [
        ("attention.scale", architecture.attention_scale),
        ("embedding_scale", architecture.embedding_multiplier),
        ("residual_scale", architecture.residual_multiplier),
        ("logit_scale", architecture.logits_divisor),
    ] {
        insert(key, Value::F32(value as f32));
    }
}

/// The number of parameters as model names have it, with two digits: `5.3M`, `8.0B`, `70B`.
fn size_label(n_parameters: u64) -> String {
    let (scale, suffix) = match n_parameters {
        0..=1_000_000 => (1e3, 'K'),
        1_000_001..=1_000_000_000 => (1e6, 'M'),
        1_000_000_001..=1_000_000_000_000 => (1e9, 'B'),
        _ => (1e12, 'T'),
    };
    let scaled = n_parameters as f64 / scale;
    let digits = match scaled.round_ties_even() as u64 {
        0 => 2,
        1..=9 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_labels() {
        for (n_parameters, label) in [
            (120, "0.12K"),
            (1_500, "1.5K"),
            (113_600, "114K"),
            (5_300_000, "5.3M"),
            (8_030_261_248, "8.0B"),
            (70_553_706_496, "71B"),
            (1_200_000_000_000, "1.2T"),
        ] {
            assert_eq!(size_label(n_parameters), label);
        }
    }
}
