//! The metadata that describes the model: name, sizes, rotary frequencies.

use std::path::Path;

use ilab_weights::config::{ConfigError, ModelConfig};
use ilab_weights::gguf::{Metadata, Value};

use crate::output_type::OutputType;

/// Refuses models whose metadata is not written yet.
pub(crate) fn check(config: &ModelConfig, folder: &Path) -> Result<(), ConfigError> {
    if config.model_type == "llama" {
        return Ok(());
    }
    Err(ConfigError::Unsupported {
        path: folder.join("config.json"),
        key: "model_type",
        value: config.model_type.clone(),
        supported: "llama",
    })
}

/// Writes the keys that every Llama model has.
///
/// Sizes are at most 2^24, as the configuration's check holds, so they fit.
pub(crate) fn insert(
    metadata: &mut Metadata,
    config: &ModelConfig,
    name: &str,
    n_parameters: u64,
    output_type: OutputType,
) {
    let size = |value: usize| Value::U32(u32::try_from(value).unwrap_or(u32::MAX));
    metadata.insert("general.architecture", "llama");
    metadata.insert("general.type", "model");
    metadata.insert("general.name", name);
    metadata.insert("general.size_label", size_label(n_parameters));
    metadata.insert("llama.block_count", size(config.num_hidden_layers));
    metadata.insert("llama.context_length", size(config.max_position_embeddings));
    metadata.insert("llama.embedding_length", size(config.hidden_size));
    metadata.insert("llama.feed_forward_length", size(config.intermediate_size));
    metadata.insert(
        "llama.attention.head_count",
        size(config.num_attention_heads),
    );
    metadata.insert("llama.attention.head_count_kv", size(config.n_kv_heads()));
    metadata.insert("llama.rope.freq_base", Value::F32(config.rope_theta as f32));
    metadata.insert(
        "llama.attention.layer_norm_rms_epsilon",
        Value::F32(config.rms_norm_eps as f32),
    );
    metadata.insert("llama.attention.key_length", size(config.head_dim()));
    metadata.insert("llama.attention.value_length", size(config.head_dim()));
    metadata.insert("general.file_type", Value::U32(output_type.file_type()));
    metadata.insert("llama.vocab_size", size(config.vocab_size));
    metadata.insert("llama.rope.dimension_count", size(config.head_dim()));
    // The layout of the quantized blocks, `GGML_QNT_VERSION` of `ggml.h`.
    metadata.insert("general.quantization_version", Value::U32(2));
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
