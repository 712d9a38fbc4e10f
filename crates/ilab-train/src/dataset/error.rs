//! Why a training file cannot be used.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_base::io::IoError;
use ilab_text::sample::EncodeError;

use crate::dataset::left_out::LeftOutCounts;
use crate::dataset::row::RowError;

/// A training file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file cannot be read or the processed data cannot be written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A line is so long that the file is none of lines.
    #[error("`{}` line {line} is longer than {limit} bytes", path.display())]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The limit.
        limit: u64,
    },
    /// A line is not a conversation.
    #[error("`{}` line {line} is not a conversation", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        #[source]
        source: RowError,
    },
    /// A conversation cannot be encoded.
    #[error("`{}` line {line} cannot be encoded", path.display())]
    Encode {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        #[source]
        source: EncodeError,
    },
    /// Nothing is left to learn from.
    #[error(
        "`{}` has nothing to learn from: of {n_samples} samples, {} are longer than {max_seq_len} tokens and {} have no learnable token{}",
        path.display(), counts.too_long, counts.nothing_to_learn + counts.empty, invalid(*counts)
    )]
    Empty {
        /// The file.
        path: PathBuf,
        /// Samples in the file.
        n_samples: usize,
        /// The limit.
        max_seq_len: usize,
        /// What was left out.
        counts: LeftOutCounts,
    },
}

fn invalid(counts: LeftOutCounts) -> String {
    match counts.invalid {
        0 => String::new(),
        n_lines => format!(", {n_lines} cannot be used"),
    }
}

impl Hint for DatasetError {
    fn hints(&self) -> Vec<String> {
        const SKIP: &str = "pass `--skip-invalid` to leave such lines out and go on";
        match self {
            Self::Io(error) if error.is_not_found() => {
                vec![
                    "pass the training file with `--data-path`; `ilab data generate` writes one"
                        .to_owned(),
                ]
            }
            Self::Io(error) => error.hints(),
            Self::LineTooLong { .. } => {
                vec!["the file has to hold one JSON object a line".to_owned()]
            }
            Self::Line { source, .. } => {
                let mut hints = source.hints();
                hints.push(SKIP.to_owned());
                hints
            }
            Self::Encode { source, .. } => {
                let mut hints = source.hints();
                hints.push(SKIP.to_owned());
                hints
            }
            Self::Empty { counts, .. } if counts.too_long > 0 => {
                vec!["raise `--max-seq-len`, or generate from shorter documents".to_owned()]
            }
            Self::Empty { .. } => {
                vec!["every sample needs an assistant message with some text; `ilab data generate` writes such files".to_owned()]
            }
        }
    }
}
