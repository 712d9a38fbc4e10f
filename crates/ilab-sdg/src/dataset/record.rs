//! The records of the files.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::pipeline::fingerprint;

/// One turn of a conversation. `content` comes first, as in the original's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    pub(super) content: String,
    pub(super) role: Cow<'static, str>,
}

impl Message {
    pub(super) fn new(role: &str, content: &str) -> Self {
        Self {
            content: content.to_owned(),
            role: Cow::Owned(role.to_owned()),
        }
    }

    pub(super) fn is_system(&self) -> bool {
        self.role == "system"
    }

    pub(super) fn user(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            role: Cow::Borrowed("user"),
        }
    }

    pub(super) fn assistant(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            role: Cow::Borrowed("assistant"),
        }
    }

    pub(super) fn system(content: impl Into<String>) -> Self {
        Self {
            content: content.into(),
            role: Cow::Borrowed("system"),
        }
    }
}

/// A training sample: exactly the four fields of mixed files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Sample {
    pub(super) messages: Vec<Message>,
    /// A JSON object as text.
    pub(super) metadata: String,
    pub(super) id: String,
    /// Loss on every turn but the system's, instead of on the assistant's alone.
    pub(super) unmask: bool,
}

impl Sample {
    /// A sample whose id follows from what it says; `purpose` tells equal samples of two files apart.
    pub(super) fn new(
        purpose: &str,
        messages: Vec<Message>,
        metadata: String,
        unmask: bool,
    ) -> Self {
        let parts = messages
            .iter()
            .flat_map(|message| [message.role.as_bytes(), message.content.as_bytes()]);
        let id = id([purpose.as_bytes(), metadata.as_bytes()]
            .into_iter()
            .chain(parts));
        Self {
            messages,
            metadata,
            id,
            unmask,
        }
    }

    /// The sample once more, under another id.
    pub(super) fn copy(&self, number: usize) -> Self {
        Self {
            id: id([self.id.as_bytes(), &number.to_le_bytes()[..]]),
            ..self.clone()
        }
    }

    /// Puts the system prompt first, in the place of another one; an empty prompt is no turn at all.
    pub(super) fn with_system(mut self, system_prompt: &str) -> Self {
        self.messages.retain(|message| !message.is_system());
        if !system_prompt.is_empty() {
            self.messages.insert(0, Message::system(system_prompt));
        }
        self
    }
}

/// A UUID (version 8, RFC 9562: content of our own making) over `parts`.
pub(super) fn id<'part>(parts: impl IntoIterator<Item = &'part [u8]>) -> String {
    let hash = fingerprint(parts);
    let mut bytes: [u8; 16] = std::array::from_fn(|index| hash[index]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

/// A record of `test_*` and `train_*`; the system prompt is left out when empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Turn {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) system: String,
    pub(super) user: String,
    pub(super) assistant: String,
}

/// A record of `messages_*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Conversation {
    pub(super) messages: [Message; 2],
    /// A JSON object as text.
    pub(super) metadata: String,
}

/// A JSON object of texts.
pub(super) fn object<'text>(
    entries: impl IntoIterator<Item = (&'text str, &'text str)>,
) -> Map<String, Value> {
    entries
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_the_content() {
        let sample = |text: &str| Sample::new("p", vec![Message::user(text)], String::new(), false);
        assert_eq!(sample("a").id, sample("a").id);
        assert_ne!(sample("a").id, sample("b").id);
        assert_ne!(sample("a").copy(1).id, sample("a").id);
        let id = sample("a").id;
        assert_eq!((id.len(), &id[14..15]), (36, "8"));
    }

    #[test]
    fn the_system_prompt_is_replaced_or_left_out() {
        let sample = Sample::new("p", vec![Message::user("u")], String::new(), false);
        let roles = |sample: &Sample| {
            sample
                .messages
                .iter()
                .map(|message| message.role.clone())
                .collect::<Vec<_>>()
        };
        let with = sample.with_system("one").with_system("two");
        assert_eq!(roles(&with), ["system", "user"]);
        assert_eq!(with.messages[0].content, "two");
        assert_eq!(roles(&with.with_system("")), ["user"]);
    }
}
