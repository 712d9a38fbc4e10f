//! Whether a value in the file is what its key takes.

use ilab_base::diagnostic::Diagnostic;
use ilab_base::yaml::{Node, Value, nearest};
use serde_json::Value as Json;

use crate::keys::Shape;

/// The keys of a named model, and whether each must be there.
const MODEL_KEYS: &[(&str, bool)] = &[
    ("id", true),
    ("family", true),
    ("path", true),
    ("system_prompt", false),
];

/// The value of `node` for a key of this shape.
///
/// # Errors
/// What is wrong with it, each thing at its place.
pub(crate) fn read(
    text: &str,
    shape: &Shape,
    path: &str,
    node: &Node,
) -> Result<Json, Vec<Diagnostic>> {
    let wrong = || vec![mismatch(text, shape, path, node)];
    match (shape, &node.value) {
        (Shape::Optional(_), Value::Null) => Ok(Json::Null),
        (Shape::Optional(inner), _) => read(text, inner, path, node),
        (Shape::Text, Value::Text(value)) => Ok(value.as_str().into()),
        (Shape::Word(words), Value::Text(value)) if words.contains(&value.as_str()) => {
            Ok(value.as_str().into())
        }
        (Shape::WordInAnyCase(words), Value::Text(value))
            if words.contains(&value.to_uppercase().as_str()) =>
        {
            Ok(value.to_uppercase().into())
        }
        (Shape::Boolean, Value::Boolean(value)) => Ok((*value).into()),
        (Shape::Integer(least, most), Value::Integer(value))
            if (*least..=*most).contains(value) =>
        {
            Ok((*value).into())
        }
        (Shape::Number(least, most), Value::Float(value)) if (*least..=*most).contains(value) => {
            Ok((*value).into())
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "temperatures and rates are small"
        )]
        (Shape::Number(least, most), Value::Integer(value))
            if (*least..=*most).contains(&(*value as f64)) =>
        {
            Ok((*value as f64).into())
        }
        (Shape::IntegerOrAuto, Value::Integer(value)) if *value > 0 => Ok((*value).into()),
        (Shape::IntegerOrAuto, Value::Text(value))
            if value == "auto" || value.parse::<u32>().is_ok() =>
        {
            Ok(value.as_str().into())
        }
        (Shape::Texts, Value::Sequence(items)) => items
            .iter()
            .map(|item| read(text, &Shape::Text, &format!("{path}[]"), item))
            .collect(),
        (Shape::Models, Value::Sequence(items)) => items
            .iter()
            .map(|item| read_model(text, path, item))
            .collect(),
        (Shape::Models, Value::Null) => Ok(Json::Array(Vec::new())),
        (Shape::Free, Value::Mapping(_)) => Ok(node.to_json()),
        (Shape::Free, Value::Null) => Ok(Json::Object(serde_json::Map::new())),
        _ => Err(wrong()),
    }
}

fn read_model(text: &str, path: &str, node: &Node) -> Result<Json, Vec<Diagnostic>> {
    if !matches!(node.value, Value::Mapping(_)) {
        return Err(vec![mismatch(text, &Shape::Models, path, node)]);
    }
    let mut wrong = Vec::new();
    for &(name, is_required) in MODEL_KEYS {
        match node.get(name) {
            Some(value) => {
                let shape = if is_required {
                    Shape::Text
                } else {
                    Shape::Optional(&Shape::Text)
                };
                wrong.extend(
                    read(text, &shape, &format!("{path}[].{name}"), value)
                        .err()
                        .into_iter()
                        .flatten(),
                );
            }
            None if is_required => {
                let span = node
                    .entries()
                    .first()
                    .map_or(node.span, |(key, _)| key.span);
                wrong.push(Diagnostic::error(
                    text,
                    span,
                    format!("a model in `{path}` needs `{name}`"),
                ));
            }
            None => {}
        }
    }
    if wrong.is_empty() {
        Ok(node.to_json())
    } else {
        Err(wrong)
    }
}

fn mismatch(text: &str, shape: &Shape, path: &str, node: &Node) -> Diagnostic {
    let written = text.get(node.span.start..node.span.end).unwrap_or_default();
    let shown = if written.is_empty() || written.contains('\n') {
        node.kind().to_owned()
    } else {
        format!("`{written}`")
    };
    let message = format!("`{path}` must be {}, not {shown}", describe(shape));
    let diagnostic = Diagnostic::error(text, node.span, message);
    match advice(shape, &node.value) {
        Some(help) => diagnostic.with_help(help),
        None => diagnostic,
    }
}

fn advice(shape: &Shape, value: &Value) -> Option<String> {
    match (shape, value) {
        (Shape::Optional(inner), _) => advice(inner, value),
        (Shape::Word(words), Value::Text(word)) => {
            let nearest = nearest(word, words.iter().copied())?;
            Some(format!("did you mean `{nearest}`?"))
        }
        (Shape::Text, Value::Boolean(_) | Value::Integer(_) | Value::Float(_)) => {
            Some("put quotes around it".to_owned())
        }
        (Shape::Integer(..) | Shape::Number(..), Value::Text(number))
            if number.parse::<f64>().is_ok() =>
        {
            Some(format!("write {number} without quotes"))
        }
        (Shape::Boolean, Value::Text(word)) => match word.to_lowercase().as_str() {
            "yes" | "on" => Some("write `true`".to_owned()),
            "no" | "off" => Some("write `false`".to_owned()),
            _ => None,
        },
        (Shape::Texts, _) => Some("start each item with `- ` on a line of its own".to_owned()),
        _ => None,
    }
}

fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Text => "text".to_owned(),
        Shape::Word(words) | Shape::WordInAnyCase(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
            format!("one of {}", words.join(", "))
        }
        Shape::Boolean => "`true` or `false`".to_owned(),
        Shape::Integer(i64::MIN, _) => "a whole number".to_owned(),
        Shape::Integer(least, most) if *most >= i64::from(i32::MAX) => {
            format!("a whole number of at least {least}")
        }
        Shape::Integer(least, most) => format!("a whole number from {least} to {most}"),
        Shape::Number(least, f64::MAX) => format!("a number of at least {least}"),
        Shape::Number(least, most) => format!("a number from {least} to {most}"),
        Shape::IntegerOrAuto => "a whole number or `auto`".to_owned(),
        Shape::Texts => "a list of texts".to_owned(),
        Shape::Models => "a list of models, each with `id`, `family` and `path`".to_owned(),
        Shape::Free => "a mapping".to_owned(),
        Shape::Optional(inner) => format!("{} or empty", describe(inner)),
    }
}
