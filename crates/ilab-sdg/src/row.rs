//! Rows: what flows through a pipeline.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Columns in order, each with its value.
pub type Row = Map<String, Value>;

/// A column as text; absent or null is empty, anything but text is its JSON.
pub(crate) fn text<'row>(row: &'row Row, column: &str) -> Cow<'row, str> {
    match row.get(column) {
        None | Some(Value::Null) => Cow::Borrowed(""),
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(other) => Cow::Owned(other.to_string()),
    }
}

/// A row with what judges said of it: short values of columns that its pipeline has dropped.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Judged {
    pub(crate) row: Row,
    pub(crate) verdicts: Vec<(String, String)>,
}

impl From<Row> for Judged {
    fn from(row: Row) -> Self {
        Self {
            row,
            verdicts: Vec::new(),
        }
    }
}
