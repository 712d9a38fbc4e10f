//! Blocks that look at all rows of a leaf at once, or that look values up.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::filter::compare;
use crate::row::{self, Row};

/// From wide to long: a row for each of some columns, with the name of the column and its value.
#[derive(Debug)]
pub(crate) struct Flatten {
    pub(crate) columns: Vec<String>,
    /// Gets the values.
    pub(crate) value_column: String,
    /// Gets the names of the columns.
    pub(crate) name_column: String,
}

impl Flatten {
    /// One row for each of the columns; the other columns stay in front.
    pub(crate) fn apply(&self, row: &Row) -> Vec<Row> {
        let flat = |column: &String| {
            let mut flat = row.clone();
            flat.retain(|name, _| !self.columns.contains(name));
            flat.insert(self.name_column.clone(), Value::String(column.clone()));
            let value = row.get(column).cloned().unwrap_or_default();
            flat.insert(self.value_column.clone(), value);
            flat
        };
        self.columns.iter().map(flat).collect()
    }
}

/// Copies the column that another column names.
#[derive(Debug)]
pub(crate) struct Select {
    pub(crate) choice_column: String,
    /// Value of the choice column, and the column that it stands for.
    pub(crate) choices: Vec<(String, String)>,
    pub(crate) output_column: String,
}

impl Select {
    /// Whether the row makes a choice that exists; where not, it is left as it is.
    pub(crate) fn apply(&self, row: &mut Row) -> bool {
        let choice = row::text(row, &self.choice_column);
        let chosen = self.choices.iter().find(|(value, _)| *value == choice);
        let value = chosen.and_then(|(_, column)| row.get(column)).cloned();
        match value {
            Some(value) => {
                row.insert(self.output_column.clone(), value);
                true
            }
            None => false,
        }
    }
}

/// Adds the columns of a file, which one column names.
#[derive(Debug)]
pub(crate) struct Populate {
    pub(crate) column: String,
    /// Value of the column, and what it adds.
    pub(crate) entries: BTreeMap<String, Row>,
}

impl Populate {
    /// Whether there is a file for the row; where not, it is left as it is.
    pub(crate) fn apply(&self, row: &mut Row) -> bool {
        let entry = self.entries.get(row::text(row, &self.column).as_ref());
        if let Some(entry) = entry {
            row.extend(entry.clone());
        }
        entry.is_some()
    }
}

/// The value that most rows have; of several that are as frequent, the smallest. Rows without a value do not vote.
pub(crate) fn majority<'row>(values: impl Iterator<Item = &'row Value>) -> Option<&'row Value> {
    let mut votes: Vec<(&Value, usize)> = Vec::new();
    for value in values.filter(|value| !value.is_null()) {
        match votes.iter_mut().find(|(voted, _)| *voted == value) {
            Some((_, n_votes)) => *n_votes += 1,
            None => votes.push((value, 1)),
        }
    }
    let winner = votes
        .into_iter()
        .max_by(|(left, n_left), (right, n_right)| {
            let smaller = compare(right, left).unwrap_or(Ordering::Equal);
            n_left.cmp(n_right).then(smaller)
        });
    winner.map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rows(rows: Value) -> Vec<Row> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row.as_object().unwrap().clone()).collect()
    }

    fn shown(rows: &[Row]) -> String {
        serde_json::to_string(rows).unwrap()
    }

    #[test]
    fn wide_becomes_long() {
        let flatten = Flatten {
            columns: vec!["short".into(), "long".into()],
            value_column: "text".into(),
            name_column: "which".into(),
        };
        let wide = rows(json!([{"id": 1, "short": "a", "long": "b"}, {"id": 2, "short": "c"}]));
        let long: Vec<Row> = wide.iter().flat_map(|row| flatten.apply(row)).collect();
        assert_eq!(
            shown(&long),
            r#"[{"id":1,"which":"short","text":"a"},{"id":1,"which":"long","text":"b"},{"id":2,"which":"short","text":"c"},{"id":2,"which":"long","text":null}]"#
        );
    }

    #[test]
    fn a_choice_copies_its_column() {
        let select = Select {
            choice_column: "better".into(),
            choices: vec![("A".into(), "first".into()), ("B".into(), "second".into())],
            output_column: "response".into(),
        };
        let mut rows = rows(json!([
            {"better": "B", "first": 1, "second": 2}, {"better": "C"}, {"better": "A", "second": 2}
        ]));
        let applied: Vec<bool> = rows.iter_mut().map(|row| select.apply(row)).collect();
        assert_eq!(applied, [true, false, false]);
        assert_eq!(rows[0]["response"], 2);
        assert!(!rows[1].contains_key("response"));
    }

    #[test]
    fn a_row_gets_the_columns_of_its_file() {
        let row = |value: Value| value.as_object().unwrap().clone();
        let populate = Populate {
            column: "kind".into(),
            entries: [("poem".to_owned(), row(json!({"lines": 4, "kind": "verse"})))].into(),
        };
        let mut known = row(json!({"kind": "poem"}));
        assert!(populate.apply(&mut known));
        assert_eq!(known, row(json!({"kind": "verse", "lines": 4})));
        assert!(!populate.apply(&mut row(json!({"kind": "song"}))));
    }

    #[test]
    fn the_majority_is_the_most_frequent_value() {
        for (values, winner) in [
            (json!(["b", "a", "b"]), json!("b")),
            (json!(["b", "a"]), json!("a")),
            (json!(["a", "b"]), json!("a")),
            (json!([10, 9, null, null, null]), json!(9)),
            (json!([null]), json!(null)),
        ] {
            let values = values.as_array().unwrap();
            assert_eq!(majority(values.iter()).cloned().unwrap_or_default(), winner);
        }
    }
}
