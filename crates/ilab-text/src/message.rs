//! One turn of a conversation.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Keys that hold what was thought before an answer.
pub(crate) const REASONING_KEYS: [&str; 2] = ["reasoning_content", "thinking"];

/// A turn: who speaks and what is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Message {
    /// `system`, `user`, `assistant`, or a role that the template knows.
    pub role: String,
    /// The text; empty for a turn of tool calls only.
    pub content: String,
    /// What else the template may read: `reasoning_content`, `thinking`, `tool_calls`, `name`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An object is not a turn of a conversation.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// A key is absent.
    #[error("a message has no `{key}`")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value is of the wrong kind.
    #[error("the `{key}` of a message is {found}, and text is needed")]
    NotText {
        /// The key.
        key: &'static str,
        /// What it is instead.
        found: &'static str,
    },
    /// The content is a list with something other than text, such as a picture.
    #[error("the `content` of a message has a part of type `{kind}`; only `text` is learned")]
    Part {
        /// The type of the part.
        kind: String,
    },
}

impl Message {
    /// A turn of any role.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            content: content.into(),
            extra: Map::new(),
        }
    }

    /// What the turn says and thinks: its content and its thoughts.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let thoughts = REASONING_KEYS.iter().filter_map(|key| self.extra.get(*key));
        std::iter::once(self.content.as_str()).chain(thoughts.filter_map(Value::as_str))
    }
}

impl TryFrom<Map<String, Value>> for Message {
    type Error = MessageError;

    fn try_from(mut object: Map<String, Value>) -> Result<Self, MessageError> {
        let role = match object.shift_remove("role") {
            Some(Value::String(role)) => role,
            Some(other) => return Err(not_text("role", &other)),
            None => return Err(MessageError::Missing { key: "role" }),
        };
        let content = object.shift_remove("content").unwrap_or(Value::Null);
        let says_otherwise = ["tool_calls", "reasoning_content", "thinking"]
            .iter()
            .any(|key| object.get(*key).is_some_and(|value| !value.is_null()));
        let content = match content {
            Value::String(text) => text,
            Value::Array(parts) => joined(&parts)?,
            Value::Null if says_otherwise => String::new(),
            Value::Null => return Err(MessageError::Missing { key: "content" }),
            other => return Err(not_text("content", &other)),
        };
        Ok(Self {
            role,
            content,
            extra: object,
        })
    }
}

/// The texts of a content that is written as a list of parts.
fn joined(parts: &[Value]) -> Result<String, MessageError> {
    let text = |part: &Value| match (part["type"].as_str(), part["text"].as_str()) {
        (Some("text"), Some(text)) => Ok(text.to_owned()),
        (kind, _) => Err(MessageError::Part {
            kind: kind.unwrap_or_default().to_owned(),
        }),
    };
    parts.iter().map(text).collect()
}

fn not_text(key: &'static str, value: &Value) -> MessageError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    MessageError::NotText { key, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let read = serde_json::from_str::<Message>(json);
        let shown = match read {
            Ok(message) => serde_json::to_string(&message).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{json}");
    }

    #[test]
    fn other_keys_are_kept_and_contents_become_text() {
        let plain = r#"{"role":"user","content":"a"}"#;
        check(plain, plain);
        let reasoning = r#"{"role":"assistant","content":"a","reasoning_content":"b"}"#;
        check(reasoning, reasoning);
        check(
            r#"{"tool_calls":[{"name":"f"}],"content":null,"role":"assistant"}"#,
            r#"{"role":"assistant","content":"","tool_calls":[{"name":"f"}]}"#,
        );
        check(
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
            r#"{"role":"user","content":"ab"}"#,
        );
    }

    #[test]
    fn what_is_no_message_is_named() {
        check(r#"{"content":"a"}"#, "a message has no `role`");
        check(r#"{"role":"user"}"#, "a message has no `content`");
        check(
            r#"{"role":"user","tool_calls":null}"#,
            "a message has no `content`",
        );
        check(
            r#"{"role":1,"content":"a"}"#,
            "the `role` of a message is a number, and text is needed",
        );
        check(
            r#"{"role":"user","content":{"a":1}}"#,
            "the `content` of a message is an object, and text is needed",
        );
        check(
            r#"{"role":"user","content":[{"type":"image_url"}]}"#,
            "the `content` of a message has a part of type `image_url`; only `text` is learned",
        );
    }
}
