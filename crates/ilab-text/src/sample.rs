//! Messages to token ids with a loss mask: the only place where it is decided what a model learns from.
//!
//! # Rules
//! Learned are the texts of assistant turns, and with `unmask` those of every turn but the system's; after an assistant
//! text also everything up to and including the next end-of-sequence token, if that comes before the next message's text.
//! Role headers and whatever else the template writes are not learned.
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

/// Private-use characters that mark the start and the end of a text.
const BEGIN: char = '\u{F8F0}';
const END: char = '\u{F8F1}';

/// Bytes of a message's text in the rendered conversation.
type Region = (usize, usize);

/// Encodes a conversation and says which of its tokens are learned.
///
/// # Errors
/// A template that refuses the messages or does not print them unchanged; a tokenizer that fails.
pub fn encode(
    tokenizer: &Tokenizer,
    messages: &[Message],
    unmask: bool,
) -> Result<EncodedSample, EncodeError> {
    check_characters(messages)?;
    let text = tokenizer.template().render(messages, false)?;
    let is_learned = |role: &str| role == "assistant" || (unmask && role != "system");
    let learned =
        regions(tokenizer, messages, &text, is_learned)?.ok_or(EncodeError::TextNotFound)?;
    // A template may change or drop what is not learned; then the learned texts alone are the borders.
    let all = match regions(tokenizer, messages, &text, |_| true) {
        Ok(Some(all)) => all,
        Ok(None) | Err(_) => learned.clone(),
    };
    let roles = messages.iter().map(|message| message.role.as_str());
    let regions: Vec<_> = learned
        .into_iter()
        .zip(roles.filter(|role| is_learned(role)))
        .map(|(region, role)| match role {
            "assistant" => with_eos(&text, region, &all, tokenizer.eos_token()),
            _ => region,
        })
        .collect();
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

fn check_characters(messages: &[Message]) -> Result<(), EncodeError> {
    for (message_idx, message) in messages.iter().enumerate() {
        if let Some(character) = message.content.chars().find(|c| [BEGIN, END].contains(c)) {
            return Err(EncodeError::ReservedCharacter {
                message_idx,
                character,
            });
        }
    }
    Ok(())
}

/// Where the texts of some messages stand in `text`, the rendered conversation; `None` when the template does not print
/// each of them once and unchanged.
fn regions(
    tokenizer: &Tokenizer,
    messages: &[Message],
    text: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Option<Vec<Region>>, TemplateError> {
    let wanted = |message: &Message| is_wanted(&message.role);
    let marked: Vec<Message> = messages
        .iter()
        .map(|message| match wanted(message) {
            true => mark(message),
            false => message.clone(),
        })
        .collect();
    let n_wanted = messages.iter().filter(|message| wanted(message)).count();
    let rendered = tokenizer.template().render(&marked, false)?;
    Ok(locate(&rendered)
        .filter(|(unmarked, regions)| unmarked == text && regions.len() == n_wanted)
        .map(|(_, regions)| regions))
}

/// Puts marks around a text, inside its leading and trailing white space, so that trimming still works.
fn mark(message: &Message) -> Message {
    let content = &message.content;
    let text = content.trim();
    let start = content.len() - content.trim_start().len();
    let (before, after) = (&content[..start], &content[start + text.len()..]);
    Message::new(
        message.role.clone(),
        format!("{before}{BEGIN}{text}{END}{after}"),
    )
}

/// Removes the marks and returns the byte ranges that they enclosed; `None` when they are not in pairs.
fn locate(rendered: &str) -> Option<(String, Vec<Region>)> {
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

/// A text with what follows it up to the end of the next end-of-sequence token, unless another text begins before that:
/// with a template that ends only the last turn, the token belongs to that one.
fn with_eos(text: &str, (start, end): Region, all: &[Region], eos_token: &str) -> Region {
    let next = all.iter().map(|(begin, _)| *begin);
    let limit = next
        .filter(|begin| *begin >= end && *begin > start)
        .min()
        .unwrap_or(text.len());
    let with_eos = text[end..limit]
        .find(eos_token)
        .map(|position| end + position + eos_token.len());
    (start, with_eos.unwrap_or(end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A template that puts a blank before each text and ends each answer.
    const TEMPLATE: &str = "{% for m in messages %}{{ '<|' + m['role'][0] + '|> ' + m['content'] }}\
        {% if m['role'] == 'assistant' %}{{ '<|e|>' }}{% endif %}{% endfor %}";

    /// A tokenizer of single letters but for ` b`.
    fn tokenizer(template: &str) -> Tokenizer {
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
    fn shown(template: &str, messages: &[(&str, &str)], unmask: bool) -> String {
        let names = ["<u>", "<a>", "<e>", "a", "b", "c", "_", "|", "_b"];
        let messages: Vec<Message> = messages
            .iter()
            .map(|(role, content)| Message::new(*role, *content))
            .collect();
        let sample = encode(&tokenizer(template), &messages, unmask).unwrap();
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
            shown(TEMPLATE, &chat, false),
            "<u>_ab<a>[_b][c][<e>]<u>_b<a>_[a][|][b][<e>]"
        );
        assert_eq!(
            shown(TEMPLATE, &chat, true),
            "<u>_[a][b]<a>[_b][c][<e>]<u>[_b]<a>_[a][|][b][<e>]"
        );
    }

    #[test]
    fn an_end_after_the_next_text_is_not_learned_with_the_answer_before_it() {
        let template = "{% for m in messages %}{{ '<|' + m['role'][0] + '|> ' + m['content'] }}{% endfor %}<|e|>";
        let chat = [("assistant", "bc"), ("user", "ac"), ("assistant", "b")];
        assert_eq!(
            shown(template, &chat, false),
            "<a>[_b][c]<u>_ac<a>[_b][<e>]"
        );
        // The text of the user is not printed, so that its place is unknown; the next answer still is a border.
        let only_answers = "(m['content'] if m['role'] == 'assistant' else 'a')";
        let changing = template.replace("m['content']", only_answers);
        assert_eq!(
            shown(&changing, &chat, false),
            "<a>[_b][c]<u>_a<a>[_b][<e>]"
        );
    }

    #[test]
    fn an_empty_answer_ends_and_so_does_one_with_blanks_around() {
        assert_eq!(shown(TEMPLATE, &[("assistant", "")], false), "<a>_[<e>]");
        assert_eq!(
            shown(TEMPLATE, &[("assistant", " a\n"), ("user", "b")], false),
            "<a>__[a][|][<e>]<u>_b"
        );
    }
}
