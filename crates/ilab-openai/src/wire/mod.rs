//! The JSON of the OpenAI API, as far as this project speaks it.
//!
//! Reading is lenient: unknown fields are skipped and what many servers leave out is optional. Source of the shapes:
//! <https://platform.openai.com/docs/api-reference>, with the sampling fields `top_k` and `min_p` as vLLM and llama.cpp
//! spell them.

pub mod chat;
pub mod completion;
pub mod error;
pub mod models;
pub mod sampling;

mod lenient;

use serde::{Deserialize, Serialize};

use crate::completer::FinishReason;

/// Tokens spent, as the API counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    #[serde(default)]
    pub prompt_tokens: u32,
    /// Tokens of all answers.
    #[serde(default)]
    pub completion_tokens: u32,
    /// Their sum.
    #[serde(default)]
    pub total_tokens: u32,
}

impl From<crate::completer::Usage> for Usage {
    fn from(usage: crate::completer::Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens),
        }
    }
}

impl From<Usage> for crate::completer::Usage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
        }
    }
}

/// The finish reason as the API spells it.
pub fn finish_reason_name(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
    }
}

/// Reads a finish reason; servers have many names for an answer that ended by itself.
pub fn parse_finish_reason(name: &str) -> FinishReason {
    match name {
        "length" | "max_tokens" => FinishReason::Length,
        _ => FinishReason::Stop,
    }
}
