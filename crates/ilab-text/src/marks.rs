//! Marks around the texts of messages, to find where a template puts them.
//!
//! The marks are private-use characters that carry the number of their message, so that a template may leave out or move
//! what it likes and each text is still known.

use std::ops::RangeInclusive;

use serde_json::Value;

use crate::message::{Message, REASONING_KEYS};

/// Marks of the beginnings: the first one belongs to message 0.
const BEGIN: u32 = 0xF_0000;
/// Marks of the ends.
const END: u32 = 0x10_0000;
/// The last two characters of each private-use plane are no characters.
pub(crate) const MAX_MESSAGES: usize = 0xFFFE;
/// The characters that stand for marks.
const RESERVED: RangeInclusive<char> = '\u{F0000}'..='\u{10FFFF}';

/// Templates cut contents at these, so that each side is marked for itself.
const THINK_TAGS: [&str; 2] = ["<think>", "</think>"];

/// A piece of a message's text in the rendered conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Index of the message.
    pub(crate) message_idx: usize,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
}

/// Where the marks stand when white space surrounds a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Margin {
    /// Around the white space: it belongs to the text.
    Kept,
    /// Inside the white space, so that a template can trim it.
    Trimmed,
}

/// A character of a message that is needed for the marks.
pub(crate) fn reserved_character(message: &Message) -> Option<char> {
    message
        .texts()
        .flat_map(str::chars)
        .find(|character| RESERVED.contains(character))
}

/// The message with marks around its texts.
pub(crate) fn mark(message: &Message, message_idx: usize, margin: Margin) -> Message {
    let mut marked = message.clone();
    marked.content = marked_text(&message.content, message_idx, margin);
    for key in REASONING_KEYS {
        if let Some(Value::String(text)) = marked.extra.get_mut(key)
            && !text.is_empty()
        {
            *text = marked_text(text, message_idx, margin);
        }
    }
    marked
}

fn marked_text(text: &str, message_idx: usize, margin: Margin) -> String {
    let mut marked = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some((start, tag)) = first_tag(rest) {
        push_marked(&mut marked, &rest[..start], message_idx, margin);
        marked.push_str(tag);
        rest = &rest[start + tag.len()..];
    }
    push_marked(&mut marked, rest, message_idx, margin);
    marked
}

fn first_tag(text: &str) -> Option<(usize, &'static str)> {
    let tags = THINK_TAGS.iter();
    tags.filter_map(|tag| text.find(tag).map(|start| (start, *tag)))
        .min()
}

fn push_marked(marked: &mut String, piece: &str, message_idx: usize, margin: Margin) {
    let trimmed = piece.trim();
    if trimmed.is_empty() && !marked.is_empty() {
        // Templates ask whether there was a thought: a mark in an empty one would be an answer.
        marked.push_str(piece);
        return;
    }
    let text = match margin {
        Margin::Kept => piece,
        Margin::Trimmed => trimmed,
    };
    let start = match margin {
        Margin::Kept => 0,
        Margin::Trimmed => piece.len() - piece.trim_start().len(),
    };
    marked.push_str(&piece[..start]);
    marked.push(character(BEGIN, message_idx));
    marked.push_str(text);
    marked.push(character(END, message_idx));
    marked.push_str(&piece[start + text.len()..]);
}

/// How many pieces a marked message has.
pub(crate) fn n_pieces(marked: &Message) -> usize {
    let is_begin = |character: &char| (BEGIN..END).contains(&u32::from(*character));
    marked.texts().flat_map(str::chars).filter(is_begin).count()
}

fn character(first: u32, message_idx: usize) -> char {
    u32::try_from(message_idx)
        .ok()
        .and_then(|message_idx| char::from_u32(first + message_idx))
        .expect("a conversation has at most MAX_MESSAGES messages")
}

/// Takes the marks out and returns the pieces that they enclosed, in the order of the text; `None` when the marks are not
/// in pairs.
pub(crate) fn locate(rendered: &str) -> Option<(String, Vec<Piece>)> {
    let mut text = String::with_capacity(rendered.len());
    let mut pieces = Vec::new();
    let mut open = None;
    for character in rendered.chars() {
        let code = u32::from(character);
        match (code, open) {
            (END.., Some((start, begin))) if code - END == begin - BEGIN => {
                pieces.push(Piece {
                    message_idx: (code - END) as usize,
                    start,
                    end: text.len(),
                });
                open = None;
            }
            (END.., _) | (BEGIN.., Some(_)) => return None,
            (BEGIN.., None) => open = Some((text.len(), code)),
            _ => text.push(character),
        }
    }
    open.is_none().then_some((text, pieces))
}
