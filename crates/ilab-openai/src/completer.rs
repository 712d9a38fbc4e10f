//! What a language model can be asked, wherever it runs.
//!
//! [`Completer`] and [`Scorer`] are implemented by the engine in this process and by the HTTP client, and faked in tests;
//! generation and evaluation see only these traits.

use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::constraint::Constraint;

/// How many models a hint names.
const N_LISTED: usize = 10;

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

impl ChatMessage {
    /// A message of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
        }
    }

    /// A message of the user.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new("user", content)
    }
}

/// How tokens are drawn. `None` leaves the choice to the engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 takes the most likely token; 1 draws from the model's own distribution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Nucleus sampling: keep the most likely tokens whose probabilities add up to this, in (0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Keep this many of the most likely tokens; 0 keeps all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Keep tokens at least this fraction as likely as the most likely one, in [0, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// Makes the draw repeatable. Choice `i` of a request with `n > 1` draws from the stream `seed + i`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Texts that end the answer; they are not part of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// At most this many tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// How many answers; 0 counts as 1.
    #[serde(default)]
    pub n: u32,
    /// Report the log-probability of each token and this many alternatives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// The form of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraint: Option<Constraint>,
    /// Fields for an endpoint that this program knows nothing of.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl Sampling {
    /// How many answers are asked for, at least one.
    pub fn n_choices(&self) -> u32 {
        self.n.max(1)
    }
}

/// What the model is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// A conversation, rendered by the model's own chat template.
    Chat(Vec<ChatMessage>),
    /// Text that the model continues as it stands.
    Text(String),
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What the model is asked.
    pub prompt: Prompt,
    /// How tokens are drawn.
    pub sampling: Sampling,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model ended it, or a stop text was met.
    Stop,
    /// `max_tokens` or the end of the context was met: the answer is cut off.
    Length,
}

/// The log-probability of a token, natural logarithm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// Its log-probability under the model, before temperature.
    pub logprob: f32,
    /// The most likely tokens at this position with theirs.
    pub top: Vec<(String, f32)>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// The text without stop texts or end markers.
    pub text: String,
    /// Why it ended.
    pub finish_reason: FinishReason,
    /// One entry a token when log-probabilities were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<TokenLogprob>,
}

/// Tokens spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens of all answers.
    pub completion_tokens: u32,
}

/// The answers to one request, in the order of their index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// [`Sampling::n_choices`] answers.
    pub choices: Vec<Choice>,
    /// Tokens spent.
    pub usage: Usage,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum CompletionError {
    /// The engine in this process refuses the request: sending it again changes nothing.
    #[error("the request was refused: {message}")]
    Rejected {
        /// The HTTP status that says the same.
        status: u16,
        /// What the engine said.
        message: String,
    },
    /// An endpoint refuses the request: sending it again changes nothing.
    #[error("`{url}` refused the request (HTTP {status}): {message}")]
    Refused {
        /// The endpoint.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the endpoint said.
        message: String,
    },
    /// An endpoint has no such model, or nothing at all at that address.
    #[error("`{url}` refused the request (HTTP {status}): {message}")]
    NotFound {
        /// The endpoint.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the endpoint said.
        message: String,
        /// The models that it has; empty where it does not list them.
        served: Vec<String>,
    },
    /// The prompt and the answer do not fit into the context.
    #[error("the prompt has {n_prompt_tokens} tokens and the context holds {n_context_tokens}")]
    ContextOverflow {
        /// Tokens of the prompt.
        n_prompt_tokens: usize,
        /// Tokens that the context of one sequence holds.
        n_context_tokens: usize,
    },
    /// The key is missing, wrong or not allowed to do this (401, 403).
    #[error("`{url}` refused the API key (HTTP {status}): {message}")]
    Unauthorized {
        /// The endpoint.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the endpoint said.
        message: String,
    },
    /// The endpoint failed at this request time and again, and yet it answers others.
    #[error("only this request fails: {message}")]
    Unanswered {
        /// The endpoint.
        url: String,
        /// What the last attempt met.
        message: String,
    },
    /// Too many requests or no quota left (429), after all retries.
    #[error("`{url}` has had too many requests (HTTP 429): {message}")]
    RateLimited {
        /// The endpoint.
        url: String,
        /// How long the endpoint asks to wait.
        retry_after: Option<Duration>,
        /// What the endpoint said.
        message: String,
    },
    /// The endpoint failed (5xx) or could not be reached, after all retries.
    #[error("`{url}` did not answer after {n_attempts} attempts: {message}")]
    Unavailable {
        /// The endpoint.
        url: String,
        /// HTTP status of the last attempt; none where there was no connection.
        status: Option<u16>,
        /// How often it was tried.
        n_attempts: u32,
        /// The last failure.
        message: String,
    },
    /// The answer is not what the protocol says.
    #[error("`{url}` sent an answer that is not of the OpenAI protocol: {message}")]
    InvalidResponse {
        /// The endpoint.
        url: String,
        /// What is wrong, with the first bytes of the answer.
        message: String,
    },
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The engine in this process failed.
    #[error("the inference engine failed: {message}")]
    Engine {
        /// What it said.
        message: String,
    },
}

