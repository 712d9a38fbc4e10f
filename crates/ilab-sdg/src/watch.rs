//! Notices a teacher whose first answers are nearly all unusable, before hours are spent on more of them.

use crate::drops::{DroppedSample, Drops};
use crate::error::GenerateError;
use crate::question;
use crate::row::Row;

/// So many samples are judged.
const N_JUDGED: usize = 40;
/// At most so many of them are usable when a teacher is unfit.
const MAX_KEPT: usize = 2;
/// Samples that are shown.
const N_SHOWN: usize = 3;

/// Counts the first samples of a run, from all leaves.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    n_kept: usize,
    n_dropped: usize,
    shown: Vec<DroppedSample>,
}

impl Watch {
    /// Counts a row that no block changes any more.
    pub(crate) fn finished(&mut self, leaf: &str, row: &Row) {
        match question::form(row) {
            Ok(()) => self.n_kept += 1,
            Err((reason, text)) => self.dropped(&DroppedSample {
                leaf: leaf.to_owned(),
                block: question::CHECKS.to_owned(),
                reason,
                n_samples: 1,
                text,
            }),
        }
    }

    /// Counts what was left out on the way.
    pub(crate) fn dropped(&mut self, drop: &DroppedSample) {
        if self.n_judged() >= N_JUDGED {
            return;
        }
        self.n_dropped += drop.n_samples;
        if self.shown.len() < N_SHOWN {
            self.shown.push(drop.clone());
        }
    }

    /// An error once enough samples were judged and nearly none is usable.
    pub(crate) fn check(&self) -> Result<(), GenerateError> {
        if self.n_judged() < N_JUDGED || self.n_kept > MAX_KEPT {
            return Ok(());
        }
        Err(GenerateError::Unfit {
            n_kept: self.n_kept,
            n_judged: self.n_judged(),
            examples: Drops(self.shown.clone()),
        })
    }

    fn n_judged(&self) -> usize {
        self.n_kept + self.n_dropped
    }
}
