//! Blocks: what happens to the rows, one step after the other.

mod answer_parser;
mod ask;
mod columns;
mod filter;

pub(crate) use answer_parser::AnswerParser;
pub(crate) use ask::{Ask, AskSettings, NumberOfAnswers};
pub(crate) use columns::{ColumnPairs, Combine};
pub(crate) use filter::{Conversion, FilterByValue, Operation};

/// One step of a pipeline.
#[derive(Debug)]
pub(crate) struct Block {
    /// Unique in its pipeline.
    pub(crate) name: String,
    pub(crate) kind: BlockKind,
    /// Columns that are removed afterwards.
    pub(crate) drop_columns: Vec<String>,
    /// Of rows with the same values in these columns only the first is kept; empty keeps all.
    pub(crate) drop_duplicates: Vec<String>,
}

/// What a block does.
#[derive(Debug)]
pub(crate) enum BlockKind {
    /// Asks the teacher.
    Ask(Box<Ask>),
    /// Keeps rows by a value.
    Filter(FilterByValue),
    /// Joins columns to one.
    Combine(Combine),
    /// Copies columns.
    Duplicate(ColumnPairs),
    /// Renames columns.
    Rename(ColumnPairs),
}
