//! Blocks that only move columns.

use serde_json::Value;

use crate::row::{self, Row};

/// Joins columns to one.
#[derive(Debug)]
pub(crate) struct Combine {
    pub(crate) columns: Vec<String>,
    pub(crate) output_column: String,
    pub(crate) separator: String,
}

impl Combine {
    pub(crate) fn apply(&self, row: &mut Row) {
        let texts: Vec<_> = self
            .columns
            .iter()
            .map(|column| row::text(row, column))
            .collect();
        let joined = texts.join(&self.separator);
        row.insert(self.output_column.clone(), Value::String(joined));
    }
}

/// Pairs of an old and a new column name.
#[derive(Debug)]
pub(crate) struct ColumnPairs {
    pub(crate) pairs: Vec<(String, String)>,
}

impl ColumnPairs {
    pub(crate) fn duplicate(&self, row: &mut Row) {
        for (from, to) in &self.pairs {
            if let Some(value) = row.get(from).cloned() {
                row.insert(to.clone(), value);
            }
        }
    }

    /// Renames all at once, so that two columns can change places; the order of the columns stays.
    pub(crate) fn rename(&self, row: &mut Row) {
        let renamed = |name: String| match self.pairs.iter().find(|(from, _)| *from == name) {
            Some((_, to)) => to.clone(),
            None => name,
        };
        *row = std::mem::take(row)
            .into_iter()
            .map(|(name, value)| (renamed(name), value))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_combined_copied_and_exchanged() {
        let mut row = json!({"a": "x", "b": 2, "c": null})
            .as_object()
            .unwrap()
            .clone();
        Combine {
            columns: vec!["a".into(), "b".into(), "c".into()],
            output_column: "d".into(),
            separator: "+".into(),
        }
        .apply(&mut row);
        let pairs = ColumnPairs {
            pairs: vec![("a".into(), "b".into()), ("b".into(), "a".into())],
        };
        pairs.rename(&mut row);
        ColumnPairs {
            pairs: vec![("d".into(), "e".into())],
        }
        .duplicate(&mut row);
        assert_eq!(
            serde_json::to_string(&row).unwrap(),
            r#"{"b":"x","a":2,"c":null,"d":"x+2+","e":"x+2+"}"#
        );
    }
}
