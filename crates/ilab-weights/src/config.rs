//! `config.json` of a Hugging Face model folder.
//!
//! # Source
//! `LlamaConfig` of transformers 4.57 and its relatives: names, meanings and defaults.
//! <https://huggingface.co/docs/transformers/v4.57.1/en/model_doc/llama#transformers.LlamaConfig>

mod architecture;
mod rope;
mod rope_factors;
mod sizes;

use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, read_to_string};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::Value;

pub use architecture::{Architecture, layer_tensors, model_tensors};
pub use rope::RopeScaling;

use crate::gguf::{GgufError, GgufFile};
use crate::gguf_model::{self, is_gguf};

/// The shape of a model. Fields carry the names of `config.json`; unknown keys are kept in `rest` so
/// that a checkpoint is written with everything that was read.
// What is derived reads and writes the fields as they are; the implementations below add `rope_parameters`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct ModelConfig {
    /// `llama`, `granite` or the name of another architecture.
    pub model_type: String,
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward layer.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Query heads of a layer.
    pub num_attention_heads: usize,
    /// Key and value heads of a layer; each serves `num_attention_heads / num_key_value_heads` query heads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_key_value_heads: Option<usize>,
    /// Width of a head; `hidden_size / num_attention_heads` when absent, but 128 for Qwen 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_dim: Option<usize>,
    /// Added to the mean square before the root.
    #[serde(default = "default_rms_norm_eps")]
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    /// Stretching of the rotary frequencies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope_scaling: Option<RopeScaling>,
    /// Longest sequence that the model was made for.
    #[serde(default = "default_max_position_embeddings")]
    pub max_position_embeddings: usize,
    /// Whether the output projection is the token embedding.
    #[serde(default)]
    pub tie_word_embeddings: bool,
    /// Everything else.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

impl<'de> Deserialize<'de> for ModelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut config = Self::deserialize(deserializer)?;
        rope::read_parameters(&mut config).map_err(de::Error::custom)?;
        Ok(config)
    }
}

impl Serialize for ModelConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.rest.contains_key("rope_parameters") {
            return Self::serialize(self, serializer);
        }
        let mut config =
            Self::serialize(self, serde_json::value::Serializer).map_err(ser::Error::custom)?;
        if let Value::Object(config) = &mut config {
            rope::remove_repeated(config);
        }
        config.serialize(serializer)
    }
}

fn default_rms_norm_eps() -> f64 {
    1e-6
}

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_max_position_embeddings() -> usize {
    2048
}

/// `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is not JSON, or a key is missing or of the wrong type.
    #[error("`{}` is not a model configuration", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// A GGUF file cannot be read.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The metadata of a GGUF file do not say what a model needs.
    #[error("`{}` says nothing usable under `{key}`", path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// Two values contradict each other, or one makes no model.
    #[error("`{}`: `{key}` is {value}, expected {expected}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it has to be.
        expected: String,
    },
    /// The architecture, or something it does, is not supported.
    #[error("`{}`: `{key}` is `{value}`; supported: {supported}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is.
        supported: &'static str,
    },
}

impl ilab_base::hint::Hint for ConfigError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) if error.is_not_found() => {
                vec!["pass the folder of a Hugging Face model: one with config.json, tokenizer.json and *.safetensors".to_owned()]
            }
            Self::Io(error) => error.hints(),
            Self::Gguf(error) => error.hints(),
            Self::MissingKey { .. } => {
                vec![
                    "use the Hugging Face folder of the model, or another GGUF file of it"
                        .to_owned(),
                ]
            }
            Self::Json { .. } | Self::Invalid { .. } => {
                vec!["the file may be damaged: download or copy the model folder again".to_owned()]
            }
            Self::Unsupported { .. } => vec![
                "use a model of a supported architecture, such as Granite 3, Llama, Mistral or Qwen"
                    .to_owned(),
            ],
        }
    }
}

impl ModelConfig {
    /// Reads and checks `config.json` of a model folder, or the metadata of a GGUF file.
    ///
    /// # Errors
    /// An unreadable or malformed file, an unsupported architecture, or sizes that make no model.
    pub fn from_dir(folder: &Path) -> Result<Self, ConfigError> {
        if is_gguf(folder) {
            return gguf_model::config(&GgufFile::open(folder)?);
        }
        let path = folder.join("config.json");
        let text = read_to_string(&path)?;
        let config: Self = serde_json::from_str(&text).map_err(|source| ConfigError::Json {
            path: path.clone(),
            source,
        })?;
        config.check(&path)?;
        Ok(config)
    }

    /// Takes and checks what config.json would hold; `path` is named where something is wrong with it.
    ///
    /// # Errors
    /// As [`ModelConfig::from_dir`].
    pub fn from_json(config: Value, path: &Path) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_value(config).map_err(|source| ConfigError::Json {
            path: path.to_owned(),
            source,
        })?;
        config.check(path)?;
        Ok(config)
    }

    /// Key and value heads of a layer.
    pub fn n_kv_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    /// The type under which rotary frequencies are stretched; `default` when they are not.
    pub fn rope_type(&self) -> &str {
        self.rope_scaling
            .as_ref()
            .map_or("default", RopeScaling::rope_type)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        architecture::check(self, path)?;
        rope::check(self, path)?;
        sizes::check(self, path)
    }
}
