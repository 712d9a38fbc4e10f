//! Rows through a pipeline.
//!
//! Leaves run side by side and so do the rows of a block; the order of the results is that of the rows and of their
//! answers, whatever came back first.

use std::collections::HashSet;

use futures::future::try_join_all;
use ilab_openai::completer::{Choice, FinishReason};

use crate::block::{Ask, AskSettings, Block, BlockKind};
use crate::drops::{DropReason, DroppedSample, Drops};
use crate::error::GenerateError;
use crate::observer::{Event, Observer};
use crate::pipeline::{Pipeline, fingerprint};
use crate::row::{self, Row};
use crate::teacher::{Outcome, Teacher};

/// What all rows of a run share.
pub(crate) struct Run<'run> {
    pub(crate) teacher: &'run Teacher<'run>,
    pub(crate) observer: &'run dyn Observer,
    pub(crate) settings: AskSettings,
    pub(crate) seed: u64,
}

/// What became of the rows of a leaf.
#[derive(Debug, Default)]
pub(crate) struct Produced {
    pub(crate) rows: Vec<Row>,
    pub(crate) drops: Drops,
    /// Answers that were asked for.
    pub(crate) n_answers: usize,
}

impl Run<'_> {
    /// Sends the rows of a leaf through a pipeline.
    pub(crate) async fn pipeline(
        &self,
        pipeline: &Pipeline,
        leaf: &str,
        rows: Vec<Row>,
    ) -> Result<Produced, GenerateError> {
        let mut produced = Produced {
            rows,
            ..Produced::default()
        };
        for block in &pipeline.blocks {
            self.block(block, leaf, &mut produced).await?;
        }
        Ok(produced)
    }

    async fn block(
        &self,
        block: &Block,
        leaf: &str,
        produced: &mut Produced,
    ) -> Result<(), GenerateError> {
        let mut dropped = Dropped {
            leaf,
            block: &block.name,
            drops: &mut produced.drops,
        };
        let rows = std::mem::take(&mut produced.rows);
        let mut rows = match &block.kind {
            BlockKind::Ask(ask) => {
                produced.n_answers += rows.len() * ask.n_answers(self.settings) as usize;
                self.ask(ask, rows, &mut dropped).await?
            }
            BlockKind::Filter(filter) => {
                let (kept, sorted_out): (Vec<_>, Vec<_>) = rows
                    .into_iter()
                    .map(|mut row| (filter.keeps(&mut row), row))
                    .partition(|(keeps, _)| *keeps);
                for (_, row) in sorted_out {
                    dropped.add(DropReason::Filtered, 1, last_text(&row));
                }
                kept.into_iter().map(|(_, row)| row).collect()
            }
            BlockKind::Combine(combine) => changed(rows, |row| combine.apply(row)),
            BlockKind::Duplicate(pairs) => changed(rows, |row| pairs.duplicate(row)),
            BlockKind::Rename(pairs) => changed(rows, |row| pairs.rename(row)),
        };
        if !block.drop_columns.is_empty() {
            rows = changed(rows, |row| {
                row.retain(|column, _| !block.drop_columns.contains(column))
            });
        }
        if !block.drop_duplicates.is_empty() {
            rows = without_duplicates(rows, &block.drop_duplicates, &mut dropped);
        }
        produced.rows = rows;
        Ok(())
    }

    async fn ask(
        &self,
        ask: &Ask,
        rows: Vec<Row>,
        dropped: &mut Dropped<'_>,
    ) -> Result<Vec<Row>, GenerateError> {
        // All prompts first: a row that does not fit the prompt is told before anything is asked.
        let prompts = rows
            .iter()
            .map(|row| ask.prompt(row))
            .collect::<Result<Vec<_>, _>>()?;
        let pieces = ask.pieces(self.settings);
        self.observer.event(Event::Planned {
            n_answers: rows.len() * ask.n_answers(self.settings) as usize,
        });
        let requests = prompts.iter().flat_map(|prompt| {
            let seed = prompt_seed(self.seed, ask, prompt);
            pieces
                .iter()
                .map(move |piece| ask.request(prompt, *piece, seed, self.settings))
        });
        let outcomes =
            try_join_all(requests.map(|request| self.teacher.ask(&ask.fingerprint, request)))
                .await?;
        let mut results = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let row = &rows[index / pieces.len()];
            match outcome {
                Outcome::Answered(completion) => {
                    for choice in &completion.choices {
                        results.extend(parsed(ask, row, choice, dropped));
                    }
                }
                Outcome::Refused {
                    is_overflow,
                    message,
                } => {
                    let reason = if is_overflow {
                        DropReason::ContextOverflow
                    } else {
                        DropReason::Rejected
                    };
                    dropped.add(
                        reason,
                        pieces[index % pieces.len()].n_answers as usize,
                        message,
                    );
                }
            }
        }
        Ok(results)
    }
}

fn parsed(ask: &Ask, row: &Row, choice: &Choice, dropped: &mut Dropped<'_>) -> Vec<Row> {
    let reason = match choice.finish_reason {
        FinishReason::Length => Some(DropReason::CutOff),
        FinishReason::Stop => choice
            .text
            .trim()
            .is_empty()
            .then_some(DropReason::EmptyAnswer),
    };
    if let Some(reason) = reason {
        dropped.add(reason, 1, choice.text.trim());
        return Vec::new();
    }
    let rows = ask.rows(row, &choice.text);
    if rows.is_empty() {
        dropped.add(DropReason::NothingParsed, 1, choice.text.trim());
    }
    rows
}

/// The same prompt always gets the same seed, in whatever order prompts are sent.
fn prompt_seed(run_seed: u64, ask: &Ask, prompt: &str) -> u64 {
    let hash = fingerprint([
        &run_seed.to_le_bytes()[..],
        &ask.fingerprint,
        prompt.as_bytes(),
    ]);
    // 31 bits: every server takes those.
    u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1)
}

fn changed(mut rows: Vec<Row>, change: impl Fn(&mut Row)) -> Vec<Row> {
    rows.iter_mut().for_each(change);
    rows
}

fn without_duplicates(rows: Vec<Row>, columns: &[String], dropped: &mut Dropped<'_>) -> Vec<Row> {
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(rows.len());
    for row in rows {
        let values: Vec<String> = columns
            .iter()
            .map(|column| row::text(&row, column).into_owned())
            .collect();
        let text = values.join("\n");
        if seen.insert(values) {
            kept.push(row);
        } else {
            dropped.add(DropReason::Duplicate, 1, text);
        }
    }
    kept
}

/// What a person recognises a row by: its newest text.
fn last_text(row: &Row) -> String {
    row.keys()
        .next_back()
        .map(|column| row::text(row, column).into_owned())
        .unwrap_or_default()
}

/// Where drops of one block go.
pub(crate) struct Dropped<'a> {
    pub(crate) leaf: &'a str,
    pub(crate) block: &'a str,
    pub(crate) drops: &'a mut Drops,
}

impl Dropped<'_> {
    pub(crate) fn add(&mut self, reason: DropReason, n_samples: usize, text: impl Into<String>) {
        self.drops.0.push(DroppedSample {
            leaf: self.leaf.to_owned(),
            block: self.block.to_owned(),
            reason,
            n_samples,
            text: text.into(),
        });
    }
}
