//! The processed `data.jsonl` that the original's trainers read: tokens with labels, a sample a line.

use std::io::Write as _;
use std::path::Path;

use ilab_base::io::IoError;
use ilab_text::sample::EncodedSample;
use serde::Serialize;

use crate::dataset::row::RowError;

/// The label of a token that is not learned, as PyTorch's cross entropy ignores it.
const IGNORED: i64 = -100;

/// Tokens with their labels, as they were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ProcessedRow {
    sample: EncodedSample,
}

impl ProcessedRow {
    /// Takes the columns of a line; without labels every token is learned, as in files for pre-training.
    pub(super) fn checked(
        input_ids: Vec<u32>,
        labels: Option<Vec<i64>>,
        len: Option<usize>,
    ) -> Result<Self, RowError> {
        let n_ids = input_ids.len();
        let n_labels = labels.as_ref().map(Vec::len);
        for (column, found) in [("labels", n_labels), ("len", len)] {
            if let Some(found) = found.filter(|found| *found != n_ids) {
                return Err(RowError::Lengths {
                    n_ids,
                    column,
                    found,
                });
            }
        }
        let is_learned = match labels {
            None => vec![true; n_ids],
            Some(labels) => {
                let labels = labels.iter().zip(&input_ids).enumerate();
                labels
                    .map(|(position, (label, id))| match *label {
                        IGNORED => Ok(false),
                        label if label == i64::from(*id) => Ok(true),
                        label => Err(RowError::Label {
                            position,
                            label,
                            id: *id,
                        }),
                    })
                    .collect::<Result<_, _>>()?
            }
        };
        Ok(Self {
            sample: EncodedSample {
                input_ids,
                is_learned,
            },
        })
    }

    /// The sample, if its tokens are those of a vocabulary that ends with `max_id`.
    pub(super) fn into_sample(self, max_id: u32) -> Result<EncodedSample, RowError> {
        let mut ids = self.sample.input_ids.iter().copied();
        match ids.position(|id| id > max_id) {
            None => Ok(self.sample),
            Some(position) => Err(RowError::UnknownToken {
                position,
                id: self.sample.input_ids[position],
                max_id,
            }),
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    input_ids: &'a [u32],
    labels: Vec<i64>,
    len: usize,
    num_loss_counted_tokens: usize,
}

impl<'a> Line<'a> {
    fn of(sample: &'a EncodedSample) -> Self {
        Self {
            input_ids: &sample.input_ids,
            labels: labels(sample),
            len: sample.input_ids.len(),
            num_loss_counted_tokens: sample.n_learned(),
        }
    }
}

/// The token where it is learned, -100 elsewhere.
pub(super) fn labels(sample: &EncodedSample) -> Vec<i64> {
    let tokens = sample.input_ids.iter().zip(&sample.is_learned);
    tokens
        .map(|(id, is_learned)| if *is_learned { i64::from(*id) } else { IGNORED })
        .collect()
}

/// Writes a line for each sample.
pub(super) fn write(path: &Path, samples: &[EncodedSample]) -> Result<(), IoError> {
    ilab_base::atomic::write_with(path, |file| {
        for sample in samples {
            serde_json::to_writer(&mut *file, &Line::of(sample))?;
            file.write_all(b"\n")?;
        }
        Ok(())
    })
}
