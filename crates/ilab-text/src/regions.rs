//! Where the learned texts stand in a rendered conversation.
//!
//! Three ways are tried, from the cheapest: all messages are marked in one rendering, first around and then inside the white
//! space that a template may trim; each message is marked in a rendering of its own, for templates that ask what a text is
//! like; and for an answer whose text is changed or not printed, such as tool calls, the text from where the template asks
//! for an answer up to the end of the turn.

use std::ops::Range;

use crate::conversation::Conversation;
use crate::marks::{Margin, Piece, locate, mark, n_pieces};
use crate::message::Message;
use crate::template::{ChatTemplate, TemplateError};

/// A stretch of the rendered conversation that belongs to one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    /// Index of the message.
    pub(crate) message_idx: usize,
    /// First byte.
    pub(crate) start: usize,
    /// Byte after the last.
    pub(crate) end: usize,
}

/// Which texts were found.
pub(crate) struct Regions {
    /// The regions of every message that was found, learned or not, in the order of the text.
    pub(crate) found: Vec<Region>,
    /// A learned message whose text is not in the rendering.
    pub(crate) lost: Option<usize>,
}

/// Finds the regions of a conversation in `text`, its rendering; `ends` are the tokens that end an answer.
///
/// # Errors
/// The template refuses the marked messages, which it does not do unless it looks into them.
pub(crate) fn find(
    template: &ChatTemplate,
    conversation: &Conversation,
    text: &str,
    ends: &[String],
) -> Result<Regions, TemplateError> {
    let all = 0..conversation.messages.len();
    let pieces = match printed(template, conversation, text, all.clone()) {
        Some(pieces) => pieces,
        None => all
            .filter_map(|message_idx| {
                printed(template, conversation, text, message_idx..message_idx + 1)
            })
            .flatten()
            .collect(),
    };
    let mut found = merged(pieces);
    let mut is_found = vec![false; conversation.messages.len()];
    found
        .iter()
        .for_each(|region| is_found[region.message_idx] = true);
    let mut lost = None;
    for (message_idx, message) in conversation.messages.iter().enumerate() {
        if is_found[message_idx] || !conversation.is_learned(&message.role) {
            continue;
        }
        match answer(template, conversation, text, message_idx)? {
            Some(start) if !ends_before_next(text, start, &found, ends) => {
                lost = lost.or(Some(message_idx));
            }
            Some(start) => found.push(Region {
                message_idx,
                start,
                end: start,
            }),
            None if message.texts().all(|text| text.trim().is_empty()) => {}
            None => lost = lost.or(Some(message_idx)),
        }
    }
    found.sort_by_key(|region| region.start);
    Ok(Regions { found, lost })
}

/// The pieces of the messages of `wanted`; `None` when the marks change what the template prints, or a text is printed
/// twice.
fn printed(
    template: &ChatTemplate,
    conversation: &Conversation,
    text: &str,
    wanted: Range<usize>,
) -> Option<Vec<Piece>> {
    [Margin::Kept, Margin::Trimmed].iter().find_map(|margin| {
        let messages = conversation.messages.iter().enumerate();
        let marked: Vec<_> = messages
            .map(
                |(message_idx, message)| match wanted.contains(&message_idx) {
                    true => mark(message, message_idx, *margin),
                    false => message.clone(),
                },
            )
            .collect();
        // A template that refuses the marks is asked in another way.
        let rendered = template
            .render_with(&marked, &conversation.variables, false)
            .ok()?;
        let (unmarked, pieces) = locate(&rendered)?;
        (unmarked == text && is_once(&pieces, &marked)).then_some(pieces)
    })
}

/// Whether no text is printed more than once.
fn is_once(pieces: &[Piece], marked: &[Message]) -> bool {
    let mut n_left: Vec<usize> = marked.iter().map(n_pieces).collect();
    pieces.iter().all(|piece| {
        let n_left = &mut n_left[piece.message_idx];
        let is_expected = *n_left > 0;
        *n_left = n_left.saturating_sub(1);
        is_expected
    })
}

/// Joins the pieces of one message, with what the template prints between them, unless another message comes between.
fn merged(mut pieces: Vec<Piece>) -> Vec<Region> {
    pieces.sort_by_key(|piece| piece.start);
    let mut regions: Vec<Region> = Vec::new();
    for piece in pieces {
        match regions.last_mut() {
            Some(last) if last.message_idx == piece.message_idx => last.end = piece.end,
            _ => regions.push(Region {
                message_idx: piece.message_idx,
                start: piece.start,
                end: piece.end,
            }),
        }
    }
    regions
}

/// Where an answer begins of which the template prints something other than its text.
fn answer(
    template: &ChatTemplate,
    conversation: &Conversation,
    text: &str,
    message_idx: usize,
) -> Result<Option<usize>, TemplateError> {
    if conversation.messages[message_idx].role != "assistant" || message_idx == 0 {
        return Ok(None);
    }
    let before = &conversation.messages[..message_idx];
    let asked = |asks| template.render_with(before, &conversation.variables, asks);
    // A conversation that cannot end here has no place where the answer begins.
    let (Ok(prompt), Ok(silent)) = (asked(true), asked(false)) else {
        return Ok(None);
    };
    let is_asked = prompt.len() > silent.len() && text.starts_with(&prompt);
    Ok(is_asked.then_some(prompt.len()))
}

fn ends_before_next(text: &str, start: usize, found: &[Region], ends: &[String]) -> bool {
    let next = found.iter().map(|region| region.start);
    let limit = next.filter(|next| *next >= start).min();
    first_end(&text[start..limit.unwrap_or(text.len())], ends).is_some()
}

/// How many bytes of `text` there are up to and with the first token that ends a turn.
pub(crate) fn first_end(text: &str, ends: &[String]) -> Option<usize> {
    ends.iter()
        .filter_map(|end| text.find(end.as_str()).map(|start| start + end.len()))
        .min()
}
