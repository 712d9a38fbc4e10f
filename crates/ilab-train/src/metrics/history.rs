//! Reading the record.

use std::path::Path;

use ilab_base::io::{self, IoError};
use serde_json::{Map, Value};

use super::{DataMetrics, StepMetrics, ValidationMetrics};

/// The last run of a record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// What the run was told, as it stands in the record.
    pub settings: Map<String, Value>,
    /// The account of the data.
    pub data: Option<DataMetrics>,
    /// The steps, in their order.
    pub steps: Vec<StepMetrics>,
    /// The validations, in their order.
    pub validations: Vec<ValidationMetrics>,
    /// Lines of the file that are no rows, such as what a killed process left.
    pub n_unreadable_lines: usize,
}

/// One line.
#[derive(Debug)]
pub(super) enum Row {
    Settings(Map<String, Value>),
    Data(DataMetrics),
    Step(StepMetrics),
    Validation(ValidationMetrics),
    /// What somebody else measured after so many steps.
    Other(u64),
}

/// Reads the last run of a record, of this program or of the original. Keys without a meaning here are passed over; lines
/// that are no rows are counted.
///
/// # Errors
/// A file that cannot be read.
pub fn read(path: &Path) -> Result<History, IoError> {
    Ok(History::of(&io::read(path)?))
}

impl History {
    fn of(bytes: &[u8]) -> Self {
        let mut history = Self::default();
        for (line, row) in rows(bytes) {
            match row {
                Some(Row::Settings(settings)) => history.add_settings(settings),
                Some(Row::Data(data)) => history.data = Some(data),
                Some(Row::Step(step)) => history.steps.push(step),
                Some(Row::Validation(validation)) => history.validations.push(validation),
                Some(Row::Other(_)) => {}
                None if line.trim_ascii().is_empty() => {}
                None => history.n_unreadable_lines += 1,
            }
        }
        history
    }

    /// The settings by their names and as they are read: those within others after the name of these and a `/`.
    pub fn shown_settings(&self) -> Vec<(String, String)> {
        let mut shown = Vec::new();
        for (name, value) in &self.settings {
            show(name.clone(), value, &mut shown);
        }
        shown
    }

    /// The original spreads the settings over several rows; after anything else they begin another run.
    fn add_settings(&mut self, settings: Map<String, Value>) {
        if self.data.is_some() || !self.steps.is_empty() || !self.validations.is_empty() {
            *self = Self {
                n_unreadable_lines: self.n_unreadable_lines,
                ..Self::default()
            };
        }
        self.settings.extend(settings);
        self.settings.remove("timestamp");
    }
}

fn show(name: String, value: &Value, shown: &mut Vec<(String, String)>) {
    match value {
        Value::Object(inner) => inner
            .iter()
            .for_each(|(key, value)| show(format!("{name}/{key}"), value, shown)),
        Value::String(text) => shown.push((name, text.clone())),
        Value::Null => shown.push((name, "none".to_owned())),
        value => shown.push((name, value.to_string())),
    }
}

/// Lines, each with its end, and what they are.
pub(super) fn rows(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Option<Row>)> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.map(|line| (line, row(line)))
}

fn row(line: &[u8]) -> Option<Row> {
    let object: Map<String, Value> = serde_json::from_slice(line).ok()?;
    let has = |key: &str| object.contains_key(key);
    let (has_loss, has_validation) = (has("avg_loss") || has("total_loss"), has("val_loss"));
    let is_data = has("num_batches") && has("total_samples");
    let step = object.get("step").map(Value::as_u64);
    let value = match step {
        Some(step) if !has_loss && !has_validation => return step.map(Row::Other),
        None if !is_data => return Some(Row::Settings(object)),
        _ => Value::Object(object),
    };
    if has_validation {
        serde_json::from_value(value).ok().map(Row::Validation)
    } else if step.is_some() {
        serde_json::from_value(value).ok().map(Row::Step)
    } else {
        serde_json::from_value(value).ok().map(Row::Data)
    }
}
