//! One line of a training file.

use ilab_base::hint::Hint;
use ilab_text::conversation::Conversation;
use ilab_text::message::Message;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::dataset::prerendered::{Prerendered, unrolled};
use crate::dataset::processed::ProcessedRow;

/// What a line holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Turns.
    Conversation(Conversation),
    /// Tokens with their labels.
    Processed(ProcessedRow),
    /// Plain text.
    Document(String),
}

/// A line cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It is not JSON, or a value is of the wrong kind.
    #[error("{}", in_line(json))]
    Json {
        /// What the parser said.
        json: serde_json::Error,
    },
    /// It is JSON of another kind.
    #[error("it has none of `messages`, `assistant`, `input_ids` and `document`; its keys are {}", keys.join(", "))]
    Unknown {
        /// Its keys.
        keys: Vec<String>,
    },
    /// A column of three is not text.
    #[error("`{column}` is missing or no text")]
    Column {
        /// The column.
        column: &'static str,
    },
    /// A chat that was rendered before cannot be taken apart.
    #[error("message {message_idx} is a rendered chat that cannot be taken apart: {source}")]
    Prerendered {
        /// Index of the message.
        message_idx: usize,
        /// Why.
        source: Prerendered,
    },
    /// The arrays of a processed line differ in length.
    #[error("`input_ids` has {n_ids} entries, `{column}` says {found}")]
    Lengths {
        /// Entries of `input_ids`.
        n_ids: usize,
        /// What disagrees.
        column: &'static str,
        /// What it says.
        found: usize,
    },
    /// A label of a processed line is neither its token nor -100.
    #[error("label {position} is {label}, which is neither the token {id} nor -100")]
    Label {
        /// Index into the line.
        position: usize,
        /// The label.
        label: i64,
        /// The token there.
        id: u32,
    },
    /// A processed line was made with another vocabulary.
    #[error("token {position} is {id} and the highest of the tokenizer is {max_id}")]
    UnknownToken {
        /// Index into the line.
        position: usize,
        /// The token.
        id: u32,
        /// The highest id of the tokenizer.
        max_id: u32,
    },
}

impl From<serde_json::Error> for RowError {
    fn from(json: serde_json::Error) -> Self {
        Self::Json { json }
    }
}

/// The parser counts lines of its own: there is one.
fn in_line(json: &serde_json::Error) -> String {
    json.to_string().replace(" at line 1 column", " at column")
}

impl Hint for RowError {
    fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::UnknownToken { .. } => {
                "the file was processed for another model: pass the training file that it was made from".to_owned()
            }
            Self::Lengths { .. } | Self::Label { .. } => {
                "the processed file is damaged: pass the training file that it was made from".to_owned()
            }
            _ => r#"each line is a JSON object such as {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}"#.to_owned(),
        }]
    }
}

/// Every key that is known; others, such as `id` and `metadata`, are of no use here.
#[derive(Deserialize)]
struct Line {
    messages: Option<Vec<Message>>,
    unmask: Option<bool>,
    tools: Option<Value>,
    documents: Option<Value>,
    chat_template_kwargs: Option<Map<String, Value>>,
    system: Option<Value>,
    user: Option<Value>,
    assistant: Option<Value>,
    input_ids: Option<Vec<u32>>,
    labels: Option<Vec<i64>>,
    len: Option<usize>,
    document: Option<Value>,
}

/// Reads a line.
pub(super) fn parse(text: &[u8]) -> Result<Row, RowError> {
    let line: Line = serde_json::from_slice(text)?;
    if let Some(messages) = line.messages {
        let (messages, was_rendered) =
            unrolled(messages).map_err(|(message_idx, source)| RowError::Prerendered {
                message_idx,
                source,
            })?;
        let mut variables = line.chat_template_kwargs.unwrap_or_default();
        for (name, value) in [("tools", line.tools), ("documents", line.documents)] {
            if let Some(value) = value {
                variables.insert(name.to_owned(), value);
            }
        }
        return Ok(Row::Conversation(Conversation {
            messages,
            unmask: line.unmask.unwrap_or(false) || was_rendered,
            variables,
        }));
    }
    if let Some(input_ids) = line.input_ids {
        return ProcessedRow::checked(input_ids, line.labels, line.len).map(Row::Processed);
    }
    if line.user.is_some() || line.assistant.is_some() {
        let messages = columns(line.system, line.user, line.assistant)?;
        return Ok(Row::Conversation(Conversation {
            unmask: line.unmask.unwrap_or(false),
            ..Conversation::new(messages)
        }));
    }
    match line.document {
        Some(Value::String(text)) => Ok(Row::Document(text)),
        Some(_) => Err(RowError::Column { column: "document" }),
        None => {
            let object: Map<String, Value> = serde_json::from_slice(text)?;
            Err(RowError::Unknown {
                keys: object
                    .into_iter()
                    .map(|(key, _)| format!("`{key}`"))
                    .collect(),
            })
        }
    }
}

