//! `POST /completions`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::wire::Usage;
use crate::wire::lenient;
use crate::wire::sampling::SamplingFields;

/// The request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionRequest {
    /// The model; servers of one model take the request without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The texts to continue.
    #[serde(
        default,
        deserialize_with = "lenient::one_or_many",
        serialize_with = "one_prompt_alone"
    )]
    pub prompt: Vec<String>,
    /// How tokens are drawn and how the answer is sent.
    #[serde(flatten)]
    pub sampling: SamplingFields,
    /// Report the log-probability of each token and this many alternatives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<i64>,
    /// Not supported; here so that a server can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// Not supported; here so that a server can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suffix: Option<String>,
    /// Not supported above `n`; here so that a server can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_of: Option<i64>,
}

/// Some servers take one text only, not a list of one.
fn one_prompt_alone<S: serde::Serializer>(
    prompt: &[String],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match prompt {
        [prompt] => serializer.serialize_str(prompt),
        prompts => prompts.serialize(serializer),
    }
}

/// The whole answer, or a piece of it in a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionResponse {
    /// Identity of the answer.
    #[serde(default)]
    pub id: String,
    /// `text_completion`.
    #[serde(default)]
    pub object: String,
    /// Seconds since 1970.
    #[serde(default)]
    pub created: u64,
    /// The model that answered.
    #[serde(default)]
    pub model: String,
    /// The answers, or more of each.
    pub choices: Vec<CompletionChoice>,
    /// Tokens spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// One answer, or more of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompletionChoice {
    /// Its place among the answers.
    #[serde(default)]
    pub index: usize,
    /// The text.
    #[serde(default)]
    pub text: String,
    /// Log-probabilities when asked for.
    #[serde(default)]
    pub logprobs: Option<CompletionLogprobs>,
    /// Why it ended; null before.
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// Log-probabilities of a completion: parallel lists, one entry a token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionLogprobs {
    /// The tokens' texts.
    #[serde(default)]
    pub tokens: Vec<String>,
    /// Their log-probabilities; null for a first token that nothing precedes.
    #[serde(default)]
    pub token_logprobs: Vec<Option<f32>>,
    /// The most likely tokens at each position: text to log-probability.
    #[serde(default)]
    pub top_logprobs: Option<Vec<Option<Map<String, Value>>>>,
    /// Where each token begins, in characters from the start of the text.
    #[serde(default)]
    pub text_offset: Vec<usize>,
}
