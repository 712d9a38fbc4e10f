//! Why there is no draft.

use ilab_base::hint::Hint;
use ilab_openai::completer::CompletionError;

/// Characters of an answer that an error shows.
const ANSWER_LENGTH: usize = 200;

/// A leaf cannot be drafted.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The documents do not give enough passages.
    #[error("the documents hold {n_passages} different passages, and a leaf needs {n_wanted}")]
    TooShort {
        /// Passages that there are.
        n_passages: usize,
        /// Passages that a leaf needs.
        n_wanted: usize,
    },
    /// The teacher did not write what it was asked for.
    #[error(
        "`{model}` wrote {n_found} of {n_wanted} questions about a passage in {n_attempts} attempts; its last answer: {}",
        beginning(answer)
    )]
    TooFewPairs {
        /// The teacher.
        model: String,
        /// Questions that could be read out of its answers.
        n_found: usize,
        /// Questions that were asked for.
        n_wanted: usize,
        /// How often it was asked.
        n_attempts: u64,
        /// What it said last.
        answer: String,
    },
    /// The teacher failed.
    #[error(transparent)]
    Teacher(#[from] CompletionError),
}

fn beginning(answer: &str) -> String {
    let shown: String = answer.trim().chars().take(ANSWER_LENGTH).collect();
    format!("{shown:?}")
}

impl Hint for DraftError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::TooShort { .. } => {
                vec!["add documents about the same subject with `--document`".to_owned()]
            }
            Self::TooFewPairs { .. } => vec![
                "name a stronger teacher with `--model` or `--endpoint-url`".to_owned(),
                "`--blank` writes the passages and leaves the questions to you".to_owned(),
            ],
            Self::Teacher(error) => error.hints(),
        }
    }
}
