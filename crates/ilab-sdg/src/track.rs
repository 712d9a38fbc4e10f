//! The rows of one part on their way, and what they go through.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::block::{Block, BlockKind, majority};
use crate::drops::{DropReason, DroppedSample, Drops};
use crate::row::{self, Judged};
use crate::run::{Dropped, Run};
use crate::scheduler::{Part, Produced};

/// Where a row stands among the others: compared from left to right.
///
/// All rows at the same step have places of the same length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(pub(crate) Vec<u32>);

impl Place {
    /// After all that stood below a smaller number.
    pub(crate) fn under(&self, number: u32) -> Self {
        let mut place = vec![number];
        place.extend(&self.0);
        Self(place)
    }

    /// One of several that take the place of this one.
    pub(crate) fn followed_by(&self, number: u32) -> Self {
        let mut place = self.0.clone();
        place.push(number);
        Self(place)
    }
}

/// What rows of a part go through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'p> {
    /// Each row for itself.
    Each(&'p Block),
    /// All of them, when the last has come.
    All(&'p Block),
}

impl<'p> Step<'p> {
    pub(crate) fn block(self) -> &'p Block {
        match self {
            Self::Each(block) | Self::All(block) => block,
        }
    }

    fn of(block: &'p Block) -> impl Iterator<Item = Self> {
        let is_majority = matches!(block.kind, BlockKind::Majority { .. });
        let each = !is_majority || block.n_iterations > 1;
        let all = is_majority || !block.drop_duplicates.is_empty();
        let each = each.then_some(Self::Each(block));
        each.into_iter().chain(all.then_some(Self::All(block)))
    }
}

/// A part on its way.
pub(crate) struct Track<'p> {
    pub(crate) leaf: &'p str,
    pub(crate) steps: Vec<Step<'p>>,
    /// For each step, the answers that a row in front of it can be expected to need until the end; 0 behind the last.
    pub(crate) expected: Vec<i64>,
    /// Rows that are ready or being visited.
    pub(crate) n_travelling: usize,
    /// Rows in front of a step for all, which is `gathered_at`.
    pub(crate) gathered: Vec<(Place, Judged)>,
    pub(crate) gathered_at: usize,
    pub(crate) finished: Vec<(Place, Judged)>,
    pub(crate) dropped: Vec<(usize, Place, DroppedSample)>,
    pub(crate) n_answers: usize,
}

impl<'p> Track<'p> {
    pub(crate) fn new(part: &Part<'p>, run: &Run<'_>) -> Self {
        let steps: Vec<Step<'p>> = part.pipeline.blocks.iter().flat_map(Step::of).collect();
        let mut expected = vec![0; steps.len() + 1];
        for (index, step) in steps.iter().enumerate().rev() {
            expected[index] = match step {
                Step::All(_) => expected[index + 1],
                Step::Each(block) => {
                    let (n_answers, n_rows) = run.expected(block);
                    let each = i64::from(n_answers) + i64::from(n_rows) * expected[index + 1];
                    i64::from(block.n_iterations) * each
                }
            };
        }
        Self {
            leaf: part.leaf,
            steps,
            expected,
            n_travelling: 0,
            gathered: Vec::new(),
            gathered_at: 0,
            finished: Vec::new(),
            dropped: Vec::new(),
            n_answers: 0,
        }
    }

    /// What a step for all leaves of the rows.
    pub(crate) fn all(
        &mut self,
        step: usize,
        mut rows: Vec<(Place, Judged)>,
    ) -> Vec<(Place, Judged)> {
        rows.sort_by(|(left, _), (right, _)| left.cmp(right));
        let block = self.steps[step].block();
        if let BlockKind::Majority { column } = &block.kind {
            let values = rows.iter().filter_map(|(_, judged)| judged.row.get(column));
            let winner = majority(values).cloned();
            for (_, judged) in &mut rows {
                if let Some(winner) = &winner {
                    judged.row.insert(column.clone(), winner.clone());
                }
                block.drop_columns_of(judged);
            }
        }
        let columns = &block.drop_duplicates;
        if columns.is_empty() {
            return rows;
        }
        let mut seen = HashSet::new();
        let mut kept = Vec::with_capacity(rows.len());
        for (place, judged) in rows {
            let values: Vec<_> = columns
                .iter()
                .map(|column| row::text(&judged.row, column))
                .collect();
            let text = values.join("\n");
            let values: Vec<String> = values.into_iter().map(Cow::into_owned).collect();
            if seen.insert(values) {
                kept.push((place, judged));
            } else {
                let mut drops = Drops::default();
                let mut dropped = Dropped {
                    leaf: self.leaf,
                    block: &block.name,
                    drops: &mut drops,
                };
                dropped.add(DropReason::Duplicate, 1, text);
                self.drop_all(step, &place, drops);
            }
        }
        kept
    }

    /// Whether no block changes a row any more after this step; those that look at all rows may still leave it out.
    pub(crate) fn is_made_after(&self, step: usize) -> bool {
        let mut rest = self.steps[step + 1..].iter();
        rest.all(|step| matches!(step, Step::All(_)))
    }

    pub(crate) fn drop_all(&mut self, step: usize, place: &Place, drops: Drops) {
        let tagged = drops.0.into_iter().map(|drop| (step, place.clone(), drop));
        self.dropped.extend(tagged);
    }

    pub(crate) fn finish(mut self) -> Produced {
        self.finished
            .sort_by(|(left, _), (right, _)| left.cmp(right));
        self.dropped
            .sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        Produced {
            rows: self
                .finished
                .into_iter()
                .map(|(_, judged)| judged)
                .collect(),
            drops: Drops(self.dropped.into_iter().map(|(.., drop)| drop).collect()),
            n_answers: self.n_answers,
        }
    }
}
