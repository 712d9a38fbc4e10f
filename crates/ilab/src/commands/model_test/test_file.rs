//! The file of questions: rows of messages, rows of one turn as the original writes them, or questions with what to expect.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ilab_base::hint::Hint;
use ilab_base::io::{self, IoError, read_dir_sorted};
use ilab_openai::completer::ChatMessage;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::commands::exam::{Expected, Question};

/// `{"messages": [...]}`: the last message is the expected answer, the one before it the question.
#[derive(Deserialize)]
struct Conversation {
    messages: Vec<ChatMessage>,
}

/// `{"system": ..., "user": ..., "assistant": ...}`.
#[derive(Deserialize)]
struct Turn {
    #[serde(default)]
    system: Option<String>,
    user: String,
    assistant: String,
}

/// `{"question": ..., "expect": [...]}`, as `ilab quickstart` reads them.
#[derive(Deserialize)]
struct Expectation {
    question: String,
    expect: Vec<String>,
}

/// A test file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TestFileError {
    /// A file or folder cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// There is none.
    #[error("No test files found in `{}`", folder.display())]
    None { folder: PathBuf },
    /// A line is no question.
    #[error("`{}` line {line} is not a question with its answer", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
    /// A line has none of the keys that a question has.
    #[error("`{}` line {line} has neither `messages` nor `user` nor `question`", path.display())]
    Keys { path: PathBuf, line: usize },
    /// The messages of a line do not end in a question and its answer.
    #[error("`{}` line {line} does not end in a message of the user and one of the assistant", path.display())]
    Order { path: PathBuf, line: usize },
    /// A part of a question is empty, so that every answer or none would be right.
    #[error("`{}` line {line}: {part} is empty", path.display())]
    EmptyPart {
        path: PathBuf,
        line: usize,
        part: &'static str,
    },
    /// The file has no rows.
    #[error("`{}` has no questions", path.display())]
    NoQuestions { path: PathBuf },
}

impl Hint for TestFileError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) if error.is_not_found() => {
                "pass a test file with `--test_file`; `ilab data generate` writes test_*.jsonl"
            }
            Self::Io(error) => return error.hints(),
            Self::None { .. } => {
                "`ilab data generate` writes test_*.jsonl; `--test_file` takes any other file"
            }
            _ => {
                r#"each line is a JSON object such as {"user": "Where does it live?", "assistant": "In the hills of Orvany."}"#
            }
        };
        vec![hint.to_owned()]
    }
}

/// The newest `test_*.jsonl` in a folder or directly below.
pub(super) fn newest(folder: &Path) -> Result<PathBuf, TestFileError> {
    let none = || TestFileError::None {
        folder: folder.to_owned(),
    };
    if !folder.is_dir() {
        return Err(none());
    }
    let mut found = Vec::new();
    for path in read_dir_sorted(folder)? {
        // What a run is writing, or was when it was killed, is in a folder with a hidden name.
        match path.is_dir() && !file_name(&path).starts_with('.') {
            true => found.extend(read_dir_sorted(&path)?),
            false => found.push(path),
        }
    }
    found.retain(|path| {
        let name = file_name(path);
        name.starts_with("test_") && name.ends_with(".jsonl") && path.is_file()
    });
    let age = |path: &PathBuf| {
        let modified = path.metadata().and_then(|metadata| metadata.modified());
        modified.unwrap_or(SystemTime::UNIX_EPOCH)
    };
    found.into_iter().max_by_key(age).ok_or_else(none)
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Reads all questions.
pub(super) fn read(path: &Path) -> Result<Vec<Question>, TestFileError> {
    parse(&io::read_to_string(path)?, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<Question>, TestFileError> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, text)| !text.trim().is_empty());
    let questions = lines
        .map(|(line_idx, text)| question(text, path, line_idx + 1))
        .collect::<Result<Vec<_>, _>>()?;
    match questions.is_empty() {
        true => Err(TestFileError::NoQuestions {
            path: path.to_owned(),
        }),
        false => Ok(questions),
    }
}

fn question(text: &str, path: &Path, line: usize) -> Result<Question, TestFileError> {
    let path = path.to_owned();
    let wrong = |source| TestFileError::Line {
        path: path.clone(),
        line,
        source,
    };
    let row: Map<String, Value> = serde_json::from_str(text).map_err(wrong)?;
    let question = if row.contains_key("messages") {
        of_conversation(typed(row).map_err(wrong)?).ok_or_else(|| TestFileError::Order {
            path: path.clone(),
            line,
        })?
    } else if row.contains_key("user") {
        of_turn(typed(row).map_err(wrong)?)
    } else if row.contains_key("question") {
        let Expectation { question, expect } = typed(row).map_err(wrong)?;
        Question::alone(question, expect)
    } else {
        return Err(TestFileError::Keys { path, line });
    };
    match empty_part(&question) {
        None => Ok(question),
        Some(part) => Err(TestFileError::EmptyPart { path, line, part }),
    }
}

fn typed<T: DeserializeOwned>(row: Map<String, Value>) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(row))
}

