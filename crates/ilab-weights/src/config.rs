//! `config.json` of a Hugging Face model folder.
//!
//! # Source
//! `LlamaConfig` of transformers 4.57: names, meanings and defaults.
//! <https://huggingface.co/docs/transformers/v4.57.1/en/model_doc/llama#transformers.LlamaConfig>

use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, read_to_string};
use serde::{Deserialize, Serialize};

/// The shape of a Llama-architecture model. Fields carry the names of `config.json`; unknown keys are kept in `rest` so
/// that a checkpoint is written with everything that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// `llama`, or the name of another architecture.
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
    /// Width of a head; `hidden_size / num_attention_heads` when absent.
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
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// `rope_scaling`: how the rotary frequencies are stretched for long contexts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RopeScaling {
    /// `default`, `linear`, `llama3`, …
    #[serde(alias = "type")]
    pub rope_type: String,
    /// How much longer the context becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// `llama3`: where the stretching starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_freq_factor: Option<f64>,
    /// `llama3`: where the stretching is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high_freq_factor: Option<f64>,
    /// `llama3`: the context before stretching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_max_position_embeddings: Option<usize>,
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
            Self::Json { .. } | Self::Invalid { .. } => {
                vec!["the file may be damaged: download or copy the model folder again".to_owned()]
            }
            Self::Unsupported { .. } => vec!["use a model of the Llama architecture".to_owned()],
        }
    }
}

impl ModelConfig {
    /// Reads and checks `config.json` of a model folder.
    ///
    /// # Errors
    /// An unreadable or malformed file, an unsupported architecture, or sizes that make no model.
    pub fn from_dir(folder: &Path) -> Result<Self, ConfigError> {
        let path = folder.join("config.json");
        let text = read_to_string(&path)?;
        let config: Self = serde_json::from_str(&text).map_err(|source| ConfigError::Json {
            path: path.clone(),
            source,
        })?;
        config.check(&path)?;
        Ok(config)
    }

    /// Key and value heads of a layer.
    pub fn n_kv_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    /// Width of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim
            .unwrap_or(self.hidden_size / self.num_attention_heads.max(1))
    }

    /// The type under which rotary frequencies are stretched; `default` when they are not.
    pub fn rope_type(&self) -> &str {
        self.rope_scaling
            .as_ref()
            .map_or("default", |scaling| &scaling.rope_type)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        if self.model_type != "llama" {
            return Err(ConfigError::Unsupported {
                path: path.to_owned(),
                key: "model_type",
                value: self.model_type.clone(),
                supported: "llama",
            });
        }
        if !["default", "llama3"].contains(&self.rope_type()) {
            return Err(ConfigError::Unsupported {
                path: path.to_owned(),
                key: "rope_scaling.rope_type",
                value: self.rope_type().to_owned(),
                supported: "default, llama3",
            });
        }
        for key in ["attention_bias", "mlp_bias"] {
            if self.rest.get(key).and_then(serde_json::Value::as_bool) == Some(true) {
                return Err(ConfigError::Unsupported {
                    path: path.to_owned(),
                    key: "attention_bias, mlp_bias",
                    value: "true".to_owned(),
                    supported: "false",
                });
            }
        }
        let invalid = |key, value: usize, expected: &str| ConfigError::Invalid {
            path: path.to_owned(),
            key,
            value: value.to_string(),
            expected: expected.to_owned(),
        };
        for (key, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.n_kv_heads()),
        ] {
            if value == 0 || value > 1 << 24 {
                return Err(invalid(key, value, "a positive size"));
            }
        }
        if !self.num_attention_heads.is_multiple_of(self.n_kv_heads()) {
            return Err(invalid(
                "num_key_value_heads",
                self.n_kv_heads(),
                "a divisor of num_attention_heads",
            ));
        }
        if self.head_dim() == 0 || !self.head_dim().is_multiple_of(2) {
            return Err(invalid("head_dim", self.head_dim(), "an even number"));
        }
        Ok(())
    }
}

/// Name and shape of every tensor of a Llama checkpoint, in the order of the layers. A tied output projection is absent.
pub fn llama_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let (hidden, ff) = (config.hidden_size, config.intermediate_size);
    let q = config.num_attention_heads * config.head_dim();
    let kv = config.n_kv_heads() * config.head_dim();
    let mut tensors = vec![(
        "model.embed_tokens.weight".to_owned(),
        vec![config.vocab_size, hidden],
    )];
    for layer_idx in 0..config.num_hidden_layers {
        for (name, shape) in [
            ("input_layernorm", vec![hidden]),
            ("self_attn.q_proj", vec![q, hidden]),
            ("self_attn.k_proj", vec![kv, hidden]),
            ("self_attn.v_proj", vec![kv, hidden]),
            ("self_attn.o_proj", vec![hidden, q]),
            ("post_attention_layernorm", vec![hidden]),
            ("mlp.gate_proj", vec![ff, hidden]),
            ("mlp.up_proj", vec![ff, hidden]),
            ("mlp.down_proj", vec![hidden, ff]),
        ] {
            tensors.push((format!("model.layers.{layer_idx}.{name}.weight"), shape));
        }
    }
    tensors.push(("model.norm.weight".to_owned(), vec![hidden]));
    if !config.tie_word_embeddings {
        tensors.push(("lm_head.weight".to_owned(), vec![config.vocab_size, hidden]));
    }
    tensors
}
