//! Held-out questions: what a model is asked without the documents.

use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_base::io::{IoError, read_to_string};
use ilab_openai::completer::ChatMessage;
use serde::Deserialize;

use super::expected::Expected;

/// A question and what a right answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// What was said before, such as the system prompt.
    pub(crate) preceding: Vec<ChatMessage>,
    pub(crate) question: String,
    pub(crate) expected: Expected,
}

/// A line of a file of questions.
#[derive(Debug, Deserialize)]
struct Line {
    question: String,
    expect: Vec<String>,
}

/// A file of questions cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QuestionsError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A line is not a question.
    #[error("`{}` line {line} is not a question", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    /// A part of a question is empty, so that every answer or none would be right.
    #[error("`{}` line {line}: {part} is empty", path.display())]
    EmptyPart {
        path: PathBuf,
        line: usize,
        part: &'static str,
    },
    /// The file has no question.
    #[error("`{}` has no questions", path.display())]
    NoQuestions { path: PathBuf },
}

impl Hint for QuestionsError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::Line { .. } | Self::EmptyPart { .. } | Self::NoQuestions { .. } => vec![
                r#"write one JSON object a line: {"question": "Where does it live?", "expect": ["Orvany"]}"#
                    .to_owned(),
            ],
        }
    }
}

impl Question {
    /// A question alone, with texts of which a right answer contains one.
    pub(crate) fn alone(question: impl Into<String>, expect: Vec<String>) -> Self {
        Self {
            preceding: Vec::new(),
            question: question.into(),
            expected: Expected::AnyOf(expect),
        }
    }

    /// Whether an answer is right.
    pub(crate) fn is_answered_by(&self, answer: &str) -> bool {
        self.expected.is_met_by(answer, &self.question)
    }

    /// What the model reads.
    pub(crate) fn messages(&self) -> Vec<ChatMessage> {
        let question = ChatMessage::user(&self.question);
        self.preceding.iter().cloned().chain([question]).collect()
    }
}

impl Line {
    fn empty_part(&self) -> Option<&'static str> {
        if self.question.trim().is_empty() {
            Some("`question`")
        } else if self.expect.is_empty() {
            Some("`expect`")
        } else if self.expect.iter().any(|text| text.trim().is_empty()) {
            Some("a text in `expect`")
        } else {
            None
        }
    }
}

/// Reads a file of questions, one JSON object a line.
pub(crate) fn read(path: &Path) -> Result<Vec<Question>, QuestionsError> {
    parse(&read_to_string(path)?, path)
}

/// The questions in the lines of `text`; `path` is for messages.
pub(crate) fn parse(text: &str, path: &Path) -> Result<Vec<Question>, QuestionsError> {
    let mut questions = Vec::new();
    for (line_idx, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let (path, line) = (path.to_owned(), line_idx + 1);
        let read: Line = match serde_json::from_str(text) {
            Ok(read) => read,
            Err(source) => return Err(QuestionsError::Line { path, line, source }),
        };
        if let Some(part) = read.empty_part() {
            return Err(QuestionsError::EmptyPart { path, line, part });
        }
        questions.push(Question::alone(read.question, read.expect));
    }
    if questions.is_empty() {
        return Err(QuestionsError::NoQuestions {
            path: path.to_owned(),
        });
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Question>, String> {
        parse(text, Path::new("questions.jsonl")).map_err(|error| error.to_string())
    }

    #[test]
    fn an_answer_is_right_when_it_contains_any_expected_text() {
        let text =
            r#"{"question": "Where?", "expect": ["Orvany", "the HILLS"], "note": "ignored"}"#;
        let question = &parsed(text).unwrap()[0];
        assert!(question.is_answered_by("It lives in orvany."));
        assert!(question.is_answered_by("In the hills."));
        assert!(!question.is_answered_by("In the hill."));
        assert!(!question.is_answered_by(""));
    }

    #[test]
    fn what_is_not_a_question_is_told_with_its_line() {
        let fine = r#"{"question": "Where?", "expect": ["there"]}"#;
        for (line, expected) in [
            ("where?", "`questions.jsonl` line 3 is not a question"),
            (
                r#"{"question": "a"}"#,
                "`questions.jsonl` line 3 is not a question",
            ),
            (
                r#"{"question": 1, "expect": ["a"]}"#,
                "`questions.jsonl` line 3 is not a question",
            ),
            (
                r#"{"question": "a", "expect": "b"}"#,
                "`questions.jsonl` line 3 is not a question",
            ),
            (
                r#"{"question": " ", "expect": ["a"]}"#,
                "`questions.jsonl` line 3: `question` is empty",
            ),
            (
                r#"{"question": "a", "expect": []}"#,
                "`questions.jsonl` line 3: `expect` is empty",
            ),
            (
                r#"{"question": "a", "expect": ["b", ""]}"#,
                "`questions.jsonl` line 3: a text in `expect` is empty",
            ),
        ] {
            assert_eq!(
                parsed(&format!("{fine}\n\n{line}\n")).unwrap_err(),
                expected
            );
        }
        assert_eq!(
            parsed("\n \n").unwrap_err(),
            "`questions.jsonl` has no questions"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[\\[\\]{}\":,a-z\\n\\\\ é0]{0,60}") {
            let _ = parsed(&text);
        }
    }
}