fn columns(
    system: Option<Value>,
    user: Option<Value>,
    assistant: Option<Value>,
) -> Result<Vec<Message>, RowError> {
    let message = |role: &'static str, value: Option<Value>| match value {
        Some(Value::String(text)) => Ok(Message::new(role, text)),
        _ => Err(RowError::Column { column: role }),
    };
    let mut messages = Vec::with_capacity(3);
    if let Some(system) = system {
        messages.push(message("system", Some(system))?);
        messages.retain(|system| !system.content.is_empty());
    }
    messages.push(message("user", user)?);
    messages.push(message("assistant", assistant)?);
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line as text: its messages, or what is wrong.
    fn check(line: &str, expected: &str) {
        let shown = match parse(line.as_bytes()) {
            Ok(Row::Conversation(conversation)) => {
                let turns: Vec<_> = conversation
                    .messages
                    .iter()
                    .map(|message| format!("{}={:?}", message.role, message.content))
                    .collect();
                let unmask = if conversation.unmask { " unmask" } else { "" };
                let variables = match conversation.variables.len() {
                    0 => String::new(),
                    _ => format!(" {}", Value::Object(conversation.variables)),
                };
                format!("{}{unmask}{variables}", turns.join(" "))
            }
            Ok(Row::Processed(_)) => "processed".to_owned(),
            Ok(Row::Document(text)) => format!("document {text:?}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(shown, expected, "{line}");
    }

    #[test]
    fn every_form_is_read() {
        check(
            r#"{"messages": [{"role": "user", "content": "a"}], "id": 3, "metadata": "{}"}"#,
            r#"user="a""#,
        );
        check(
            r#"{"messages": [{"role": "user", "content": "a"}], "unmask": true, "tools": [1], "chat_template_kwargs": {"b": 2}}"#,
            r#"user="a" unmask {"b":2,"tools":[1]}"#,
        );
        check(
            r#"{"system": "s", "user": "u", "assistant": "a"}"#,
            r#"system="s" user="u" assistant="a""#,
        );
        check(
            r#"{"system": "", "user": "u", "assistant": "a", "unmask": null}"#,
            r#"user="u" assistant="a""#,
        );
        check(r#"{"document": "a"}"#, r#"document "a""#);
        check(
            r#"{"input_ids": [1, 2], "labels": [-100, 2], "len": 2}"#,
            "processed",
        );
        check(r#"{"input_ids": [1, 2]}"#, "processed");
    }

    #[test]
    fn a_chat_that_was_rendered_before_is_taken_apart_and_learned_whole() {
        check(
            r#"{"messages": [{"role": "pretraining", "content": "<|user|>\nis a < b?\n<|assistant|>\nYes.\n"}]}"#,
            r#"user="is a < b?" assistant="Yes." unmask"#,
        );
        check(
            r#"{"messages": [{"role": "system", "content": "s"}, {"role": "pretraining", "content": "hello"}]}"#,
            "message 1 is a rendered chat that cannot be taken apart: it has no tag of a role, such as `<|user|>`",
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(
            r#"{"question": "a", "id": 1}"#,
            "it has none of `messages`, `assistant`, `input_ids` and `document`; its keys are `question`, `id`",
        );
        check(r#"{"user": "a"}"#, "`assistant` is missing or no text");
        check(
            r#"{"user": 1, "assistant": "a"}"#,
            "`user` is missing or no text",
        );
        check(r#"{"document": [1]}"#, "`document` is missing or no text");
        check(
            r#"{"input_ids": [1, 2], "labels": [2]}"#,
            "`input_ids` has 2 entries, `labels` says 1",
        );
        check(
            r#"{"input_ids": [1, 2], "labels": [1, 2], "len": 3}"#,
            "`input_ids` has 2 entries, `len` says 3",
        );
        check(
            r#"{"input_ids": [1, 2], "labels": [-100, 3]}"#,
            "label 1 is 3, which is neither the token 2 nor -100",
        );
        check(
            r#"{"messages": [{"content": "a"}]}"#,
            "a message has no `role` at column 31",
        );
        check(
            "[1]",
            "invalid type: integer `1`, expected a sequence at column 2",
        );
        check(
            r#"{"input_ids": [-1]}"#,
            "invalid value: integer `-1`, expected u32 at column 17",
        );
    }

    proptest! {
        #[test]
        fn no_line_panics(line in prop::collection::vec(any::<u8>(), 0..60)) {
            // Both outcomes are right; the test is that there is one.
            let _ = parse(&line);
        }

        #[test]
        fn no_object_panics(
            keys in prop::collection::vec("(messages|role|content|user|assistant|input_ids|labels|len|document|tools)", 0..4),
            values in prop::collection::vec(r#"(\[\]|\{\}|null|"x"|-1|1e99|\[1\]|\[\{"role":"pretraining","content":"<\|user\|>"\}\])"#, 4),
        ) {
            let pairs: Vec<_> = keys.iter().zip(&values).map(|(key, value)| format!("\"{key}\":{value}")).collect();
            let _ = parse(format!("{{{}}}", pairs.join(",")).as_bytes());
        }
    }
}
