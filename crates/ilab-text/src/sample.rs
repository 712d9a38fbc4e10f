//! Messages to token ids with a loss mask: the only place where it is decided what a model learns from.
//!
//! # Rules
//! Learned are the texts of assistant turns, and with `unmask` those of every turn but the system's; after an assistant
//! text also everything up to and including the next end-of-sequence token. Role headers and whatever else the template
//! writes are not learned.
//!
//! # Differs from upstream
//! The original wraps each text in marker *tokens*, which forces token borders at both ends of a message. Here marker
//! *characters* are rendered, located and removed before tokenising, so the ids are those of the plain rendering, and a
//! template that trims its messages still trims them.

use crate::message::Message;
use crate::template::TemplateError;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// A conversation ready for training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedSample {
    /// Token ids.
    pub input_ids: Vec<u32>,
    /// Whether the model learns to produce that token; as long as `input_ids`.
    pub is_learned: Vec<bool>,
}

impl EncodedSample {
    /// How many tokens the model learns to produce. The first token of a sample has nothing before it and never counts.
    pub fn n_learned(&self) -> usize {
        self.is_learned
            .iter()
            .skip(1)
            .filter(|learned| **learned)
            .count()
    }
}

/// A conversation cannot be encoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The template refuses the messages.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The tokenizer fails.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A message holds the characters that mark texts while rendering.
    #[error("message {message_idx} holds the private-use character U+{:04X}, which is needed to mark texts", u32::from(*character))]
    ReservedCharacter {
        /// Index of the message.
        message_idx: usize,
        /// The character.
        character: char,
    },
    /// The template changes, drops or repeats the text of a message, so it is unknown which tokens are that text.
    #[error("the chat template does not print the learned messages as they are")]
    TextNotFound,
}

impl ilab_base::hint::Hint for EncodeError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Template(error) => error.hints(),
            Self::Tokenizer(error) => error.hints(),
            Self::ReservedCharacter { .. } => {
                vec!["remove that character from the data".to_owned()]
            }
            Self::TextNotFound => {
                vec!["use a chat template that prints every message once and unchanged".to_owned()]
            }
        }
    }
}

/// Private-use characters that mark the start and the end of a learned text.
const BEGIN: char = '\u{F8F0}';
const END: char = '\u{F8F1}';

/// Encodes a conversation and says which of its tokens are learned.
///
/// # Errors
/// A template that refuses the messages or does not print them unchanged; a tokenizer that fails.
pub fn encode(
    tokenizer: &Tokenizer,
    messages: &[Message],
    unmask: bool,
) -> Result<EncodedSample, EncodeError> {
    let marked = mark(messages, unmask)?;
    let rendered = tokenizer.template().render(&marked, false)?;
    let (text, regions) = locate(&rendered).ok_or(EncodeError::TextNotFound)?;
    let is_expected = |message: &&Message| is_learned_role(&message.role, unmask);
    if regions.len() != messages.iter().filter(is_expected).count()
        || text != tokenizer.template().render(messages, false)?
    {
        return Err(EncodeError::TextNotFound);
    }
    let regions = regions
        .into_iter()
        .zip(messages.iter().filter(is_expected))
        .map(|((start, end), message)| {
            let end = if message.role == "assistant" {
                end_with_eos(&text, end, tokenizer.eos_token())
            } else {
                end
            };
            (start, end)
        });
    let regions: Vec<_> = regions.collect();
    let encoding = tokenizer.encode(&text)?;
    let is_learned = encoding
        .offsets
        .iter()
        .map(|&(token_start, token_end)| {
            regions.iter().any(|&(start, end)| {
                // A token may begin in what the template puts before the text, such as a blank.
                token_start < end && token_end > start && token_end > token_start
            })
        })
        .collect();
    Ok(EncodedSample {
        input_ids: encoding.ids,
        is_learned,
    })
}

fn is_learned_role(role: &str, unmask: bool) -> bool {
    role == "assistant" || (unmask && role != "system")
}

