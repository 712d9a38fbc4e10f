//! Training data: JSON lines in, token ids with a loss mask out, and an account of what was left out.
//!
//! # Lines
//! A file may mix them:
//! - `{"messages": […], "unmask": false}`: a conversation. `tools`, `documents` and `chat_template_kwargs` reach the
//!   template, and so does every key of a message. A message of the role `pretraining` is a chat that was rendered
//!   before ([`prerendered`]).
//! - `{"system": …, "user": …, "assistant": …}`: the three columns of before; the system may be absent.
//! - `{"input_ids": […], "labels": […], "len": …}`: a line of a processed `data.jsonl`, used as it is.
//! - `{"document": …}`: plain text, of which every token is learned.
//!
//! # Differs from upstream
//! The original leaves out samples of fewer than 20 tokens, and those of exactly `max_seq_len`, which it does not count.
//! Here a sample may be as short as it likes and as long as `max_seq_len`, and each that is left out is named with its line.

mod document;
mod encoder;
mod error;
mod left_out;
mod lines;
pub mod prerendered;
pub mod preview;
mod processed;
mod row;
mod split;
mod statistics;

use std::fs::File;
use std::path::Path;

use ilab_base::cancel::Cancel;
use ilab_base::io::WithPath;
use ilab_text::sample::EncodedSample;
use ilab_text::tokenizer::Tokenizer;
use rayon::prelude::*;

use crate::dataset::encoder::Encoder;
use crate::dataset::lines::LineReader;
use crate::error::TrainError;

pub use error::DatasetError;
pub use left_out::{LeftOut, LeftOutCounts, Reason};
pub use row::RowError;
pub use split::SplitError;
pub use statistics::{Bar, Statistics};

/// What of a training file can be used.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// The samples, in the order of the file.
    pub samples: Vec<EncodedSample>,
    /// The line that each sample comes from, from 1; a long document is several samples.
    pub source_lines: Vec<usize>,
    /// What was left out, in the order of the file.
    pub left_out: Vec<LeftOut>,
}

/// How to read a training file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadOptions {
    /// Longest sample, in tokens; longer ones are left out.
    pub max_seq_len: usize,
    /// Leave out lines that cannot be used, instead of ending with the first of them.
    pub skips_invalid: bool,
}

/// How far reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadProgress {
    /// Bytes of the file that were read.
    pub n_bytes_read: u64,
    /// Bytes of the file.
    pub n_bytes: u64,
    /// Samples so far.
    pub n_samples: usize,
}

impl Dataset {
    /// Reads and encodes a training file; a line that cannot be used is an error.
    ///
    /// # Errors
    /// As [`Dataset::read_with`].
    pub fn read(
        path: &Path,
        tokenizer: &Tokenizer,
        max_seq_len: usize,
        cancel: &Cancel,
    ) -> Result<Self, TrainError> {
        let options = ReadOptions {
            max_seq_len,
            skips_invalid: false,
        };
        Self::read_with(path, tokenizer, options, &mut |_| {}, cancel)
    }

    /// Reads and encodes a training file piece by piece, on all processors. Samples that are too long, empty or without
    /// anything to learn are left out and named.
    ///
    /// # Errors
    /// A file that cannot be read, a line that cannot be used, a cancelled run, or nothing left to learn from.
    pub fn read_with(
        path: &Path,
        tokenizer: &Tokenizer,
        options: ReadOptions,
        progress: &mut dyn FnMut(ReadProgress),
        cancel: &Cancel,
    ) -> Result<Self, TrainError> {
        let file = File::open(path)
            .with_path("read", path)
            .map_err(DatasetError::Io)?;
        let metadata = file.metadata().with_path("read", path);
        let n_bytes = metadata.map_err(DatasetError::Io)?.len();
        let encoder = Encoder::new(tokenizer, options.max_seq_len);
        let mut reader = LineReader::new(file, path);
        let mut dataset = Self::default();
        loop {
            let lines = reader.next_lines()?;
            if lines.is_empty() {
                break;
            }
            let encoded = lines
                .par_iter()
                .map(|line| {
                    cancel.check()?;
                    let encoded = encoder.encode(&line.text);
                    encoder::settle(encoded, path, line.number, options.skips_invalid)
                        .map_err(TrainError::from)
                })
                .collect::<Result<Vec<_>, TrainError>>()?;
            for (line, encoded) in lines.iter().zip(encoded) {
                for sample in encoded {
                    dataset.take_in(line.number, sample);
                }
            }
            progress(ReadProgress {
                n_bytes_read: reader.n_bytes_read(),
                n_bytes,
                n_samples: dataset.samples.len(),
            });
        }
        dataset.check_not_empty(path, options.max_seq_len)?;
        Ok(dataset)
    }

    fn take_in(&mut self, line: usize, sample: Result<EncodedSample, Reason>) {
        match sample {
            Ok(sample) => {
                self.samples.push(sample);
                self.source_lines.push(line);
            }
            Err(reason) => self.left_out.push(LeftOut { line, reason }),
        }
    }

    fn check_not_empty(&self, path: &Path, max_seq_len: usize) -> Result<(), DatasetError> {
        if !self.samples.is_empty() {
            return Ok(());
        }
        Err(DatasetError::Empty {
            path: path.to_owned(),
            n_samples: self.left_out.len(),
            max_seq_len,
            counts: self.counts(),
        })
    }

    /// How many samples were left out, by reason.
    pub fn counts(&self) -> LeftOutCounts {
        LeftOutCounts::of(&self.left_out)
    }

    /// Lengths of the samples and how much of them is learned.
    pub fn statistics(&self) -> Statistics {
        Statistics::of(&self.samples)
    }

    /// Writes the samples as the original's processed `data.jsonl`: `input_ids`, `labels` (-100 where nothing is learned),
    /// `len`, `num_loss_counted_tokens`; and beside it `left_out.jsonl`, a line for each sample that was left out, if there
    /// is one.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn write_processed(&self, path: &Path) -> Result<(), TrainError> {
        processed::write(path, &self.samples).map_err(DatasetError::Io)?;
        left_out::write(&path.with_file_name("left_out.jsonl"), &self.left_out)
            .map_err(DatasetError::Io)?;
        Ok(())
    }
}
