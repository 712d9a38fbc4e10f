//! Rows through a pipeline.
//!
//! Leaves run side by side and so do the rows of a block; the order of the results is that of the rows and of their
//! answers, whatever came back first.

use std::collections::HashSet;

use futures::future::try_join_all;
use ilab_openai::completer::{Choice, FinishReason, Request};

use crate::block::{Ask, AskMessages, AskSettings, Block, BlockKind, set_to_majority};
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
        let mut before = std::mem::take(&mut produced.rows);
        let mut rows = Vec::new();
        for iteration in 0..block.n_iterations {
            let asked = Asked {
                iteration,
                n_answers: &mut produced.n_answers,
            };
            let is_last = iteration + 1 == block.n_iterations;
            let input = if is_last {
                std::mem::take(&mut before)
            } else {
                before.clone()
            };
            rows.extend(self.kind(&block.kind, input, asked, &mut dropped).await?);
        }
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

    async fn kind(
        &self,
        kind: &BlockKind,
        mut rows: Vec<Row>,
        asked: Asked<'_>,
        dropped: &mut Dropped<'_>,
    ) -> Result<Vec<Row>, GenerateError> {
        Ok(match kind {
            BlockKind::Ask(ask) => self.ask(ask, rows, asked, dropped).await?,
            BlockKind::Messages(chat) => self.chat(chat, rows, asked, dropped).await?,
            BlockKind::Filter(filter) => {
                kept(rows, DropReason::Filtered, dropped, |row| filter.keeps(row))
            }
            BlockKind::Combine(combine) => changed(rows, |row| combine.apply(row)),
            BlockKind::Duplicate(pairs) => changed(rows, |row| pairs.duplicate(row)),
            BlockKind::Rename(pairs) => changed(rows, |row| pairs.rename(row)),
            BlockKind::Flatten(flatten) => flatten.apply(&rows),
            BlockKind::Populate(files) => {
                kept(rows, DropReason::NoChoice, dropped, |row| files.apply(row))
            }
            BlockKind::Select(select) => {
                kept(rows, DropReason::NoChoice, dropped, |row| select.apply(row))
            }
            BlockKind::Majority { column } => {
                set_to_majority(&mut rows, column);
                rows
            }
        })
    }

    async fn ask(
        &self,
        ask: &Ask,
        rows: Vec<Row>,
        mut asked: Asked<'_>,
        dropped: &mut Dropped<'_>,
    ) -> Result<Vec<Row>, GenerateError> {
        let n_answers = ask.n_answers(self.settings) as usize;
        // All prompts first: a row that does not fit the prompt is told before anything is asked.
        let mut prompts = Vec::with_capacity(rows.len());
        for row in rows {
            match ask.prompt(&row)? {
                Some(prompt) => prompts.push((row, prompt)),
                None => dropped.add(DropReason::NoChoice, n_answers, last_text(&row)),
            }
        }
        asked.plan(self.observer, prompts.len() * n_answers);
        let pieces = ask.pieces(self.settings);
        let requests = prompts.iter().flat_map(|(_, prompt)| {
            let fixed = asked.repeated(ask.sampling.seed, n_answers);
            let seed =
                fixed.unwrap_or_else(|| self.seed_of(&ask.fingerprint, prompt, asked.iteration));
            pieces
                .iter()
                .map(move |piece| ask.request(prompt, *piece, seed, self.settings))
        });
        let outcomes = self.send(&ask.fingerprint, requests).await?;
        let mut results = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            let (row, _) = &prompts[index / pieces.len()];
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
                    let n_answers = pieces[index % pieces.len()].n_answers;
                    dropped.refused(is_overflow, n_answers as usize, message);
                }
            }
        }
        Ok(results)
    }

    async fn chat(
        &self,
        chat: &AskMessages,
        rows: Vec<Row>,
        mut asked: Asked<'_>,
        dropped: &mut Dropped<'_>,
    ) -> Result<Vec<Row>, GenerateError> {
        let n_answers = chat.sampling.n_choices() as usize;
        let mut requests = Vec::with_capacity(rows.len());
        for row in rows {
            let text = row::text(&row, &chat.input_column).into_owned();
            let fixed = asked.repeated(chat.sampling.seed, n_answers);
            let seed =
                fixed.unwrap_or_else(|| self.seed_of(&CHAT_FINGERPRINT, &text, asked.iteration));
            match chat.request(&row, seed) {
                Some(request) => requests.push((row, request)),
                None => dropped.add(DropReason::NoChoice, 1, text),
            }
        }
        asked.plan(self.observer, requests.len() * n_answers);
        let sent = requests.iter().map(|(_, request)| request.clone());
        let outcomes = self.send(&CHAT_FINGERPRINT, sent).await?;
        let mut results = Vec::new();
        for ((row, _), outcome) in requests.iter().zip(outcomes) {
            match outcome {
                Outcome::Answered(completion) => {
                    let mut choices = completion.choices.iter();
                    match choices.find_map(|choice| unusable(choice).map(|why| (why, choice))) {
                        Some((reason, choice)) => dropped.add(reason, 1, choice.text.trim()),
                        None => results.push(chat.answered(row, &completion)),
                    }
                }
                Outcome::Refused {
                    is_overflow,
                    message,
                } => dropped.refused(is_overflow, 1, message),
            }
        }
        Ok(results)
    }

    /// All requests of a block at once; the teacher bounds how many wait for an answer.
    async fn send(
        &self,
        block_fingerprint: &[u8; 32],
        requests: impl Iterator<Item = Request>,
    ) -> Result<Vec<Outcome>, GenerateError> {
        try_join_all(requests.map(|request| self.teacher.ask(block_fingerprint, request))).await
    }

    /// The same prompt always gets the same seed, in whatever order prompts are sent; another one each time it is repeated.
    fn seed_of(&self, block_fingerprint: &[u8; 32], prompt: &str, iteration: u32) -> u64 {
        let repetition = iteration.to_le_bytes();
        let repetition = (iteration > 0).then_some(&repetition[..]);
        let run_seed = self.seed.to_le_bytes();
        let parts = [&run_seed[..], block_fingerprint, prompt.as_bytes()];
        let hash = fingerprint(parts.into_iter().chain(repetition));
        // 31 bits: every server takes those.
        u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) >> 1)
    }
}

