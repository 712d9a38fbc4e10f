//! What an answer must look like, for engines that can see to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The form of an answer. An endpoint that does not know of it answers freely, so whoever reads the answer must bear with
/// any text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// One of these texts.
    Choice(Vec<String>),
    /// What a regular expression matches as a whole.
    Regex(String),
    /// JSON of this schema.
    Json(Value),
    /// What a grammar of the engine's own kind derives.
    Grammar(String),
}

impl Constraint {
    /// As vLLM names it from version 0.12 on, below `structured_outputs`, and before that behind `guided_`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Choice(_) => "choice",
            Self::Regex(_) => "regex",
            Self::Json(_) => "json",
            Self::Grammar(_) => "grammar",
        }
    }

    /// What stands behind the name.
    pub fn value(&self) -> Value {
        match self {
            Self::Choice(texts) => texts.as_slice().into(),
            Self::Regex(text) | Self::Grammar(text) => text.as_str().into(),
            Self::Json(schema) => schema.clone(),
        }
    }

    /// The constraint of that name; `None` for another name, or a value that is none for it.
    pub fn named(name: &str, value: &Value) -> Option<Self> {
        let text = || value.as_str().map(str::to_owned);
        match name {
            "choice" => {
                let texts = value.as_array()?.iter();
                let texts: Option<Vec<String>> =
                    texts.map(|text| Some(text.as_str()?.to_owned())).collect();
                texts.filter(|texts| !texts.is_empty()).map(Self::Choice)
            }
            "regex" => text().map(Self::Regex),
            "grammar" => text().map(Self::Grammar),
            "json" => Some(Self::Json(value.clone())),
            _ => None,
        }
    }
}
