//! Training data: JSON lines with messages in, token ids with a loss mask out, and an account of what was left out.

use std::io::Write;
use std::path::{Path, PathBuf};

use ilab_base::cancel::Cancel;
use ilab_base::io::{IoError, read};
use ilab_text::message::Message;
use ilab_text::sample::{EncodeError, EncodedSample, encode};
use ilab_text::tokenizer::Tokenizer;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// One line of a training file; other keys (`id`, `metadata`) are of no use here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// The turns.
    pub messages: Vec<Message>,
    /// Learn every turn but the system's.
    #[serde(default)]
    pub unmask: bool,
}

/// What of a training file can be used.
#[derive(Debug)]
pub struct Dataset {
    /// The samples, in the order of the file.
    pub samples: Vec<EncodedSample>,
    /// What was left out.
    pub dropped: Dropped,
}

/// How many samples were left out, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Longer than `max_seq_len`.
    pub too_long: usize,
    /// No token that the model learns to produce.
    pub nothing_to_learn: usize,
}

/// A training file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file cannot be read or the processed data cannot be written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A line is not a conversation.
    #[error("`{}` line {line} is not a conversation", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
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
        "`{}` has nothing to learn from: of {n_samples} samples, {} are longer than {max_seq_len} tokens and {} have no learnable token",
        path.display(), dropped.too_long, dropped.nothing_to_learn
    )]
    Empty {
        /// The file.
        path: PathBuf,
        /// Samples in the file.
        n_samples: usize,
        /// The limit.
        max_seq_len: usize,
        /// What was left out.
        dropped: Dropped,
    },
}

impl ilab_base::hint::Hint for DatasetError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) if error.is_not_found() => {
                vec!["pass the training file with `--data-path`; `ilab data generate` writes one".to_owned()]
            }
            Self::Io(error) => error.hints(),
            Self::Line { .. } => vec![
                r#"each line is a JSON object such as {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}"#.to_owned(),
            ],
            Self::Encode { source, .. } => source.hints(),
            Self::Empty { dropped, n_samples, .. } if dropped.too_long > 0 && *n_samples > 0 => {
                vec!["raise `--max-seq-len`, or generate from shorter documents".to_owned()]
            }
            Self::Empty { .. } => {
                vec!["every sample needs an assistant message with some text; `ilab data generate` writes such files".to_owned()]
            }
        }
    }
}

impl Dataset {
    /// Reads and encodes a training file. Samples longer than `max_seq_len` tokens, or with nothing to learn, are counted
    /// and left out.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is not a conversation, a cancelled run, or nothing left to learn from.
    pub fn read(
        path: &Path,
        tokenizer: &Tokenizer,
        max_seq_len: usize,
        cancel: &Cancel,
    ) -> Result<Self, TrainError> {
        let bytes = read(path).map_err(DatasetError::Io)?;
        let lines: Vec<(usize, &[u8])> = bytes
            .split(|byte| *byte == b'\n')
            .enumerate()
            .filter(|(_, line)| !line.trim_ascii().is_empty())
            .collect();
        let encoded = lines
            .par_iter()
            .map(|(index, line)| {
                cancel.check()?;
                Ok(encode_line(path, index + 1, line, tokenizer)?)
            })
            .collect::<Result<Vec<EncodedSample>, TrainError>>()?;
        let n_samples = encoded.len();
        let mut dropped = Dropped::default();
        let samples: Vec<_> = encoded
            .into_iter()
            .filter(|sample| is_usable(sample, max_seq_len, &mut dropped))
            .collect();
        if samples.is_empty() {
            return Err(DatasetError::Empty {
                path: path.to_owned(),
                n_samples,
                max_seq_len,
                dropped,
            }
            .into());
        }
        Ok(Self { samples, dropped })
    }

    /// Writes the samples as the original's processed `data.jsonl`: `input_ids`, `labels` (-100 where nothing is learned),
    /// `len`, `num_loss_counted_tokens`.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn write_processed(&self, path: &Path) -> Result<(), TrainError> {
        ilab_base::atomic::write_with(path, |file| {
            for sample in &self.samples {
                serde_json::to_writer(&mut *file, &Processed::of(sample))?;
                file.write_all(b"\n")?;
            }
            Ok(())
        })
        .map_err(|error| DatasetError::Io(error).into())
    }
}

fn encode_line(
    path: &Path,
    line: usize,
    text: &[u8],
    tokenizer: &Tokenizer,
) -> Result<EncodedSample, DatasetError> {
    let conversation: Conversation =
        serde_json::from_slice(text).map_err(|source| DatasetError::Line {
            path: path.to_owned(),
            line,
            source,
        })?;
    encode(tokenizer, &conversation.messages, conversation.unmask).map_err(|source| {
        DatasetError::Encode {
            path: path.to_owned(),
            line,
            source,
        }
    })
}

fn is_usable(sample: &EncodedSample, max_seq_len: usize, dropped: &mut Dropped) -> bool {
    if sample.input_ids.len() > max_seq_len {
        dropped.too_long += 1;
        return false;
    }
    if sample.n_learned() == 0 {
        dropped.nothing_to_learn += 1;
        return false;
    }
    true
}

/// The label of a token that is not learned, as PyTorch's cross entropy ignores it.
const IGNORED: i64 = -100;

#[derive(Serialize)]
struct Processed<'a> {
    input_ids: &'a [u32],
    labels: Vec<i64>,
    len: usize,
    num_loss_counted_tokens: usize,
}

impl<'a> Processed<'a> {
    fn of(sample: &'a EncodedSample) -> Self {
        let labels = sample.input_ids.iter().zip(&sample.is_learned);
        Self {
            input_ids: &sample.input_ids,
            labels: labels
                .map(|(id, is_learned)| if *is_learned { i64::from(*id) } else { IGNORED })
                .collect(),
            len: sample.input_ids.len(),
            num_loss_counted_tokens: sample.n_learned(),
        }
    }
}
