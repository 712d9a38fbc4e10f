//! The samples that are not learned, each with its line and the reason.

use std::io::Write as _;
use std::path::Path;

use ilab_base::io::{IoError, WithPath};
use serde::Serialize;

/// A sample that is not learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Its line in the file, from 1.
    pub line: usize,
    /// Why.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Why a sample is not learned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// It is longer than allowed.
    TooLong {
        /// Its tokens.
        n_tokens: usize,
        /// The most that is allowed.
        max_seq_len: usize,
    },
    /// It has no token that the model would learn to produce.
    NothingToLearn {
        /// Its tokens.
        n_tokens: usize,
    },
    /// It has no text at all.
    Empty,
    /// It cannot be read or encoded.
    Invalid {
        /// What is wrong with it.
        message: String,
    },
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong {
                n_tokens,
                max_seq_len,
            } => write!(
                f,
                "{n_tokens} tokens, at most {max_seq_len} are learned together"
            ),
            Self::NothingToLearn { n_tokens } => {
                write!(f, "none of its {n_tokens} tokens is to be learned")
            }
            Self::Empty => f.write_str("it has no text"),
            Self::Invalid { message } => f.write_str(message),
        }
    }
}

/// How many samples were left out, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOutCounts {
    /// Longer than `max_seq_len`.
    pub too_long: usize,
    /// No token that the model learns to produce.
    pub nothing_to_learn: usize,
    /// No text at all.
    pub empty: usize,
    /// Cannot be read or encoded.
    pub invalid: usize,
}

impl LeftOutCounts {
    pub(super) fn of(left_out: &[LeftOut]) -> Self {
        let mut counts = Self::default();
        for sample in left_out {
            *match sample.reason {
                Reason::TooLong { .. } => &mut counts.too_long,
                Reason::NothingToLearn { .. } => &mut counts.nothing_to_learn,
                Reason::Empty => &mut counts.empty,
                Reason::Invalid { .. } => &mut counts.invalid,
            } += 1;
        }
        counts
    }

    /// Of all reasons.
    pub fn total(&self) -> usize {
        self.too_long + self.nothing_to_learn + self.empty + self.invalid
    }
}

/// Writes a line for each; without any, the list of an earlier run is removed.
pub(super) fn write(path: &Path, left_out: &[LeftOut]) -> Result<(), IoError> {
    if left_out.is_empty() {
        return match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_path("remove", path)
            }
            _ => Ok(()),
        };
    }
    ilab_base::atomic::write_with(path, |file| {
        for sample in left_out {
            serde_json::to_writer(&mut *file, sample)?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}
