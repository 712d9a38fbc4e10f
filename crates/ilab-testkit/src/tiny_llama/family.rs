//! The same model as the relatives of Llama have it.

use std::path::Path;

use ilab_base::atomic;
use ilab_weights::config::{ConfigError, ModelConfig, model_tensors};
use serde_json::json;

use super::{CONTEXT_LENGTH, plain_config, tokenizer, weights, write_json_files};

/// A relative of Llama, with what makes it one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A window, shorter than the longest sequence.
    Mistral,
    /// Four multipliers, and a tied output projection.
    Granite,
    /// Biases of queries, keys and values.
    Qwen2,
    /// Norms of heads that are wider than usual, and a tied output projection.
    Qwen3,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mistral, Self::Granite, Self::Qwen2, Self::Qwen3];

    /// `model_type` of config.json.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mistral => "mistral",
            Self::Granite => "granite",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }
}

/// Writes a Hugging Face folder of this family: config, tokenizer and F32 weights drawn from `seed`.
///
/// # Errors
/// The operating system's, with the path; a configuration that makes no model.
pub fn write_hf_of(family: Family, folder: &Path, seed: u64) -> Result<(), ConfigError> {
    let mut config = plain_config();
    config["model_type"] = json!(family.name());
    let (class, changes) = match family {
        Family::Mistral => ("MistralForCausalLM", json!({"sliding_window": 96})),
        Family::Granite => (
            "GraniteForCausalLM",
            json!({
                "embedding_multiplier": 12.0, "attention_multiplier": 0.109375, "residual_multiplier": 0.22,
                "logits_scaling": 8.0, "tie_word_embeddings": true
            }),
        ),
        Family::Qwen2 => ("Qwen2ForCausalLM", json!({"use_sliding_window": false})),
        Family::Qwen3 => (
            "Qwen3ForCausalLM",
            json!({"head_dim": 32, "tie_word_embeddings": true}),
        ),
    };
    config["architectures"] = json!([class]);
    for (key, value) in changes.as_object().into_iter().flatten() {
        config[key] = value.clone();
    }
    let mut tokenizer_config = tokenizer::tokenizer_config_json(CONTEXT_LENGTH);
    tokenizer_config["add_bos_token"] = json!(false);
    let tokenizer = tokenizer::tokenizer_json();
    write_json_files(folder, &config, &tokenizer, &tokenizer_config)?;
    let config = ModelConfig::from_dir(folder)?;
    let bytes = weights::safetensors(seed, &model_tensors(&config));
    Ok(atomic::write(folder.join("model.safetensors"), &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_a_checkpoint_of_its_own_tensors() {
        for (family, n_tensors) in Family::ALL.into_iter().zip([21, 20, 27, 24]) {
            let folder = tempfile::tempdir().unwrap();
            write_hf_of(family, folder.path(), 0).unwrap();
            let checkpoint = ilab_weights::checkpoint::Checkpoint::open(folder.path()).unwrap();
            assert_eq!(checkpoint.names().count(), n_tensors, "{family:?}");
        }
    }
}
