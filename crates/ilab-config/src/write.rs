//! The configuration as YAML, with a comment above each key.

use ilab_base::dirs::Dirs;
use serde_json::Value;

use crate::keys;
use crate::load::defaults;
use crate::read_keys::{NOT_READ, is_read};
use crate::tree::Config;

/// Where comments are broken.
const COMMENT_WIDTH: usize = 100;

/// Whether to explain the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// What each key means and its default.
    Full,
    /// Keys and values only.
    None,
}

/// The whole configuration as the text of a config.yaml.
pub fn to_yaml(config: &Config, dirs: &Dirs, comments: Comments) -> String {
    let tree = to_json(config);
    let defaults = defaults(dirs);
    let mut writer = Writer {
        text: String::new(),
        comments,
    };
    if comments == Comments::Full {
        writer
            .text
            .push_str("# Configuration of ilab. `ilab config show` prints what is in effect.\n\n");
    }
    writer.mapping("", 0, &tree, Some(&defaults));
    writer.text
}

/// The whole configuration as JSON.
pub fn to_json(config: &Config) -> Value {
    serde_json::to_value(config).expect("the configuration has only text keys, so it is JSON")
}

/// A part of the configuration as YAML: a bare line for one value, nothing for an absent one.
pub fn part_to_yaml(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) => {
            let mut writer = Writer {
                text: String::new(),
                comments: Comments::None,
            };
            writer.value(0, value);
            writer.text.trim_start_matches('\n').to_owned()
        }
        Value::Null => "\n".to_owned(),
        Value::String(text) => format!("{text}\n"),
        other => format!("{other}\n"),
    }
}

struct Writer {
    text: String,
    comments: Comments,
}

impl Writer {
    fn mapping(&mut self, path: &str, depth: usize, value: &Value, defaults: Option<&Value>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            let default = defaults.and_then(|defaults| defaults.get(name));
            self.comment(&path, depth, default);
            let indent = "  ".repeat(depth);
            self.text.push_str(&format!("{indent}{}:", scalar(name)));
            match value {
                Value::Object(entries) if !entries.is_empty() && keys::find(&path).is_none() => {
                    self.text.push('\n');
                    self.mapping(&path, depth + 1, value, default);
                }
                value => self.value(depth + 1, value),
            }
        }
    }

    /// A value after its key, from the colon to the end of its last line.
    fn value(&mut self, depth: usize, value: &Value) {
        let indent = "  ".repeat(depth);
        match value {
            Value::Null => self.text.push('\n'),
            Value::Array(items) if items.is_empty() => self.text.push_str(" []\n"),
            Value::Object(entries) if entries.is_empty() => self.text.push_str(" {}\n"),
            Value::Array(items) => {
                self.text.push('\n');
                for item in items {
                    self.text.push_str(&format!("{indent}-"));
                    self.item(depth + 1, item);
                }
            }
            Value::Object(entries) => {
                self.text.push('\n');
                for (name, value) in entries {
                    self.text.push_str(&format!("{indent}{}:", scalar(name)));
                    self.value(depth + 1, value);
                }
            }
            Value::String(text) => self.text.push_str(&format!(" {}\n", scalar(text))),
            Value::Number(number) => self.text.push_str(&format!(" {}\n", plain_number(number))),
            Value::Bool(value) => self.text.push_str(&format!(" {value}\n")),
        }
    }

    /// An item after its dash: a mapping starts on the same line.
    fn item(&mut self, depth: usize, value: &Value) {
        let start = self.text.len();
        self.value(depth, value);
        if matches!(value, Value::Object(entries) if !entries.is_empty()) {
            let written = self.text.split_off(start);
            self.text.push(' ');
            self.text.push_str(written.trim_start_matches(['\n', ' ']));
        }
    }

    fn comment(&mut self, path: &str, depth: usize, default: Option<&Value>) {
        if self.comments == Comments::None {
            return;
        }
        let indent = "  ".repeat(depth);
        let (description, has_default) = match (keys::find(path), keys::find_section(path)) {
            (Some(key), _) => (key.description, true),
            (None, Some(section)) => (section.description, false),
            (None, None) => return,
        };
        for line in wrapped(description, COMMENT_WIDTH.saturating_sub(indent.len() + 2)) {
            self.text.push_str(&format!("{indent}# {line}\n"));
        }
        if has_default && !is_read(path) {
            self.text.push_str(&format!("{indent}# {NOT_READ}\n"));
        }
        if let Some(default) = default.filter(|_| has_default) {
            let default = match default {
                Value::Null => "nothing".to_owned(),
                Value::String(text) if text.is_empty() => "nothing".to_owned(),
                Value::String(text) => text.clone(),
                Value::Number(number) => plain_number(number),
                other => other.to_string(),
            };
            self.text
                .push_str(&format!("{indent}# Default: {default}\n"));
        }
    }
}

/// Numbers without an exponent: some readers of YAML take `2e-5` for a text.
fn plain_number(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.abs() < 1e15 => {
            let text = format!("{value}");
            if text.contains('.') {
                text
            } else {
                format!("{text}.0")
            }
        }
        _ => number.to_string(),
    }
}

/// A text as YAML, in quotes where it could be read as something else.
fn scalar(text: &str) -> String {
    let is_plain = !text.is_empty()
        && !text.starts_with(|first: char| {
            first.is_whitespace()
                || "-?:,[]{}#&*!|>'\"%@`~=<.+".contains(first)
                || first.is_ascii_digit()
        })
        && !text.ends_with(char::is_whitespace)
        && !text.contains(": ")
        && !text.ends_with(':')
        && !text.contains(" #")
        && text.chars().all(is_bare)
        && !["null", "true", "false", "yes", "no", "on", "off", "y", "n"]
            .contains(&text.to_lowercase().as_str());
    if is_plain {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text in double quotes: as JSON writes it, and what YAML does not allow to stand bare as an escape.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_bare(letter) {
            quoted.push(letter);
        } else {
            quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
        }
    }
    quoted
}

/// Whether YAML allows a character to stand for itself within a line.
fn is_bare(letter: char) -> bool {
    !letter.is_control()
        && !matches!(
            letter,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Words in lines of at most `width`.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
