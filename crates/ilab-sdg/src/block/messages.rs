//! The block that lets the teacher continue a chat.

use ilab_openai::completer::{ChatMessage, Completion, Prompt, Request, Sampling};
use serde_json::Value;

use crate::row::Row;

/// Sends the chat of a column and keeps the whole answer.
#[derive(Debug)]
pub(crate) struct AskMessages {
    /// A list of messages, each with `role` and `content`.
    pub(crate) input_column: String,
    /// Gets the answer; a list where several are asked for.
    pub(crate) output_column: String,
    /// With `n`, and with the block's own seed if it has one.
    pub(crate) sampling: Sampling,
}

impl AskMessages {
    /// The request for a row; `None` where the column holds no chat.
    pub(crate) fn request(&self, row: &Row, seed: u64) -> Option<Request> {
        let messages = row.get(&self.input_column)?.clone();
        let messages: Vec<ChatMessage> = serde_json::from_value(messages).ok()?;
        if messages.is_empty() {
            return None;
        }
        Some(Request {
            prompt: Prompt::Chat(messages),
            sampling: Sampling {
                seed: Some(seed),
                ..self.sampling.clone()
            },
        })
    }

    /// The row with its answers.
    pub(crate) fn answered(&self, row: &Row, completion: &Completion) -> Row {
        let mut texts = completion
            .choices
            .iter()
            .map(|choice| Value::String(choice.text.clone()));
        let answer = if self.sampling.n > 1 {
            texts.collect()
        } else {
            texts.next().unwrap_or_default()
        };
        let mut row = row.clone();
        row.insert(self.output_column.clone(), answer);
        row
    }
}