/// `None` where the messages do not end in a question and its answer.
fn of_conversation(conversation: Conversation) -> Option<Question> {
    let mut preceding = conversation.messages;
    let answer = preceding
        .pop()
        .filter(|message| message.role == "assistant")?;
    let question = preceding.pop().filter(|message| message.role == "user")?;
    Some(Question {
        preceding,
        question: question.content,
        expected: Expected::Answer(answer.content),
    })
}

fn of_turn(turn: Turn) -> Question {
    let system = turn.system.filter(|system| !system.trim().is_empty());
    Question {
        preceding: system
            .map(|system| ChatMessage::new("system", system))
            .into_iter()
            .collect(),
        question: turn.user,
        expected: Expected::Answer(turn.assistant),
    }
}

fn empty_part(question: &Question) -> Option<&'static str> {
    let is_empty = |text: &String| text.trim().is_empty();
    match &question.expected {
        _ if is_empty(&question.question) => Some("the question"),
        Expected::Answer(answer) if is_empty(answer) => Some("the answer"),
        Expected::AnyOf(texts) if texts.is_empty() => Some("`expect`"),
        Expected::AnyOf(texts) if texts.iter().any(is_empty) => Some("a text in `expect`"),
        Expected::Answer(_) | Expected::AnyOf(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Question>, String> {
        parse(text, Path::new("test.jsonl")).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_of_three_forms_are_questions() {
        let text = r#"
{"system": "Be brief.", "user": "Where?", "assistant": "There."}
{"user": "Where?", "assistant": "There.", "system": null, "other": 1}
{"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hello."}, {"content": "Where?", "role": "user"}, {"role": "assistant", "content": "There."}], "id": "1"}
{"question": "Where?", "expect": ["there", "here"]}
"#;
        let questions = parsed(text).unwrap();
        let roles = |question: &Question| -> Vec<String> {
            question
                .messages()
                .into_iter()
                .map(|message| message.role)
                .collect()
        };
        assert_eq!(roles(&questions[0]), ["system", "user"]);
        assert_eq!(roles(&questions[1]), ["user"]);
        assert_eq!(roles(&questions[2]), ["user", "assistant", "user"]);
        for question in &questions {
            assert_eq!(question.question, "Where?");
            assert!(question.is_answered_by("there"));
        }
        assert_eq!(questions[0].expected.answer(), Some("There."));
        assert_eq!(questions[3].expected.answer(), None);
    }

    #[test]
    fn what_is_not_a_question_is_told_with_its_line() {
        let fine = r#"{"user": "Where?", "assistant": "There."}"#;
        for (line, expected) in [
            ("where?", "line 3 is not a question with its answer"),
            ("[1]", "line 3 is not a question with its answer"),
            (
                r#"{"user": "a"}"#,
                "line 3 is not a question with its answer",
            ),
            (
                r#"{"user": 1, "assistant": "b"}"#,
                "line 3 is not a question with its answer",
            ),
            (
                r#"{"messages": "a"}"#,
                "line 3 is not a question with its answer",
            ),
            (
                r#"{"question": "a", "expect": "b"}"#,
                "line 3 is not a question with its answer",
            ),
            (
                r#"{"text": "a"}"#,
                "line 3 has neither `messages` nor `user` nor `question`",
            ),
            (
                r#"{"messages": []}"#,
                "line 3 does not end in a message of the user and one of the assistant",
            ),
            (
                r#"{"messages": [{"role": "user", "content": "a"}]}"#,
                "line 3 does not end in a message of the user and one of the assistant",
            ),
            (
                r#"{"user": " ", "assistant": "b"}"#,
                "line 3: the question is empty",
            ),
            (
                r#"{"user": "a", "assistant": ""}"#,
                "line 3: the answer is empty",
            ),
            (
                r#"{"question": "a", "expect": []}"#,
                "line 3: `expect` is empty",
            ),
            (
                r#"{"question": "a", "expect": [""]}"#,
                "line 3: a text in `expect` is empty",
            ),
        ] {
            let told = parsed(&format!("{fine}\n\n{line}\n")).unwrap_err();
            assert_eq!(told, format!("`test.jsonl` {expected}"), "{line}");
        }
        assert_eq!(
            parsed("\n \n").unwrap_err(),
            "`test.jsonl` has no questions"
        );
    }

    #[test]
    fn the_newest_test_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let newest_in = || newest(folder.path()).map_err(|error| error.to_string());
        assert!(
            newest_in()
                .unwrap_err()
                .starts_with("No test files found in `")
        );
        let write = |name: &str, seconds: u64| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let file = std::fs::File::create(&path).unwrap();
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.set_modified(time).unwrap();
        };
        write("test_old.jsonl", 1);
        write("run/test_new.jsonl", 2);
        write("run/deeper/test_too_deep.jsonl", 3);
        write("run/train_other.jsonl", 4);
        write("test_other.txt", 5);
        write(".half/test_half.jsonl", 6);
        assert_eq!(
            newest_in().unwrap(),
            folder.path().join("run/test_new.jsonl")
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[\\[\\]{}\":,a-z\\n\\\\ é0]{0,60}|\\{\"(user|messages|question)\":[\\[\\]{}\":,a-z]{0,20}\\}") {
            let _ = parsed(&text);
        }
    }
}
