//! `adapter_config.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::AdapterError;

/// Which layers are adapted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetModules {
    /// Ends of the layers' names: `q_proj`.
    Names(Vec<String>),
    /// A regular expression, or `all-linear`.
    Pattern(String),
}

/// The description of an adapter. Fields carry PEFT's names; unknown ones are kept in `rest`.
///
/// # Source
/// `LoraConfig`: <https://huggingface.co/docs/peft/v0.17.0/en/package_reference/lora#peft.LoraConfig>.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdapterConfig {
    /// `LORA`.
    #[serde(default = "default_peft_type")]
    pub peft_type: String,
    /// What the adapted model does: `CAUSAL_LM`.
    #[serde(default)]
    pub task_type: Option<String>,
    /// Where the frozen model came from.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    /// The rank.
    #[serde(default = "default_rank")]
    pub r: usize,
    /// Over the rank: the scale.
    #[serde(default = "default_alpha")]
    pub lora_alpha: f64,
    /// Share of the inputs that was zeroed while training.
    #[serde(default)]
    pub lora_dropout: f64,
    /// Which layers are adapted. The tensors themselves decide when an adapter is read.
    #[serde(default)]
    pub target_modules: Option<TargetModules>,
    /// `none`: biases are not trained.
    #[serde(default = "default_bias")]
    pub bias: String,
    /// Whether the scale is `lora_alpha / √r`.
    #[serde(default)]
    pub use_rslora: bool,
    /// Whether the adapter is only meant to be run.
    #[serde(default)]
    pub inference_mode: bool,
    /// Everything else.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

fn default_peft_type() -> String {
    "LORA".to_owned()
}

fn default_rank() -> usize {
    8
}

fn default_alpha() -> f64 {
    8.0
}

fn default_bias() -> String {
    "none".to_owned()
}

/// What would change the result and is not computed here, where it is anything but absent, false or empty.
const UNSUPPORTED: [&str; 15] = [
    "alora_invocation_tokens",
    "alpha_pattern",
    "arrow_config",
    "fan_in_fan_out",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "modules_to_save",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
];

/// Ways to begin that take something out of the frozen weights, so that the model's own files are not what was trained on.
const CHANGES_BASE: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

impl AdapterConfig {
    /// A LoRA of a causal language model; everything else as PEFT's defaults.
    pub fn new(rank: usize, alpha: f64, target_modules: Vec<String>) -> Self {
        Self {
            peft_type: default_peft_type(),
            task_type: Some("CAUSAL_LM".to_owned()),
            base_model_name_or_path: None,
            r: rank,
            lora_alpha: alpha,
            lora_dropout: 0.0,
            target_modules: Some(TargetModules::Names(target_modules)),
            bias: default_bias(),
            use_rslora: false,
            inference_mode: true,
            rest: serde_json::Map::new(),
        }
    }

    /// What B·A is multiplied with, for a module of this rank.
    pub fn scale(&self, rank: usize) -> f32 {
        let rank = rank as f64;
        let divisor = if self.use_rslora { rank.sqrt() } else { rank };
        (self.lora_alpha / divisor) as f32
    }

    /// Refuses what is not plain LoRA.
    pub(super) fn check(&self, path: &Path) -> Result<(), AdapterError> {
        let unsupported = |key: &str, value: String| {
            Err(AdapterError::Unsupported {
                path: path.to_owned(),
                key: key.to_owned(),
                value,
            })
        };
        if self.peft_type != "LORA" {
            return unsupported("peft_type", self.peft_type.clone());
        }
        if self.bias != "none" {
            return unsupported("bias", self.bias.clone());
        }
        for key in UNSUPPORTED {
            if let Some(value) = self.rest.get(key).filter(|value| !is_nothing(value)) {
                return unsupported(key, value.to_string());
            }
        }
        let beginning = self.rest.get("init_lora_weights").and_then(Value::as_str);
        if let Some(name) =
            beginning.filter(|name| CHANGES_BASE.iter().any(|base| name.starts_with(base)))
        {
            return unsupported("init_lora_weights", name.to_owned());
        }
        if self.r == 0 || self.r > 65_536 {
            return unsupported("r", self.r.to_string());
        }
        if !(self.lora_alpha.is_finite() && self.lora_alpha > 0.0) {
            return unsupported("lora_alpha", self.lora_alpha.to_string());
        }
        Ok(())
    }

    /// Whether modules may have ranks of their own.
    pub(super) fn has_rank_pattern(&self) -> bool {
        let pattern = self.rest.get("rank_pattern");
        pattern.is_some_and(|pattern| !is_nothing(pattern))
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(values) => values.is_empty(),
        _ => false,
    }
}
