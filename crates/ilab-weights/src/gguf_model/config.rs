//! The metadata of a GGUF file as the config.json that it was made from.
//!
//! # Source
//! The keys: `gguf-py/gguf/constants.py` of llama.cpp; what they come from: `set_gguf_parameters` in its converter.

use std::path::Path;

use serde_json::{Map, Value as Json, json};

use super::head_dim;
use crate::config::{ConfigError, ModelConfig};
use crate::gguf::{Array, GgufFile, Value};

/// `llama3` scaling as published models have it; the file holds only the factors that follow from it.
const LLAMA3_FACTORS: [f64; 4] = [32.0, 8.0, 16.0, 4.0];
const LLAMA3_LOW: f64 = 1.0;
const LLAMA3_HIGH: f64 = 4.0;
const LLAMA3_CONTEXT: usize = 8192;

/// The configuration of the model in a GGUF file, checked as that of a folder is.
///
/// # Errors
/// An architecture that is not supported, a key that is missing, or sizes that make no model.
pub fn config(file: &GgufFile) -> Result<ModelConfig, ConfigError> {
    let keys = Keys {
        file,
        architecture: file.architecture().unwrap_or_default(),
    };
    let mut json = keys.sizes()?;
    json.extend(keys.multipliers()?);
    json.extend(keys.special_tokens());
    let mut config = ModelConfig::from_json(Json::Object(json), file.path())?;
    if let Some(scaling) = keys.rope_scaling()? {
        let Json::Object(mut json) = serde_json::to_value(&config).unwrap_or_default() else {
            return Ok(config);
        };
        json.insert("rope_scaling".to_owned(), scaling);
        config = ModelConfig::from_json(Json::Object(json), file.path())?;
        keys.check_factors(&config)?;
    }
    Ok(config)
}

struct Keys<'a> {
    file: &'a GgufFile,
    architecture: &'a str,
}