impl CompletionError {
    /// Whether every other request to the same endpoint will fail in the same way.
    pub fn is_fatal(&self) -> bool {
        !matches!(
            self,
            Self::Rejected { .. }
                | Self::Refused { .. }
                | Self::ContextOverflow { .. }
                | Self::Unanswered { .. }
        )
    }
}

impl ilab_base::hint::Hint for CompletionError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Rejected { .. } | Self::Cancelled | Self::Unanswered { .. } => {
                return Vec::new();
            }
            Self::NotFound { served, .. } if !served.is_empty() => {
                return vec![format!(
                    "name one of its models with `--model`: {}",
                    listed(served)
                )];
            }
            Self::NotFound { url, .. } | Self::Refused { url, .. } if !url.ends_with("/v1") => {
                return vec![format!("the URL usually ends in `/v1`: try `{url}/v1`")];
            }
            Self::Refused { .. } => return Vec::new(),
            Self::NotFound { .. } => {
                "check the URL and the name of the model: the endpoint lists no models"
            }
            Self::ContextOverflow { .. } => {
                "use a model with a longer context or shorter documents"
            }
            Self::Unauthorized { .. } => "pass the right key with `--api-key`",
            Self::RateLimited { .. } => {
                "wait, then run the same command again: finished requests are kept"
            }
            Self::Unavailable { .. } => {
                "check that the server runs and that the URL ends in `/v1`, then run the same command again"
            }
            Self::InvalidResponse { .. } => {
                "check that the URL is that of an OpenAI-compatible API and ends in `/v1`"
            }
            Self::Engine { .. } => "check the model file with `ilab model serve --model-path FILE`",
        };
        vec![hint.to_owned()]
    }
}

/// Names in backticks; of many the first.
fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names
        .iter()
        .take(N_LISTED)
        .map(|name| format!("`{name}`"))
        .collect();
    match names.len().saturating_sub(N_LISTED) {
        0 => shown.join(", "),
        n_more => format!("{} and {n_more} more", shown.join(", ")),
    }
}

/// A model that answers.
pub trait Completer: Send + Sync {
    /// The name under which the model is served: part of the identity of a generated sample.
    fn model_id(&self) -> &str;

    /// Answers one request. Dropping the future cancels it.
    fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>>;
}

/// A text and a continuation whose probability is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreRequest {
    /// What comes before; may be empty.
    pub context: String,
    /// What is scored.
    pub continuation: String,
}

/// The log-likelihood of a continuation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Sum of the log-probabilities of the continuation's tokens, natural logarithm.
    pub log_likelihood: f64,
    /// How many tokens the continuation has.
    pub n_tokens: u32,
    /// Whether each of them was the most likely one.
    pub is_greedy: bool,
}

/// A model that scores.
pub trait Scorer: Send + Sync {
    /// The log-likelihood of one continuation.
    fn log_likelihood(
        &self,
        request: ScoreRequest,
    ) -> BoxFuture<'_, Result<Score, CompletionError>>;
}

/// A piece of an answer on its way.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// More text of one choice; never cuts a UTF-8 character and never holds part of a stop text.
    Text {
        /// Index of the choice, below [`Sampling::n_choices`].
        choice_idx: usize,
        /// The text.
        text: String,
        /// The tokens that the text is made of, when log-probabilities were asked for.
        logprobs: Vec<TokenLogprob>,
    },
    /// One choice is complete.
    Finished {
        /// Index of the choice.
        choice_idx: usize,
        /// Why it ended.
        finish_reason: FinishReason,
    },
    /// All choices are complete.
    Done(Usage),
}

/// A model that answers piece by piece.
pub trait Streamer: Completer {
    /// Answers one request as it is generated. Dropping the stream cancels it.
    fn stream(
        &self,
        request: Request,
    ) -> futures::stream::BoxStream<'static, Result<StreamEvent, CompletionError>>;
}
