//! What the supported architectures do beside the common layer: multipliers, biases, norms of heads, windows.
//!
//! # Source
//! `modeling_{llama,mistral,granite,qwen2,qwen3}.py` and their configurations in transformers 4.57.
//! <https://github.com/huggingface/transformers/tree/v4.57.1/src/transformers/models>

use std::path::Path;

use serde_json::Value;

use super::{ConfigError, ModelConfig};

/// Names of `model_type` that this program knows, as error messages list them.
const SUPPORTED: &str = "llama, mistral, granite, qwen2, qwen3";

/// Width of a head where the configuration of a Qwen 3 model is silent.
const QWEN3_HEAD_DIM: usize = 128;

/// Window where the configuration of a Mistral model is silent; `null` means none.
const MISTRAL_WINDOW: usize = 4096;

/// How a model differs from the plain Llama layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Architecture {
    /// Factor on embedded tokens.
    pub embedding_multiplier: f64,
    /// Factor on `q · k` before the softmax.
    pub attention_scale: f64,
    /// Factor on what attention and the feed-forward part add to the residual stream.
    pub residual_multiplier: f64,
    /// What logits are divided by.
    pub logits_divisor: f64,
    /// Whether queries, keys and values have a bias.
    pub has_query_key_value_bias: bool,
    /// Whether each head of queries and keys is normalised before it is rotated.
    pub has_head_norms: bool,
    /// A token sees so many tokens, itself included; all before it when absent.
    pub sliding_window: Option<usize>,
}

impl ModelConfig {
    /// How this model differs from the plain Llama layer.
    pub fn architecture(&self) -> Architecture {
        let is_granite = self.model_type == "granite";
        let multiplier = |key: &str| match (is_granite, self.rest.get(key)) {
            (true, Some(value)) => value.as_f64().unwrap_or(1.0),
            _ => 1.0,
        };
        Architecture {
            embedding_multiplier: multiplier("embedding_multiplier"),
            attention_scale: if is_granite {
                multiplier("attention_multiplier")
            } else {
                (self.head_dim() as f64).powf(-0.5)
            },
            residual_multiplier: multiplier("residual_multiplier"),
            logits_divisor: multiplier("logits_scaling"),
            has_query_key_value_bias: self.model_type == "qwen2",
            has_head_norms: self.model_type == "qwen3",
            sliding_window: self.sliding_window(),
        }
    }

    /// Width of a head.
    pub fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(match self.model_type.as_str() {
            "qwen3" => QWEN3_HEAD_DIM,
            _ => self.hidden_size / self.num_attention_heads.max(1),
        })
    }

    fn sliding_window(&self) -> Option<usize> {
        if self.model_type != "mistral" {
            return None;
        }
        match self.rest.get("sliding_window") {
            None => Some(MISTRAL_WINDOW),
            Some(value) => value.as_u64().and_then(|value| usize::try_from(value).ok()),
        }
    }
}

/// Refuses architectures, and settings of architectures, that this program would compute wrongly.
pub(super) fn check(config: &ModelConfig, path: &Path) -> Result<(), ConfigError> {
    let unsupported = |key, value: String, supported| ConfigError::Unsupported {
        path: path.to_owned(),
        key,
        value,
        supported,
    };
    if !SUPPORTED.split(", ").any(|name| name == config.model_type) {
        let name = config.model_type.clone();
        return Err(unsupported("model_type", name, SUPPORTED));
    }
    let is_true = |key: &str| config.rest.get(key).and_then(Value::as_bool) == Some(true);
    for key in ["attention_bias", "mlp_bias", "use_sliding_window"] {
        if is_true(key) {
            return Err(unsupported(key, "true".to_owned(), "false"));
        }
    }
    match config.rest.get("hidden_act") {
        None | Some(Value::Null) => {}
        Some(Value::String(name)) if name == "silu" => {}
        Some(other) => {
            let name = other.as_str().map_or(other.to_string(), str::to_owned);
            return Err(unsupported("hidden_act", name, "silu"));
        }
    }
    check_numbers(config, path)
}

/// Multipliers and windows that make no model.
fn check_numbers(config: &ModelConfig, path: &Path) -> Result<(), ConfigError> {
    let invalid = |key, value: &Value, expected: &str| ConfigError::Invalid {
        path: path.to_owned(),
        key,
        value: value.to_string(),
        expected: expected.to_owned(),
    };
    if config.model_type == "granite" {
        for key in [
            "embedding_multiplier",
            "attention_multiplier",
            "residual_multiplier",
            "logits_scaling",
        ] {
            let Some(value) = config.rest.get(key) else {
                continue;
            };
            if !value
                .as_f64()
                .is_some_and(|number| number.is_finite() && number > 0.0)
            {
                return Err(invalid(key, value, "a finite number above 0"));
            }
        }
    }
    if config.model_type == "mistral"
        && let Some(value) = config.rest.get("sliding_window")
        && !value.is_null()
        && value.as_u64().unwrap_or_default() == 0
    {
        return Err(invalid(
            "sliding_window",
            value,
            "a number above 0, or null",
        ));
    }
    Ok(())
}

/// Name and shape of every tensor of a checkpoint, in the order of the layers. A tied output projection is absent.
pub fn model_tensors(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let hidden = config.hidden_size;
    let mut tensors = vec![(
        "model.embed_tokens.weight".to_owned(),
        vec![config.vocab_size, hidden],
    )];
    for layer_idx in 0..config.num_hidden_layers {
        for (name, shape) in layer_tensors(config) {
            tensors.push((format!("model.layers.{layer_idx}.{name}"), shape));
        }
    }
    tensors.push(("model.norm.weight".to_owned(), vec![hidden]));
    if !config.tie_word_embeddings {
        tensors.push(("lm_head.weight".to_owned(), vec![config.vocab_size, hidden]));
    }
    tensors
}

/// Name and shape of the tensors of one layer, named within it.
pub fn layer_tensors(config: &ModelConfig) -> Vec<(&'static str, Vec<usize>)> {
    let (hidden, feed_forward) = (config.hidden_size, config.intermediate_size);
    let head = config.head_dim();
    let queries = config.num_attention_heads * head;
    let keys = config.n_kv_heads() * head;
    let architecture = config.architecture();
    let mut tensors = vec![
        ("input_layernorm.weight", vec![hidden]),
        ("self_attn.q_proj.weight", vec![queries, hidden]),
        ("self_attn.k_proj.weight", vec![keys, hidden]),
        ("self_attn.v_proj.weight", vec![keys, hidden]),
    ];
    if architecture.has_query_key_value_bias {
        tensors.extend([
            ("self_attn.q_proj.bias", vec![queries]),
            ("self_attn.k_proj.bias", vec![keys]),
            ("self_attn.v_proj.bias", vec![keys]),
        ]);
    }
    if architecture.has_head_norms {
        tensors.extend([
            ("self_attn.q_norm.weight", vec![head]),
            ("self_attn.k_norm.weight", vec![head]),
        ]);
    }
    tensors.extend([
        ("self_attn.o_proj.weight", vec![hidden, queries]),
        ("post_attention_layernorm.weight", vec![hidden]),
        ("mlp.gate_proj.weight", vec![feed_forward, hidden]),
        ("mlp.up_proj.weight", vec![feed_forward, hidden]),
        ("mlp.down_proj.weight", vec![hidden, feed_forward]),
    ]);
    tensors
}
