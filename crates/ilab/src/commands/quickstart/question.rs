//! Held-out questions: what the student is asked without the documents.

use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_base::io::{IoError, read_to_string};
use serde::Deserialize;

/// A question and what a right answer may contain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Question {
    pub(super) question: String,
    pub(super) expect: Vec<String>,
}

/// A file of questions cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum QuestionsError {
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
    /// Whether the answer contains any of the expected texts, ignoring case.
    pub(super) fn is_answered_by(&self, answer: &str) -> bool {
        let answer = answer.to_lowercase();
        self.expect
            .iter()
            .any(|expected| answer.contains(&expected.to_lowercase()))
    }

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
pub(super) fn read(path: &Path) -> Result<Vec<Question>, QuestionsError> {
    parse(&read_to_string(path)?, path)
}

/// The questions in the lines of `text`; `path` is for messages.
pub(super) fn parse(text: &str, path: &Path) -> Result<Vec<Question>, QuestionsError> {
    let mut questions = Vec::new();
    for (line_idx, text) in text.lines().enumerate() {
        if text.trim().is_empty() {
            continue;
        }
        let (path, line) = (path.to_owned(), line_idx + 1);
        let question: Question = match serde_json::from_str(text) {
            Ok(question) => question,
            Err(source) => return Err(QuestionsError::Line { path, line, source }),
        };
        if let Some(part) = question.empty_part() {
            return Err(QuestionsError::EmptyPart { path, line, part });
        }
        questions.push(question);
    }
    if questions.is_empty() {
        return Err(QuestionsError::NoQuestions {
            path: path.to_owned(),
        });
    }
    Ok(questions)
}

/// The words of a text alone: two questions that differ only in case, punctuation or blanks are the same question.
pub(super) fn words(text: &str) -> String {
    let letters = text.to_lowercase();
    let words = letters
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
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

    #[test]
    fn questions_are_compared_by_their_words() {
        assert_eq!(
            words("  Where does the Mirrel live? "),
            words("where does the mirrel  live")
        );
        assert_ne!(words("Where does it live?"), words("Where did it live?"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[\\[\\]{}\":,a-z\\n\\\\ é0]{0,60}") {
            let _ = parsed(&text);
        }
    }
}
