//! Generated samples to training samples: whatever will be asked in the exam is taken out.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ilab_base::atomic;
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, read_to_string};
use serde::Deserialize;

use crate::commands::quickstart::question::{Question, words};

/// The part of a generated sample that matters here.
#[derive(Deserialize)]
struct Sample {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// Generated samples cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrainingDataError {
    #[error(transparent)]
    Io(#[from] IoError),
    /// A line is not a sample.
    #[error("`{}` line {line} is not a sample", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
}

impl Hint for TrainingDataError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::Line { .. } => Vec::new(),
        }
    }
}

/// How many samples there are to train on, and how many were taken out because the exam asks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) n_samples: usize,
    pub(super) n_withheld: usize,
}

/// Copies the samples of `generated` to `destination` but those that ask a held-out question.
pub(super) fn withhold(
    generated: &Path,
    destination: &Path,
    held_out: &[Question],
) -> Result<Counts, TrainingDataError> {
    let held_out: HashSet<String> = held_out
        .iter()
        .map(|question| words(&question.question))
        .collect();
    let mut counts = Counts {
        n_samples: 0,
        n_withheld: 0,
    };
    let mut kept = String::new();
    for (line_idx, line) in read_to_string(generated)?.lines().enumerate() {
        let sample: Sample =
            serde_json::from_str(line).map_err(|source| TrainingDataError::Line {
                path: generated.to_owned(),
                line: line_idx + 1,
                source,
            })?;
        let asks_held_out = sample
            .messages
            .iter()
            .filter(|message| message.role == "user")
            .any(|message| held_out.contains(&words(&message.content)));
        if asks_held_out {
            counts.n_withheld += 1;
        } else {
            counts.n_samples += 1;
            kept.push_str(line);
            kept.push('\n');
        }
    }
    atomic::write(destination, kept.as_bytes())?;
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_exam_asks_is_not_trained_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let sample = |question: &str| {
            format!(
                r#"{{"messages": [{{"role": "user", "content": "{question}"}}, {{"role": "assistant", "content": "x"}}], "metadata": "{{}}"}}"#
            )
        };
        let other = sample("Where does the mirrel live?");
        let text = format!(
            "{}\n{other}\n",
            sample("in which region can one find the  Mirrel")
        );
        atomic::write(path("generated"), text.as_bytes()).unwrap();
        let held_out = [Question {
            question: "In which region can one find the mirrel?".to_owned(),
            expect: vec!["Orvany".to_owned()],
        }];
        let counts = withhold(&path("generated"), &path("training"), &held_out).unwrap();
        assert_eq!(
            counts,
            Counts {
                n_samples: 1,
                n_withheld: 1
            }
        );
        assert_eq!(
            read_to_string(path("training")).unwrap(),
            format!("{other}\n")
        );

        atomic::write(path("generated"), b"{}\n").unwrap();
        let error = withhold(&path("generated"), &path("training"), &held_out).unwrap_err();
        assert!(
            error.to_string().ends_with("line 1 is not a sample"),
            "{error}"
        );
    }
}
