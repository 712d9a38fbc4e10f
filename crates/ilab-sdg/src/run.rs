//! One row through one block.

use futures::future::try_join_all;
use ilab_openai::completer::{Choice, FinishReason};

use crate::block::{Ask, AskMessages, AskSettings, Block, BlockKind};
use crate::drops::{DropReason, DroppedSample, Drops};
use crate::error::GenerateError;
use crate::generate::GenerateOptions;
use crate::pipeline::fingerprint;
use crate::row::{self, Row};
use crate::teacher::{Outcome, Teacher};

/// What all rows of a run share.
pub(crate) struct Run<'run> {
    pub(crate) teacher: &'run Teacher<'run>,
    pub(crate) settings: AskSettings,
    pub(crate) seed: u64,
}

/// What a block made of one row.
#[derive(Debug, Default)]
pub(crate) struct Made {
    pub(crate) rows: Vec<Row>,
    pub(crate) drops: Drops,
    /// Answers that were asked for.
    pub(crate) n_answers: usize,
}

impl<'run> Run<'run> {
    pub(crate) fn new(teacher: &'run Teacher<'run>, options: &GenerateOptions) -> Self {
        Self {
            teacher,
            settings: AskSettings {
                scale_factor: options.scale_factor,
                temperature: options.temperature,
                max_tokens: options.max_tokens,
            },
            seed: options.seed,
        }
    }

    /// Lets a block do what it does to each row. Columns that it drops are still there.
    pub(crate) async fn visit(
        &self,
        block: &Block,
        leaf: &str,
        row: Row,
        iteration: u32,
    ) -> Result<Made, GenerateError> {
        let mut drops = Drops::default();
        let mut dropped = Dropped {
            leaf,
            block: &block.name,
            drops: &mut drops,
        };
        let mut n_answers = 0;
        let mut asked = Asked {
            iteration,
            n_answers: &mut n_answers,
            dropped: &mut dropped,
        };
        let rows = match &block.kind {
            BlockKind::Ask(ask) => self.ask(ask, &row, &mut asked).await?,
            BlockKind::Messages(chat) => self.chat(chat, &row, &mut asked).await?,
            BlockKind::Flatten(flatten) => flatten.apply(&row),
            other => {
                let mut row = row;
                match changed(other, &mut row) {
                    None => vec![row],
                    Some(reason) => {
                        dropped.add(reason, 1, last_text(&row));
                        Vec::new()
                    }
                }
            }
        };
        Ok(Made {
            rows,
            drops,
            n_answers,
        })
    }

    /// How many answers a block asks for and how many rows it makes of each row, if all goes well.
    pub(crate) fn expected(&self, block: &Block) -> (u32, u32) {
        match &block.kind {
            BlockKind::Ask(ask) => {
                let n_answers = ask.n_answers(self.settings);
                (n_answers, n_answers * ask.n_parts())
            }
            BlockKind::Messages(chat) => (chat.sampling.n_choices(), 1),
            BlockKind::Flatten(flatten) => (0, flatten.columns.len() as u32),
            _ => (0, 1),
        }
    }

    async fn ask(
        &self,
        ask: &Ask,
        row: &Row,
        asked: &mut Asked<'_, '_>,
    ) -> Result<Vec<Row>, GenerateError> {
        let n_answers = ask.n_answers(self.settings) as usize;
        let Some(prompt) = ask.prompt(row)? else {
            let text = last_text(row);
            asked.dropped.add(DropReason::NoChoice, n_answers, text);
            return Ok(Vec::new());
        };
        *asked.n_answers = n_answers;
        let seed = asked
            .repeated(ask.sampling.seed, n_answers)
            .unwrap_or_else(|| self.seed_of(&ask.fingerprint, &prompt, asked.iteration));
        let pieces = ask.pieces(self.settings);
        let outcomes = try_join_all(pieces.iter().map(|piece| {
            let request = ask.request(&prompt, *piece, seed, self.settings);
            self.teacher.ask(&ask.fingerprint, request)
        }));
        let mut rows = Vec::new();
        for (piece, outcome) in pieces.iter().zip(outcomes.await?) {
            match outcome {
                Outcome::Answered(completion) => {
                    for choice in &completion.choices {
                        rows.extend(parsed(ask, row, choice, asked.dropped));
                    }
                }
                Outcome::Refused {
                    is_overflow,
                    message,
                } => {
                    let n_answers = piece.n_answers as usize;
                    asked.dropped.refused(is_overflow, n_answers, message);
                }
            }
        }
        Ok(rows)
    }

    async fn chat(
        &self,
        chat: &AskMessages,
        row: &Row,
        asked: &mut Asked<'_, '_>,
    ) -> Result<Vec<Row>, GenerateError> {
        let n_answers = chat.sampling.n_choices() as usize;
        let text = row::text(row, &chat.input_column);
        let seed = asked
            .repeated(chat.sampling.seed, n_answers)
            .unwrap_or_else(|| self.seed_of(&CHAT_FINGERPRINT, &text, asked.iteration));
        let Some(request) = chat.request(row, seed) else {
            asked.dropped.add(DropReason::NoChoice, 1, text);
            return Ok(Vec::new());
        };
        *asked.n_answers = n_answers;
        match self.teacher.ask(&CHAT_FINGERPRINT, request).await? {
            Outcome::Answered(completion) => {
                let mut choices = completion.choices.iter();
                match choices.find_map(|choice| unusable(choice).map(|why| (why, choice))) {
                    Some((reason, choice)) => asked.dropped.add(reason, 1, choice.text.trim()),
                    None => return Ok(vec![chat.answered(row, &completion)]),
                }
            }
            Outcome::Refused {
                is_overflow,
                message,
            } => asked.dropped.refused(is_overflow, 1, message),
        }
        Ok(Vec::new())
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

/// What an asking block tells besides its rows.
struct Asked<'a, 'd> {
    /// Which repetition of the block asks.
    iteration: u32,
    n_answers: &'a mut usize,
    dropped: &'a mut Dropped<'d>,
}

impl Asked<'_, '_> {
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

/// What a block does that only changes rows or sorts them out: why the row is left out, if it is.
pub(crate) fn changed(kind: &BlockKind, row: &mut Row) -> Option<DropReason> {
    match kind {
        BlockKind::Filter(filter) => return (!filter.keeps(row)).then_some(DropReason::Filtered),
        BlockKind::Populate(files) => return (!files.apply(row)).then_some(DropReason::NoChoice),
        BlockKind::Select(select) => return (!select.apply(row)).then_some(DropReason::NoChoice),
        BlockKind::Combine(combine) => combine.apply(row),
        BlockKind::Duplicate(pairs) => pairs.duplicate(row),
        BlockKind::Rename(pairs) => pairs.rename(row),
        BlockKind::Ask(_)
        | BlockKind::Messages(_)
        | BlockKind::Flatten(_)
        | BlockKind::Majority { .. } => {}
    }
    None
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