/// Puts marks around each learned text, inside its leading and trailing white space, so that trimming still works.
fn mark(messages: &[Message], unmask: bool) -> Result<Vec<Message>, EncodeError> {
    messages
        .iter()
        .enumerate()
        .map(|(message_idx, message)| {
            if let Some(character) = message
                .content
                .chars()
                .find(|character| [BEGIN, END].contains(character))
            {
                return Err(EncodeError::ReservedCharacter {
                    message_idx,
                    character,
                });
            }
            if !is_learned_role(&message.role, unmask) {
                return Ok(message.clone());
            }
            let text = message.content.trim();
            let start = message.content.len() - message.content.trim_start().len();
            let (before, after) = (
                &message.content[..start],
                &message.content[start + text.len()..],
            );
            Ok(Message::new(
                message.role.clone(),
                format!("{before}{BEGIN}{text}{END}{after}"),
            ))
        })
        .collect()
}

/// Removes the marks and returns the byte ranges that they enclosed; `None` when they are not in pairs.
fn locate(rendered: &str) -> Option<(String, Vec<(usize, usize)>)> {
    let mut text = String::with_capacity(rendered.len());
    let mut regions = Vec::new();
    let mut open = None;
    for character in rendered.chars() {
        match (character, open) {
            (BEGIN, None) => open = Some(text.len()),
            (END, Some(start)) => {
                regions.push((start, text.len()));
                open = None;
            }
            (BEGIN | END, _) => return None,
            (other, _) => text.push(other),
        }
    }
    open.is_none().then_some((text, regions))
}

/// The end of the next end-of-sequence token at or after `end`.
fn end_with_eos(text: &str, end: usize, eos_token: &str) -> usize {
    text[end..]
        .find(eos_token)
        .map_or(end, |position| end + position + eos_token.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A tokenizer of single letters but for ` b`, and a template that puts a blank before each text.
    fn tokenizer() -> Tokenizer {
        let mut vocabulary = serde_json::Map::new();
        for token in ["<|u|>", "<|a|>", "<|e|>", "a", "b", "c", "Ġ", "Ċ", "Ġb"] {
            vocabulary.insert(token.to_owned(), vocabulary.len().into());
        }
        let special = |id: usize, content: &str| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        };
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true});
        let tokenizer = json!({
            "version": "1.0",
            "added_tokens": [special(0, "<|u|>"), special(1, "<|a|>"), special(2, "<|e|>")],
            "pre_tokenizer": byte_level,
            "decoder": byte_level,
            "model": {"type": "BPE", "vocab": vocabulary, "merges": [["Ġ", "b"]]},
        });
        let template = "{% for m in messages %}{{ '<|' + m['role'][0] + '|> ' + m['content'] }}\
            {% if m['role'] == 'assistant' %}{{ '<|e|>' }}{% endif %}{% endfor %}";
        let config = json!({"eos_token": "<|e|>", "chat_template": template});
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), tokenizer.to_string()).unwrap();
        std::fs::write(
            folder.path().join("tokenizer_config.json"),
            config.to_string(),
        )
        .unwrap();
        Tokenizer::from_dir(folder.path()).unwrap()
    }

    /// Tokens with those in brackets that are learned.
    fn shown(messages: &[(&str, &str)], unmask: bool) -> String {
        let names = ["<u>", "<a>", "<e>", "a", "b", "c", "_", "|", "_b"];
        let messages: Vec<Message> = messages
            .iter()
            .map(|(role, content)| Message::new(*role, *content))
            .collect();
        let sample = encode(&tokenizer(), &messages, unmask).unwrap();
        let tokens = sample.input_ids.iter().zip(&sample.is_learned);
        tokens
            .map(|(id, is_learned)| match (names[*id as usize], is_learned) {
                (name, true) => format!("[{name}]"),
                (name, false) => name.to_owned(),
            })
            .collect()
    }

    #[test]
    fn answers_and_their_end_are_learned_with_tokens_that_begin_before_them() {
        let chat = [
            ("user", "ab"),
            ("assistant", "bc"),
            ("user", "b"),
            ("assistant", "a\nb"),
        ];
        assert_eq!(
            shown(&chat, false),
            "<u>_ab<a>[_b][c][<e>]<u>_b<a>_[a][|][b][<e>]"
        );
        assert_eq!(
            shown(&chat, true),
            "<u>_[a][b]<a>[_b][c][<e>]<u>[_b]<a>_[a][|][b][<e>]"
        );
    }
}