impl Keys<'_> {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn value(&self, key: &str) -> Option<&Value> {
        let key = format!("{}.{key}", self.architecture);
        self.file.metadata().value(&key)
    }

    fn size(&self, key: &str) -> Result<u64, ConfigError> {
        self.value(key)
            .and_then(Value::as_u64)
            .ok_or_else(|| self.missing(&format!("{}.{key}", self.architecture)))
    }

    fn missing(&self, key: &str) -> ConfigError {
        ConfigError::MissingKey {
            path: self.path().to_owned(),
            key: key.to_owned(),
        }
    }

    /// A number as it was written before it was rounded to single precision: 0.22, not 0.2199999988079071.
    fn number(&self, key: &str) -> Option<f64> {
        match self.value(key)? {
            Value::F32(value) => value.to_string().parse().ok(),
            value => value.as_f64(),
        }
    }

    fn sizes(&self) -> Result<Map<String, Json>, ConfigError> {
        let tensor = |name: &str| self.file.tensor(name);
        let embedding = tensor("token_embd.weight");
        let vocab_size = embedding.and_then(|tensor| tensor.dimensions.get(1).copied());
        let heads = self.size("attention.head_count")?;
        let head_dim = head_dim(self.file).ok_or_else(|| self.missing("attention.key_length"))?;
        // Rotating a part of a head is what none of the supported architectures does.
        let rotated = self.value("rope.dimension_count").and_then(Value::as_u64);
        if let Some(rotated) = rotated.filter(|rotated| *rotated != head_dim as u64) {
            return Err(ConfigError::Unsupported {
                path: self.path().to_owned(),
                key: "rope.dimension_count",
                value: rotated.to_string(),
                supported: "the width of a head",
            });
        }
        // llama.cpp has no windows in this architecture, so only this program writes the key: for a Mistral.
        let window = self.value("attention.sliding_window");
        let window = window.filter(|_| self.architecture == "llama");
        let model_type = if window.is_some() {
            "mistral"
        } else {
            self.architecture
        };
        let sizes = json!({
            "model_type": model_type,
            "sliding_window": window.and_then(Value::as_u64),
            "vocab_size": vocab_size.ok_or_else(|| self.missing("token_embd.weight"))?,
            "hidden_size": self.size("embedding_length")?,
            "intermediate_size": self.size("feed_forward_length")?,
            "num_hidden_layers": self.size("block_count")?,
            "num_attention_heads": heads,
            "num_key_value_heads": self.size("attention.head_count_kv").unwrap_or(heads),
            "head_dim": self.value("attention.key_length").map(|_| head_dim),
            "hidden_act": "silu",
            "max_position_embeddings": self.size("context_length")?,
            "rms_norm_eps": self
                .number("attention.layer_norm_rms_epsilon")
                .ok_or_else(|| self.missing("attention.layer_norm_rms_epsilon"))?,
            "rope_theta": self.number("rope.freq_base").unwrap_or(10_000.0),
            "tie_word_embeddings": tensor("output.weight").is_none(),
        });
        match sizes {
            Json::Object(sizes) => Ok(sizes),
            _ => Ok(Map::new()),
        }
    }

    /// Granite's four, under the names that config.json has for them.
    fn multipliers(&self) -> Result<Map<String, Json>, ConfigError> {
        let mut json = Map::new();
        if self.architecture != "granite" {
            return Ok(json);
        }
        // llama.cpp takes the usual scale where the file has none; config.json would then mean 1.
        let usual_scale = head_dim(self.file).map(|head_dim| (head_dim as f64).powf(-0.5));
        for (key, gguf, default) in [
            ("embedding_multiplier", "embedding_scale", Some(1.0)),
            ("attention_multiplier", "attention.scale", usual_scale),
            ("residual_multiplier", "residual_scale", Some(1.0)),
            ("logits_scaling", "logit_scale", None),
        ] {
            let value = self.number(gguf).or(default);
            let value = value.ok_or_else(|| self.missing(&format!("granite.{gguf}")))?;
            json.insert(key.to_owned(), json!(value));
        }
        Ok(json)
    }

    fn special_tokens(&self) -> Map<String, Json> {
        let mut json = Map::new();
        for (key, gguf) in [
            ("bos_token_id", "tokenizer.ggml.bos_token_id"),
            ("eos_token_id", "tokenizer.ggml.eos_token_id"),
            ("pad_token_id", "tokenizer.ggml.padding_token_id"),
        ] {
            if let Some(id) = self.file.metadata().unsigned(gguf) {
                json.insert(key.to_owned(), json!(id));
            }
        }
        json
    }

    fn rope_scaling(&self) -> Result<Option<Json>, ConfigError> {
        if let Some(name) = self.value("rope.scaling.type").and_then(Value::as_str)
            && name != "none"
        {
            let factor = self.number("rope.scaling.factor");
            return Ok(Some(json!({"rope_type": name, "factor": factor})));
        }
        let Some(factors) = self.factors()? else {
            return Ok(None);
        };
        let largest = factors.iter().copied().fold(1.0_f32, f32::max);
        // The longest wavelengths are divided by the factor itself; a head too narrow to have them leaves the usual ones.
        let named = LLAMA3_FACTORS
            .into_iter()
            .find(|factor| (*factor as f32 - largest).abs() <= 1e-3);
        Ok(Some(json!({
            "rope_type": "llama3",
            "factor": named.unwrap_or(f64::from(largest)),
            "low_freq_factor": LLAMA3_LOW,
            "high_freq_factor": LLAMA3_HIGH,
            "original_max_position_embeddings": LLAMA3_CONTEXT,
        })))
    }

    /// The factors of the rotary frequencies that the file holds.
    fn factors(&self) -> Result<Option<Vec<f32>>, ConfigError> {
        const NAME: &str = "rope_freqs.weight";
        if self.file.tensor(NAME).is_none() {
            return Ok(None);
        }
        let bytes = self.file.read_tensor(NAME)?;
        let (values, _) = bytes.as_chunks();
        Ok(Some(
            values
                .iter()
                .map(|value| f32::from_le_bytes(*value))
                .collect(),
        ))
    }

    /// Whether the scaling that was guessed gives the factors that the file holds.
    fn check_factors(&self, config: &ModelConfig) -> Result<(), ConfigError> {
        let (Some(stored), Some(ours)) = (self.factors()?, config.llama3_factors(self.path())?)
        else {
            return Ok(());
        };
        let is_close = |(stored, ours): (&f32, &f32)| (stored - ours).abs() <= 1e-4 * ours;
        if stored.len() == ours.len() && stored.iter().zip(&ours).all(is_close) {
            return Ok(());
        }
        Err(ConfigError::Unsupported {
            path: self.path().to_owned(),
            key: "rope_freqs.weight",
            value: format!("{:?}, …", &stored[..stored.len().min(4)]),
            supported: "the scaling of Llama 3.1 to 3.3",
        })
    }
}

/// The tokens of the vocabulary.
pub(super) fn tokens(file: &GgufFile) -> Option<&[String]> {
    let array = file.metadata().array("tokenizer.ggml.tokens")?;
    Array::as_strings(array)
}
