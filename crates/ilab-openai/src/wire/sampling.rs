//! The sampling fields, which chats and completions share.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::lenient;

/// Sampling as the API spells it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SamplingFields {
    /// How tokens are drawn; 0 takes the most likely one.
    #[serde(
        default,
        deserialize_with = "lenient::number",
        skip_serializing_if = "Option::is_none"
    )]
    pub temperature: Option<f32>,
    /// Nucleus sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Number of most likely tokens kept. Some clients send -1 for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<i64>,
    /// Least probability kept, relative to the most likely token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// Makes the draw repeatable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Texts that end the answer.
    #[serde(
        default,
        deserialize_with = "lenient::one_or_many",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub stop: Vec<String>,
    /// At most this many tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<i64>,
    /// How many answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<i64>,
    /// Send the answer as it is generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// What a stream carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// The form of the answer by its name, as vLLM takes it from version 0.12 on.
    #[serde(default, skip_serializing)]
    pub structured_outputs: Option<Map<String, Value>>,
    /// The form of the answer, as vLLM took it before.
    #[serde(default, skip_serializing)]
    pub guided_choice: Option<Value>,
    /// The same, a regular expression.
    #[serde(default, skip_serializing)]
    pub guided_regex: Option<Value>,
    /// The same, a JSON schema.
    #[serde(default, skip_serializing)]
    pub guided_json: Option<Value>,
    /// The same, a grammar.
    #[serde(default, skip_serializing)]
    pub guided_grammar: Option<Value>,
    /// Anything else for a server, in a request.
    #[serde(flatten, skip_deserializing)]
    pub extra: Map<String, Value>,
    /// Not supported; here so that a server can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// Not supported; here so that a server can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// Not supported; here so that a server can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logit_bias: Option<Value>,
}

/// What a stream carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamOptions {
    /// One more chunk with the tokens spent.
    #[serde(default)]
    pub include_usage: bool,
}
