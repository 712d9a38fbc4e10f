//! What a typed line means.

/// What `/h` shows.
pub(super) const HELP: &str = "\
/h         show this
/n         forget the conversation
/m         switch between one line and several lines at once
/c NAME    take another system prompt and forget the conversation
/lc        list the system prompts
/q         leave; so do `quit`, `exit` and Ctrl-D
Ctrl-C stops an answer and keeps the session.";

/// A typed line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Quit,
    Help,
    Reset,
    ToggleMultiline,
    ListContexts,
    Context(&'a str),
    Unknown(&'a str),
    Question(&'a str),
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let text = text.trim();
        let (word, rest) = text
            .split_once(char::is_whitespace)
            .map_or((text, ""), |(word, rest)| (word, rest.trim()));
        match (word.to_lowercase().as_str(), rest) {
            ("", _) => Self::Nothing,
            ("/q" | "quit" | "exit", "") => Self::Quit,
            ("/h", _) => Self::Help,
            ("/n", _) => Self::Reset,
            ("/m", _) => Self::ToggleMultiline,
            ("/lc", _) => Self::ListContexts,
            ("/c", name) if !name.is_empty() => Self::Context(name),
            // A path or a fraction is no command: commands have letters only.
            (command, _)
                if command.len() > 1
                    && command.strip_prefix('/').is_some_and(|name| {
                        name.chars().all(|letter| letter.is_ascii_alphabetic()) && name.len() <= 2
                    }) =>
            {
                Self::Unknown(word)
            }
            _ => Self::Question(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_questions() {
        for (text, expected) in [
            ("  ", Line::Nothing),
            ("/q", Line::Quit),
            ("QUIT", Line::Quit),
            ("quit smoking, how?", Line::Question("quit smoking, how?")),
            ("/N", Line::Reset),
            ("/m", Line::ToggleMultiline),
            ("/c cli_helper", Line::Context("cli_helper")),
            ("/c", Line::Unknown("/c")),
            ("/x 1", Line::Unknown("/x")),
            (
                "/etc/passwd is what?",
                Line::Question("/etc/passwd is what?"),
            ),
            (" why? ", Line::Question("why?")),
        ] {
            assert_eq!(Line::parse(text), expected, "{text}");
        }
    }
}
