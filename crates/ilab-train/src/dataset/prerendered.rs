//! Chats that an older generator rendered into one message of the role `pretraining`.
//!
//! Two ways of rendering were in use: that of Granite 7B, with `<|user|>` and `<|assistant|>` on lines of their own, and
//! that of Granite 3, with the role between two tokens.
//!
//! # Differs from upstream
//! The original ends a text at its first `<`, so that "is a < b?" becomes "is a ", and finds nothing where no line end
//! follows the role of Granite 3, which is how its own template renders. Here a text goes on to the next tag. The line end
//! before a tag belongs to the rendering and not to the text, and what the system says is kept.

use ilab_text::message::Message;

/// A rendered chat cannot be taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Prerendered {
    /// Nobody speaks.
    #[error("it has no tag of a role, such as `<|user|>`")]
    NoRole,
    /// Somebody speaks and is not named.
    #[error("it has text before the first tag of a role")]
    TextBefore,
    /// The name of a role does not end.
    #[error("`<|start_of_role|>` has no `<|end_of_role|>`")]
    OpenRole,
}

/// The role of messages that hold a rendered chat.
const ROLE: &str = "pretraining";

/// The messages with rendered chats taken apart, and whether there was one: then everything is learned. An error comes with
/// the index of its message.
pub(super) fn unrolled(
    messages: Vec<Message>,
) -> Result<(Vec<Message>, bool), (usize, Prerendered)> {
    if messages.iter().all(|message| message.role != ROLE) {
        return Ok((messages, false));
    }
    let mut turns = Vec::new();
    for (message_idx, message) in messages.into_iter().enumerate() {
        if message.role == ROLE {
            turns.extend(parse(&message.content).map_err(|error| (message_idx, error))?);
        } else {
            turns.push(message);
        }
    }
    Ok((turns, true))
}

/// The turns of a rendered chat.
///
/// # Errors
/// Text that no tag of a role is in front of.
pub fn parse(text: &str) -> Result<Vec<Message>, Prerendered> {
    let is_legacy = text.contains("<|user|>") || text.contains("<|assistant|>");
    let (next_tag, end_of_turn): (NextTag, &str) = match is_legacy {
        true => (legacy_tag, "<|endoftext|>"),
        false => (granite3_tag, "<|end_of_text|>"),
    };
    let mut tag = next_tag(text)?.ok_or(Prerendered::NoRole)?;
    let before = text[..tag.start].trim();
    // A token that begins the text may stand there.
    let is_token = before.starts_with('<') && before.ends_with('>');
    if !before.is_empty() && !is_token {
        return Err(Prerendered::TextBefore);
    }
    let mut rest = &text[tag.end..];
    let mut turns = Vec::new();
    loop {
        let next = next_tag(rest)?;
        let content = match &next {
            Some(next) => &rest[..next.start],
            None => rest,
        };
        turns.push(Message::new(tag.role, said(content, end_of_turn)));
        match next {
            Some(next) => {
                rest = &rest[next.end..];
                tag = next;
            }
            None => return Ok(turns),
        }
    }
}

/// A tag of a role and where it stands.
struct Tag<'a> {
    role: &'a str,
    start: usize,
    end: usize,
}

type NextTag = for<'a> fn(&'a str) -> Result<Option<Tag<'a>>, Prerendered>;

fn legacy_tag(text: &str) -> Result<Option<Tag<'_>>, Prerendered> {
    let tags = ["system", "user", "assistant"].into_iter();
    let found = tags.filter_map(|role| {
        let tag = format!("<|{role}|>");
        text.find(&tag).map(|start| Tag {
            role,
            start,
            end: start + tag.len(),
        })
    });
    Ok(found.min_by_key(|tag| tag.start))
}

fn granite3_tag(text: &str) -> Result<Option<Tag<'_>>, Prerendered> {
    const OPEN: &str = "<|start_of_role|>";
    const CLOSE: &str = "<|end_of_role|>";
    let Some(start) = text.find(OPEN) else {
        return Ok(None);
    };
    let name = start + OPEN.len();
    let length = text[name..].find(CLOSE).ok_or(Prerendered::OpenRole)?;
    Ok(Some(Tag {
        role: &text[name..name + length],
        start,
        end: name + length + CLOSE.len(),
    }))
}

