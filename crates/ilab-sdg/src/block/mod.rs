//! Blocks: what happens to the rows, one step after the other.

mod answer_parser;
mod ask;
mod columns;
mod filter;
mod messages;
mod table;

pub(crate) use answer_parser::AnswerParser;
pub(crate) use ask::{Ask, AskSettings, NumberOfAnswers, Prompts};
pub(crate) use columns::{ColumnPairs, Combine};
pub(crate) use filter::{Conversion, FilterByValue, Operation};
pub(crate) use messages::AskMessages;
pub(crate) use table::{Flatten, Populate, Select, majority};

use crate::row::{self, Judged};

/// One step of a pipeline.
#[derive(Debug)]
pub(crate) struct Block {
    /// Unique in its pipeline.
    pub(crate) name: String,
    pub(crate) kind: BlockKind,
    /// How often the same rows go through it, one result below the other: `IterBlock`.
    pub(crate) n_iterations: u32,
    /// Columns that are removed afterwards.
    pub(crate) drop_columns: Vec<String>,
    /// Of rows with the same values in these columns only the first is kept; empty keeps all.
    pub(crate) drop_duplicates: Vec<String>,
}

/// Characters of the longest dropped value that counts as a verdict.
const MAX_VERDICT_LENGTH: usize = 16;

impl Block {
    /// Removes the columns that the block does not hand on; what is short among them is remembered.
    pub(crate) fn drop_columns_of(&self, judged: &mut Judged) {
        for column in &self.drop_columns {
            let text = row::text(&judged.row, column).trim().to_owned();
            let is_verdict = (1..=MAX_VERDICT_LENGTH).contains(&text.len());
            if is_verdict && column != "num_samples" {
                judged.verdicts.push((column.clone(), text));
            }
        }
        if !self.drop_columns.is_empty() {
            judged
                .row
                .retain(|column, _| !self.drop_columns.contains(column));
        }
    }
}

/// What a block does.
#[derive(Debug)]
pub(crate) enum BlockKind {
    /// Asks the teacher.
    Ask(Box<Ask>),
    /// Lets the teacher continue a chat.
    Messages(AskMessages),
    /// Keeps rows by a value.
    Filter(FilterByValue),
    /// Joins columns to one.
    Combine(Combine),
    /// Copies columns.
    Duplicate(ColumnPairs),
    /// Renames columns.
    Rename(ColumnPairs),
    /// Makes a row of each of some columns.
    Flatten(Flatten),
    /// Adds columns from a file.
    Populate(Populate),
    /// Copies the column that another one names.
    Select(Select),
    /// Gives all rows the most frequent value of this column.
    Majority { column: String },
}
