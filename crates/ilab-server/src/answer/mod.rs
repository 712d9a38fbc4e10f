//! Answers as the API spells them, whole or in pieces.

mod chat;
mod completion;
mod stream;

pub(crate) use chat::ChatShape;
pub(crate) use completion::CompletionShape;
pub(crate) use stream::event_stream;

use std::sync::atomic::{AtomicU64, Ordering};

use ilab_openai::completer::{Completion, FinishReason, TokenLogprob, Usage};
use serde::Serialize;

/// What every piece of one answer repeats.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    /// Identity of the answer.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// The model's name as the client called it.
    pub(crate) model: String,
}

impl Heading {
    /// A heading with an id of its own.
    pub(crate) fn new(prefix: &str, model: String) -> Self {
        static N_ANSWERS: AtomicU64 = AtomicU64::new(0);
        let created = crate::model::unix_seconds();
        let number = N_ANSWERS.fetch_add(1, Ordering::Relaxed);
        Self {
            id: format!("{prefix}-{created:x}-{number:x}"),
            created,
            model,
        }
    }
}

/// One of the two shapes of an answer.
pub(crate) trait Shape: Send + 'static {
    /// The whole answer.
    type Whole: Serialize;
    /// A piece of it.
    type Piece: Serialize;

    /// The whole answer.
    fn whole(&self, completion: Completion) -> Self::Whole;

    /// The piece that opens a choice, where the shape has one.
    fn opening(&self, choice_idx: usize) -> Option<Self::Piece>;

    /// More text of a choice.
    fn text(&mut self, choice_idx: usize, text: String, logprobs: Vec<TokenLogprob>)
    -> Self::Piece;

    /// The end of a choice.
    fn end(&self, choice_idx: usize, finish_reason: FinishReason) -> Self::Piece;

    /// The tokens spent.
    fn usage(&self, usage: Usage) -> Self::Piece;
}