/// A text without what the rendering puts around it.
fn said<'a>(content: &'a str, end_of_turn: &str) -> &'a str {
    let content = content.strip_prefix('\n').unwrap_or(content);
    let content = content.strip_suffix('\n').unwrap_or(content);
    content.strip_suffix(end_of_turn).unwrap_or(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let turns = parse(text).unwrap();
        let turns: Vec<_> = turns
            .iter()
            .map(|turn| (turn.role.as_str(), turn.content.as_str()))
            .collect();
        assert_eq!(turns, expected, "{text}");
    }

    #[test]
    fn texts_go_on_to_the_next_tag() {
        check(
            "<|user|>\nis a < b?\n<|assistant|>\nYes, <b>a</b> is.\n\nSure.<|endoftext|>\n<|user|>\nOh\n",
            &[
                ("user", "is a < b?"),
                ("assistant", "Yes, <b>a</b> is.\n\nSure."),
                ("user", "Oh"),
            ],
        );
        check(
            "<|start_of_role|>system<|end_of_role|>s<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>\nis a < b?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>Yes.<|end_of_text|>",
            &[
                ("system", "s"),
                ("user", "is a < b?"),
                ("assistant", "Yes."),
            ],
        );
        check(
            "<|begginingoftext|><|system|>\ns\n<|user|>\na<|assistant|>b",
            &[("system", "s"), ("user", "a"), ("assistant", "b")],
        );
    }

    #[test]
    fn what_is_no_rendered_chat_is_named() {
        assert_eq!(parse("hello"), Err(Prerendered::NoRole));
        assert_eq!(parse(""), Err(Prerendered::NoRole));
        assert_eq!(parse("hello <|user|>\na"), Err(Prerendered::TextBefore));
        assert_eq!(parse("<|start_of_role|>user"), Err(Prerendered::OpenRole));
        assert_eq!(
            parse("<|start_of_role|>user<|end_of_role|>a<|start_of_role|>"),
            Err(Prerendered::OpenRole)
        );
    }

    /// Theirs, where they are not ours: see `goldens/data/gen.py`.
    #[test]
    fn chats_are_those_of_the_reference_but_where_it_is_wrong() {
        #[derive(serde::Deserialize)]
        struct Case {
            name: String,
            text: String,
            messages: Vec<Message>,
        }
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../../../goldens/data/prerendered.json"))
                .unwrap();
        let said = |turns: &[Message]| -> Vec<String> {
            turns.iter().map(|turn| turn.content.clone()).collect()
        };
        let different: Vec<_> = cases
            .iter()
            .filter_map(|case| {
                let ours = said(&parse(&case.text).unwrap());
                let theirs = said(&case.messages);
                (ours != theirs).then(|| format!("{}: {theirs:?} {ours:?}", case.name))
            })
            .collect();
        assert_eq!(cases.len(), 5);
        assert_eq!(
            different,
            [
                // The line end in front of a tag belongs to the tag.
                r#"legacy: ["What?\n", "That."] ["What?", "That."]"#,
                r#"legacy with its end: ["What?\n", "That."] ["What?", "That."]"#,
                // A text does not end with a `<`.
                r#"legacy with <: ["is a ", "Yes."] ["is a < b?", "Yes."]"#,
                // Nor does it have to begin on a line of its own.
                r#"granite3 as rendered: [] ["What?", "That."]"#,
            ]
        );
    }

    /// Both renderings, as the generator wrote them.
    fn rendered(turns: &[(String, String)], is_legacy: bool) -> String {
        turns
            .iter()
            .map(|(question, answer)| match is_legacy {
                true => format!("<|user|>\n{question}\n<|assistant|>\n{answer}<|endoftext|>\n"),
                false => format!(
                    "<|start_of_role|>user<|end_of_role|>{question}<|end_of_text|>\n\
                     <|start_of_role|>assistant<|end_of_role|>{answer}<|end_of_text|>\n"
                ),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_was_rendered_comes_back(
            turns in prop::collection::vec(("[a-z<>| \n]{0,8}[a-z<]", "[a-z<>| \n]{0,8}[a-z<]"), 1..4), is_legacy: bool,
        ) {
            // A line end at the start of a text and the one that some renderings put after the role look alike.
            let turns: Vec<_> = turns
                .into_iter()
                .map(|(question, answer)| (format!("q{question}"), format!("a{answer}")))
                .collect();
            let parsed = parse(&rendered(&turns, is_legacy)).unwrap();
            let found: Vec<_> = parsed.chunks(2).map(|pair| (pair[0].content.clone(), pair[1].content.clone())).collect();
            prop_assert_eq!(found, turns);
        }

        #[test]
        fn no_text_panics(text in "(<\\|user\\|>|<\\|start_of_role\\|>|<\\|end_of_role\\|>|<\\|endoftext\\|>|\n|é|<)*") {
            // Both outcomes are right; the test is that there is one.
            let _ = parse(&text);
        }
    }
}
