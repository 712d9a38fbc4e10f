//! What is wrong in a file that a user wrote, as plain data: whoever reports it decides how to draw it.

use serde::Serialize;

/// A range of bytes in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file works; it could be written better.
    Warning,
    /// The file cannot be used.
    Error,
}

/// One finding at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, one line.
    pub message: String,
    /// What to do about it, where something is known.
    pub help: Option<String>,
    /// Where, in bytes of the file's text.
    pub span: Span,
    /// The line of `span.start`, counted from 1.
    pub line: usize,
    /// The column of `span.start` in characters, counted from 1.
    pub column: usize,
}

impl Diagnostic {
    /// An error at `span` of `text`.
    pub fn error(text: &str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, text, span, message.into())
    }

    /// A warning at `span` of `text`.
    pub fn warning(text: &str, span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, text, span, message.into())
    }

    /// The same finding with advice.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// Whether the file cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    fn new(severity: Severity, text: &str, span: Span, message: String) -> Self {
        let (line, column) = line_and_column(text, span.start);
        Self {
            severity,
            message,
            help: None,
            span,
            line,
            column,
        }
    }
}

/// The line and the column, both from 1, of a byte of `text`; a place past the end counts as the end.
pub fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line_start = before
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |newline| newline + 1);
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    // Continuation bytes of UTF-8 do not start a character.
    let is_start = |byte: &&u8| **byte & 0xC0 != 0x80;
    let column = 1 + before[line_start..].iter().filter(is_start).count();
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_places_past_the_end_are_the_end() {
        let text = "a: é\nbé: x\n";
        assert_eq!(line_and_column(text, 0), (1, 1));
        assert_eq!(line_and_column(text, text.find('x').unwrap()), (2, 5));
        assert_eq!(line_and_column(text, 999), (3, 1));
        assert_eq!(line_and_column("", 0), (1, 1));
    }
}
