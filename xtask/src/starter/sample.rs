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

    /// The system text before all turns.
    pub fn with_system(mut self, system: &str) -> Self {
        self.messages.insert(
            0,
            Message {
                role: "system".to_owned(),
                content: system.to_owned(),
            },
        );
        self
    }

    /// How many words it has, by spaces.
    pub fn n_words(&self) -> usize {
        self.messages
            .iter()
            .map(|m| m.content.split_whitespace().count())
            .sum()
    }
}
