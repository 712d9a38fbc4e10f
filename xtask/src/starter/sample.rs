//! What one line of the corpus holds.

use serde::{Deserialize, Serialize};

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: String,
    pub content: String,
}

/// A chat to learn from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub messages: Vec<Message>,
    /// Learn the user's text as well, not only the answers.
    pub unmask: bool,
}

impl Sample {
    /// Adds a user's turn and the answer to it.
    pub fn exchange(&mut self, user: impl Into<String>, assistant: impl Into<String>) {
        for (role, content) in [("user", user.into()), ("assistant", assistant.into())] {
            self.messages.push(Message {
                role: role.to_owned(),
                content,
            });
        }
    }

    /// The size of all texts.
    pub fn n_bytes(&self) -> usize {
        self.messages.iter().map(|m| m.content.len()).sum()
    }
}
