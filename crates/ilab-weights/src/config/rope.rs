//! How positions are turned into rotations: the two spellings of `config.json`.
//!
//! # Source
//! Up to transformers 4 the base stands in `rope_theta` and the stretching in `rope_scaling`; transformers 5 has both in
//! `rope_parameters` and reads the old keys where that has no value.
//! <https://github.com/huggingface/transformers/blob/v5.0.0/src/transformers/modeling_rope_utils.py>

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ConfigError, ModelConfig};

/// `rope_scaling` or `rope_parameters`: how the rotary frequencies are stretched for long contexts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RopeScaling {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_type: Option<String>,
    /// The older name of `rope_type`; some files have both.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    older_type: Option<String>,
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
    /// `rope_parameters`: base of the rotary frequencies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rope_theta: Option<f64>,
    /// Everything else.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl RopeScaling {
    /// `default`, `linear`, `llama3`, …
    pub fn rope_type(&self) -> &str {
        self.rope_type
            .as_deref()
            .or(self.older_type.as_deref())
            .unwrap_or("default")
    }

    /// Whether there is something that a missing type leaves without a meaning.
    fn lacks_type(&self) -> bool {
        let is_named = self.rope_type.is_some() || self.older_type.is_some();
        !is_named && (self.factor.is_some() || !self.rest.is_empty())
    }
}

/// Takes the base and the stretching from `rope_parameters`, where the file has it. The key stays as it was read.
pub(super) fn read_parameters(config: &mut ModelConfig) -> Result<(), serde_json::Error> {
    let parameters = config.rest.get("rope_parameters");
    let Some(parameters) = parameters.filter(|value| !value.is_null()) else {
        return Ok(());
    };
    let parameters = RopeScaling::deserialize(parameters)?;
    config.rope_theta = parameters.rope_theta.unwrap_or(config.rope_theta);
    config.rope_scaling = Some(parameters);
    Ok(())
}

/// Takes out what only repeats `rope_parameters`, so that a file is written in the spelling in which it was read.
pub(super) fn remove_repeated(config: &mut Map<String, Value>) {
    let parameters = config.get("rope_parameters").and_then(Value::as_object);
    let Some(has_theta) = parameters.map(|parameters| parameters.contains_key("rope_theta")) else {
        return;
    };
    config.remove("rope_scaling");
    if has_theta {
        config.remove("rope_theta");
    }
}

/// Refuses what this program would compute otherwise than the model was made for.
pub(super) fn check(config: &ModelConfig, path: &Path) -> Result<(), ConfigError> {
    let unsupported = |value: &str, supported| ConfigError::Unsupported {
        path: path.to_owned(),
        key: "rope_type",
        value: value.to_owned(),
        supported,
    };
    let invalid = |key, value, expected| ConfigError::Invalid {
        path: path.to_owned(),
        key,
        value,
        expected,
    };
    if let Some(scaling) = &config.rope_scaling {
        if let (Some(name), Some(older)) = (&scaling.rope_type, &scaling.older_type)
            && name != older
        {
            let expected = format!("what `type` is: {older}");
            return Err(invalid("rope_type", name.clone(), expected));
        }
        if scaling.lacks_type() {
            return Err(unsupported("null", "default, llama3"));
        }
    }
    if !["default", "llama3"].contains(&config.rope_type()) {
        return Err(unsupported(config.rope_type(), "default, llama3"));
    }
    if !(config.rope_theta.is_finite() && config.rope_theta > 0.0) {
        return Err(invalid(
            "rope_theta",
            config.rope_theta.to_string(),
            "a finite number above 0".to_owned(),
        ));
    }
    Ok(())
}
