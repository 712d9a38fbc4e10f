//! Messages to token ids with a loss mask: the only place where it is decided what a model learns from.
//!
//! # Rules
//! Learned are the texts of assistant turns, what was thought before them included, and with `unmask` those of every turn
//! but the system's; after an assistant text also everything up to and including the token that ends the turn, if that
//! comes before the next message's text. Role headers and whatever else the template writes are not learned.
//!
//! # Differs from upstream
//! - The original wraps each text in marker *tokens*, which forces token borders at both ends of a message. Here marker
//!   *characters* are rendered, located and removed before tokenising, so the ids are those of the plain rendering, and a
//!   template that trims its messages still trims them.
//! - The original counts texts to know whose they are, so that a template that leaves out earlier thoughts (Qwen 3) moves
//!   the count and the end of an answer is no longer learned. Here each mark names its message.
//! - The original learns to end with `eos_token` only. Templates whose turns end with another token (Gemma, Phi 3) teach a
//!   model there to go on for ever; here the token is taken from the template.
//! - Contents with `<think>` inside and tool calls work.

use crate::conversation::Conversation;
use crate::marks::{MAX_MESSAGES, reserved_character};
use crate::regions::{Region, find, first_end};
use crate::template::TemplateError;
use crate::tokenizer::{Encoding, Tokenizer, TokenizerError};

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
    /// A message holds a character that marks texts while rendering.
    #[error("message {message_idx} holds the private-use character U+{:04X}, which is needed to mark texts", u32::from(*character))]
    ReservedCharacter {
        /// Index of the message.
        message_idx: usize,
        /// The character.
        character: char,
    },
    /// More messages than there are marks.
    #[error(
        "the conversation has {n_messages} messages and at most {MAX_MESSAGES} can be told apart"
    )]
    TooManyMessages {
        /// Messages of the conversation.
        n_messages: usize,
    },
    /// The template changes, drops or repeats the text of a message, so it is unknown which tokens are that text.
    #[error("the chat template does not print message {message_idx} (`{role}`) as it is")]
    TextNotFound {
        /// Index of the message.
        message_idx: usize,
        /// Who speaks there.
        role: String,
    },
}

impl ilab_base::hint::Hint for EncodeError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Template(error) => error.hints(),
            Self::Tokenizer(error) => error.hints(),
            Self::ReservedCharacter { .. } => {
                vec!["remove that character from the data".to_owned()]
            }
            Self::TooManyMessages { .. } => {
                vec!["cut the conversation into several samples".to_owned()]
            }
            Self::TextNotFound { .. } => {
                vec!["use a chat template that prints every message once and unchanged".to_owned()]
            }
        }
    }
}

/// Encodes a conversation and says which of its tokens are learned.
///
/// # Errors
/// A template that refuses the messages or does not print them unchanged; a tokenizer that fails.
pub fn encode(
    tokenizer: &Tokenizer,
    conversation: &Conversation,
) -> Result<EncodedSample, EncodeError> {
    let Conversation {
        messages,
        variables,
        ..
    } = conversation;
    check_marks(conversation)?;
    let template = tokenizer.template();
    let text = template.render_with(messages, variables, false)?;
    let regions = find(template, conversation, &text, tokenizer.ends_of_turn())?;
    if let Some(message_idx) = regions.lost {
        return Err(EncodeError::TextNotFound {
            message_idx,
            role: messages[message_idx].role.clone(),
        });
    }
    let learned = learned(tokenizer, conversation, &text, &regions.found);
    let encoding = tokenizer.encode(&text)?;
    let is_learned = touched(&encoding, &learned);
    Ok(EncodedSample {
        input_ids: encoding.ids,
        is_learned,
    })
}

fn check_marks(conversation: &Conversation) -> Result<(), EncodeError> {
    let n_messages = conversation.messages.len();
    if n_messages > MAX_MESSAGES {
        return Err(EncodeError::TooManyMessages { n_messages });
    }
    for (message_idx, message) in conversation.messages.iter().enumerate() {
        if let Some(character) = reserved_character(message) {
            return Err(EncodeError::ReservedCharacter {
                message_idx,
                character,
            });
        }
    }
    Ok(())
}

/// The bytes that are learned, in the order of the text: of an answer up to the end of its turn, unless another text begins
/// before that; with a template that ends only the last turn, the token belongs to that one.
fn learned(
    tokenizer: &Tokenizer,
    conversation: &Conversation,
    text: &str,
    found: &[Region],
) -> Vec<(usize, usize)> {
    let next = found.iter().skip(1).map(|region| region.start);
    let limits = next.chain(std::iter::once(text.len()));
    let of_region = |(region, limit): (&Region, usize)| {
        let role = conversation.messages[region.message_idx].role.as_str();
        let after = &text[region.end..limit.max(region.end)];
        match role {
            "assistant" => {
                let n_bytes = first_end(after, tokenizer.ends_of_turn()).unwrap_or(0);
                Some((region.start, region.end + n_bytes))
            }
            _ => conversation
                .is_learned(role)
                .then_some((region.start, region.end)),
        }
    };
    let stretches = found.iter().zip(limits).filter_map(of_region);
    // A token across an empty text is no part of it.
    stretches.filter(|(start, end)| start < end).collect()
}

/// Which tokens share a byte with a stretch of text.
fn touched(encoding: &Encoding, stretches: &[(usize, usize)]) -> Vec<bool> {
    let mut stretches = stretches.iter().copied().peekable();
    let is_touched = |&(token_start, token_end): &(usize, usize)| {
        while stretches.next_if(|(_, end)| *end <= token_start).is_some() {}
        // A token may begin in what the template puts before the text, such as a blank.
        stretches
            .peek()
            .is_some_and(|(start, _)| token_end > *start && token_end > token_start)
    };
    encoding.offsets.iter().map(is_touched).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::Message;

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
        let conversation = Conversation {
            messages,
            unmask,
            ..Conversation::default()
        };
        let sample = encode(&tokenizer(template), &conversation).unwrap();
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
            "<a>_[_][a][|][<e>]<u>_b"
        );
    }
}
