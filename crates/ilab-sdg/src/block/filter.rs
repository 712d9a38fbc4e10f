//! Keeping rows by the value of a column.

use std::cmp::Ordering;

use serde_json::Value;

use crate::row::Row;

/// Keeps a row when its value stands in a relation to any of some values.
#[derive(Debug)]
pub(crate) struct FilterByValue {
    pub(crate) column: String,
    pub(crate) values: Vec<Value>,
    pub(crate) operation: Operation,
    pub(crate) conversion: Option<Conversion>,
    /// What a value becomes that cannot be converted.
    pub(crate) default: Option<Value>,
}

/// The relations, by their names in Python's `operator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// The column contains the value.
    Contains,
}

impl Operation {
    pub(crate) const NAMES: [(&str, Self); 7] = [
        ("eq", Self::Equal),
        ("ne", Self::NotEqual),
        ("lt", Self::Less),
        ("le", Self::LessOrEqual),
        ("gt", Self::Greater),
        ("ge", Self::GreaterOrEqual),
        ("contains", Self::Contains),
    ];

    /// By name, with or without the module in front.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix("operator.").unwrap_or(name);
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, operation)| *operation)
    }

    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = compare(left, right);
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::Less => order == Some(Ordering::Less),
            Self::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => order == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::Contains => contains(left, right),
        }
    }
}

/// What a column is converted to before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    Integer,
    Float,
    Boolean,
}

impl Conversion {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "int" => Some(Self::Integer),
            "float" => Some(Self::Float),
            "bool" => Some(Self::Boolean),
            _ => None,
        }
    }

    fn convert(self, value: &Value) -> Option<Value> {
        match self {
            Self::Integer => integer(value).map(Value::from),
            Self::Float => match value {
                Value::String(text) => text.trim().parse::<f64>().ok().map(Value::from),
                other => other.as_f64().map(Value::from),
            },
            Self::Boolean => Some(Value::Bool(is_truthy(value))),
        }
    }

    fn zero(self) -> Value {
        match self {
            Self::Integer => Value::from(0),
            Self::Float => Value::from(0.0),
            Self::Boolean => Value::Bool(false),
        }
    }
}

impl FilterByValue {
    /// Whether the row is kept. The column stays converted, as later blocks of existing pipelines expect.
    pub(crate) fn keeps(&self, row: &mut Row) -> bool {
        let Some(value) = row.get_mut(&self.column) else {
            return false;
        };
        if let Some(conversion) = self.conversion {
            *value = conversion
                .convert(value)
                .unwrap_or_else(|| self.default_value(conversion));
        }
        self.values.iter().any(|expected| {
            let converted = self
                .conversion
                .and_then(|conversion| conversion.convert(expected));
            self.operation
                .holds(value, converted.as_ref().unwrap_or(expected))
        })
    }

    fn default_value(&self, conversion: Conversion) -> Value {
        self.default
            .as_ref()
            .and_then(|value| conversion.convert(value))
            .unwrap_or_else(|| conversion.zero())
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        // As Python does: towards zero.
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|number| number as i64)),
        Value::Bool(value) => Some(i64::from(*value)),
        _ => None,
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// `None` for values that have no order.
pub(super) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (left, right) => (left == right).then_some(Ordering::Equal),
    }
}

fn contains(container: &Value, item: &Value) -> bool {
    match (container, item) {
        (Value::String(text), Value::String(part)) => text.contains(part),
        (Value::Array(items), item) => items.contains(item),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(
        value: Value,
        operation: &str,
        expected: Value,
        conversion: Option<&str>,
    ) -> (bool, Value) {
        let filter = FilterByValue {
            column: "score".into(),
            values: expected
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![expected.clone()]),
            operation: Operation::from_name(operation).unwrap(),
            conversion: conversion.map(|name| Conversion::from_name(name).unwrap()),
            default: None,
        };
        let mut row = json!({"score": value}).as_object().unwrap().clone();
        (filter.keeps(&mut row), row["score"].clone())
    }

    #[test]
    fn values_are_converted_and_compared() {
        assert_eq!(
            check(json!(" 2\n"), "ge", json!(2), Some("int")),
            (true, json!(2))
        );
        assert_eq!(
            check(json!("good"), "ge", json!(1), Some("int")),
            (false, json!(0))
        );
        assert_eq!(
            check(json!("2.5"), "gt", json!("2"), Some("float")),
            (true, json!(2.5))
        );
        assert_eq!(
            check(json!("YES"), "operator.eq", json!("YES"), None),
            (true, json!("YES"))
        );
        assert_eq!(
            check(json!("NO"), "eq", json!(["YES", "NO"]), None),
            (true, json!("NO"))
        );
        assert_eq!(
            check(json!("a YES b"), "contains", json!("YES"), None),
            (true, json!("a YES b"))
        );
        assert_eq!(check(json!("1"), "eq", json!(1), None), (false, json!("1")));
        assert_eq!(
            check(json!(null), "ne", json!(1), Some("bool")),
            (true, json!(false))
        );
    }

    #[test]
    fn a_row_without_the_column_is_not_kept() {
        let filter = FilterByValue {
            column: "score".into(),
            values: vec![json!(1)],
            operation: Operation::NotEqual,
            conversion: None,
            default: None,
        };
        assert!(!filter.keeps(&mut Row::new()));
    }
}
