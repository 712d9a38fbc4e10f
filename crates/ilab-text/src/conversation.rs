//! A conversation to learn from, with what its template reads besides the messages.

use serde_json::{Map, Value};

use crate::message::Message;

/// The turns of a sample and how to learn them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The turns.
    pub messages: Vec<Message>,
    /// Learn every turn but the system's, not only the assistant's.
    pub unmask: bool,
    /// Variables of the template, such as `tools` and `documents`.
    pub variables: Map<String, Value>,
}

impl Conversation {
    /// A conversation of which the answers are learned.
    pub fn new(messages: Vec<Message>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }

    /// Whether the texts of a role are learned.
    pub fn is_learned(&self, role: &str) -> bool {
        role == "assistant" || (self.unmask && role != "system")
    }
}