/// Part of the identity of requests that no prompt file words.
const CHAT_FINGERPRINT: [u8; 32] = *b"a chat from a column of the row ";

/// Which repetition of a block asks, and where its answers are counted.
struct Asked<'a> {
    iteration: u32,
    n_answers: &'a mut usize,
}

impl Asked<'_> {
    fn plan(&mut self, observer: &dyn Observer, n_answers: usize) {
        *self.n_answers += n_answers;
        observer.event(Event::Planned { n_answers });
    }

    /// The seed that a block fixes, moved on past the answers of the repetitions before.
    fn repeated(&self, fixed: Option<u64>, n_answers: usize) -> Option<u64> {
        fixed.map(|seed| seed + u64::from(self.iteration) * n_answers as u64)
    }
}

/// Why an answer cannot be used at all.
fn unusable(choice: &Choice) -> Option<DropReason> {
    match choice.finish_reason {
        FinishReason::Length => Some(DropReason::CutOff),
        FinishReason::Stop => choice
            .text
            .trim()
            .is_empty()
            .then_some(DropReason::EmptyAnswer),
    }
}

/// The rows of an answer. Of one that was cut off, those that are whole.
fn parsed(ask: &Ask, row: &Row, choice: &Choice, dropped: &mut Dropped<'_>) -> Vec<Row> {
    let is_cut_off = choice.finish_reason == FinishReason::Length;
    if let Some(reason) = unusable(choice)
        && !(is_cut_off && ask.parser.finds_parts())
    {
        dropped.add(reason, 1, choice.text.trim());
        return Vec::new();
    }
    let rows = ask.rows(row, &choice.text, is_cut_off);
    if is_cut_off {
        dropped.add(DropReason::CutOff, 1, choice.text.trim());
    } else if rows.is_empty() {
        dropped.add(DropReason::NothingParsed, 1, choice.text.trim());
    }
    rows
}

/// The rows that pass, changed or not; the others are dropped for `reason`.
fn kept(
    rows: Vec<Row>,
    reason: DropReason,
    dropped: &mut Dropped<'_>,
    mut passes: impl FnMut(&mut Row) -> bool,
) -> Vec<Row> {
    let mut kept = Vec::with_capacity(rows.len());
    for mut row in rows {
        if passes(&mut row) {
            kept.push(row);
        } else {
            dropped.add(reason, 1, last_text(&row));
        }
    }
    kept
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
    fn refused(&mut self, is_overflow: bool, n_samples: usize, message: String) {
        let reason = if is_overflow {
            DropReason::ContextOverflow
        } else {
            DropReason::Rejected
        };
        self.add(reason, n_samples, message);
    }

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
