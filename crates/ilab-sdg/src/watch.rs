//! Notices a teacher that is nearly always wrong, before hours are spent on more of its answers.

use std::collections::BTreeMap;

use crate::drops::{DroppedSample, Drops};
use crate::error::GenerateError;
use crate::question;
use crate::row::Row;

/// So many rows of a block are judged.
const N_JUDGED: usize = 40;
/// At most so many of them pass when something is wrong.
const MAX_KEPT: usize = 2;
/// Samples that are shown.
const N_SHOWN: usize = 3;

/// Counts what passes each block, from all leaves. Each block is judged by itself: what is left out early in a pipeline is
/// known long before anything reaches its end.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    blocks: BTreeMap<String, Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    n_kept: usize,
    n_dropped: usize,
    shown: Vec<DroppedSample>,
}

impl Watch {
    /// Counts what a block made of a row. A refused request is one, however many answers it asked for.
    pub(crate) fn visited(&mut self, block: &str, n_rows: usize, drops: &Drops) {
        let counts = self.of(block);
        counts.n_kept += n_rows;
        drops.0.iter().for_each(|drop| counts.drop(drop));
    }

    /// Counts a row that no block changes any more.
    pub(crate) fn finished(&mut self, leaf: &str, row: &Row) {
        let checks = self.of(question::CHECKS);
        match question::form(row) {
            Ok(()) => checks.n_kept += 1,
            Err((reason, text)) => checks.drop(&DroppedSample {
                leaf: leaf.to_owned(),
                block: question::CHECKS.to_owned(),
                reason,
                n_samples: 1,
                text,
            }),
        }
    }

    /// An error once enough rows of some block were judged and nearly none passed.
    pub(crate) fn check(&self) -> Result<(), GenerateError> {
        let unfit = self.blocks.iter().find(|(_, counts)| counts.is_unfit());
        let Some((block, counts)) = unfit else {
            return Ok(());
        };
        Err(GenerateError::Unfit {
            block: block.clone(),
            n_kept: counts.n_kept,
            n_judged: counts.n_judged(),
            examples: Drops(counts.shown.clone()),
        })
    }

    fn of(&mut self, block: &str) -> &mut Counts {
        if !self.blocks.contains_key(block) {
            self.blocks.insert(block.to_owned(), Counts::default());
        }
        self.blocks
            .get_mut(block)
            .expect("it was put there where it was missing")
    }
}

impl Counts {
    fn drop(&mut self, drop: &DroppedSample) {
        self.n_dropped += 1;
        if self.shown.len() < N_SHOWN {
            self.shown.push(drop.clone());
        }
    }

    fn is_unfit(&self) -> bool {
        self.n_judged() >= N_JUDGED && self.n_kept <= MAX_KEPT
    }

    fn n_judged(&self) -> usize {
        self.n_kept + self.n_dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drops::DropReason;

    fn drops(n: usize, n_samples: usize) -> Drops {
        let drop = DroppedSample {
            leaf: "l".into(),
            block: "b".into(),
            reason: DropReason::Filtered,
            n_samples,
            text: "t".into(),
        };
        Drops(vec![drop; n])
    }

    #[test]
    fn a_judge_that_rejects_some_is_no_reason_to_stop() {
        let mut watch = Watch::default();
        watch.visited("ask", 400, &drops(0, 1));
        // All that is rejected is known before anything has reached the end.
        watch.visited("judge", 360, &drops(40, 1));
        assert!(watch.check().is_ok());
        watch.visited("strict judge", 2, &drops(38, 1));
        assert!(watch.check().is_err());
    }

    #[test]
    fn a_refused_request_is_one() {
        let mut watch = Watch::default();
        watch.visited("ask", 0, &drops(39, 8));
        assert!(watch.check().is_ok());
        watch.visited("ask", 0, &drops(1, 8));
        assert!(watch.check().is_err());
    }
}
