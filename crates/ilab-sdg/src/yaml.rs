//! Pipeline and prompt files: YAML whose errors name the file, the line and the column.

use std::path::{Path, PathBuf};

use ilab_base::diagnostic::{Diagnostic, Span};
use ilab_base::hint::Hint;
use ilab_base::yaml::{self, Node, Value};

/// A YAML file says something that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: {}", path.display(), diagnostic.line, diagnostic.column, diagnostic.message)]
pub struct YamlError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong in it, and where.
    pub diagnostic: Diagnostic,
}

impl Hint for YamlError {
    fn hints(&self) -> Vec<String> {
        self.diagnostic.help.iter().cloned().collect()
    }
}

/// A file that is being read: its name and text go into every error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'text> {
    pub(crate) path: &'text Path,
    pub(crate) text: &'text str,
}

impl<'text> Source<'text> {
    pub(crate) fn new(path: &'text Path, text: &'text str) -> Self {
        Self { path, text }
    }

    /// The top node. A key that occurs twice is an error: one of its values would be lost.
    pub(crate) fn parse(&self) -> Result<Node, YamlError> {
        let document = yaml::parse(self.text).map_err(|diagnostic| self.located(diagnostic))?;
        match document.duplicate_keys.first() {
            Some(twice) => Err(self.error(
                twice.second,
                format!("the key `{}` occurs twice", twice.key),
            )),
            None => Ok(document.root),
        }
    }

    pub(crate) fn error(&self, span: Span, message: impl Into<String>) -> YamlError {
        self.located(Diagnostic::error(self.text, span, message))
    }

    fn located(&self, diagnostic: Diagnostic) -> YamlError {
        YamlError {
            path: self.path.to_owned(),
            diagnostic,
        }
    }

    fn unexpected(&self, node: &Node, key: &str, expected: &str) -> YamlError {
        self.error(
            node.span,
            format!("`{key}` must be {expected}, not {}", node.kind()),
        )
    }

    /// Refuses anything but a mapping with no other keys than `known`. An error in a nested mapping is looked for by its reader.
    pub(crate) fn keys(&self, node: &Node, what: &str, known: &[&str]) -> Result<(), YamlError> {
        if !matches!(node.value, Value::Mapping(_)) {
            return Err(self.error(
                node.span,
                format!("{what} must be a mapping, not {}", node.kind()),
            ));
        }
        for (key, _) in node.entries() {
            let name = key.key_text();
            if !known.contains(&name.as_str()) {
                let error = self.error(key.span, format!("{what} has no key `{name}`"));
                let help = match yaml::nearest(&name, known.iter().copied()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("its keys are {}", known.join(", ")),
                };
                return Err(YamlError {
                    diagnostic: error.diagnostic.with_help(help),
                    ..error
                });
            }
        }
        Ok(())
    }

    /// The value of a key that must be there.
    pub(crate) fn required<'node>(
        &self,
        parent: &'node Node,
        key: &str,
    ) -> Result<&'node Node, YamlError> {
        parent
            .get(key)
            .ok_or_else(|| self.error(parent.span, format!("the key `{key}` is missing")))
    }

    /// The value of a key unless it is absent or null.
    pub(crate) fn optional<'node>(&self, parent: &'node Node, key: &str) -> Option<&'node Node> {
        parent.get(key).filter(|node| node.value != Value::Null)
    }

    pub(crate) fn text<'node>(
        &self,
        node: &'node Node,
        key: &str,
    ) -> Result<&'node str, YamlError> {
        node.as_text()
            .ok_or_else(|| self.unexpected(node, key, "text"))
    }

    pub(crate) fn required_text<'node>(
        &self,
        parent: &'node Node,
        key: &str,
    ) -> Result<&'node str, YamlError> {
        self.text(self.required(parent, key)?, key)
    }

    /// A list of texts; absent or null is an empty list.
    pub(crate) fn texts(&self, parent: &Node, key: &str) -> Result<Vec<String>, YamlError> {
        let Some(node) = self.optional(parent, key) else {
            return Ok(Vec::new());
        };
        if !matches!(node.value, Value::Sequence(_)) {
            return Err(self.unexpected(node, key, "a list of texts"));
        }
        node.items()
            .iter()
            .map(|item| self.text(item, key).map(str::to_owned))
            .collect()
    }

    /// A mapping from text to text.
    pub(crate) fn text_pairs(
        &self,
        parent: &Node,
        key: &str,
    ) -> Result<Vec<(String, String)>, YamlError> {
        let node = self.required(parent, key)?;
        if !matches!(node.value, Value::Mapping(_)) {
            return Err(self.unexpected(node, key, "a mapping from text to text"));
        }
        node.entries()
            .iter()
            .map(|(name, value)| Ok((name.key_text(), self.text(value, key)?.to_owned())))
            .collect()
    }

    pub(crate) fn number(&self, node: &Node, key: &str) -> Result<f64, YamlError> {
        match node.value {
            // Exact up to 2^53, far beyond any parameter of a request.
            Value::Integer(value) => Ok(value as f64),
            Value::Float(value) => Ok(value),
            _ => Err(self.unexpected(node, key, "a number")),
        }
    }

    /// A whole number from 1 to `most`.
    pub(crate) fn count_to(&self, node: &Node, key: &str, most: u32) -> Result<u32, YamlError> {
        let count = self.count(node, key, 1)?;
        if count <= most {
            return Ok(count);
        }
        let message = format!("`{key}` must be at most {most}, not {count}");
        Err(self.error(node.span, message))
    }

    /// A whole number of at least `least`.
    pub(crate) fn count(&self, node: &Node, key: &str, least: u32) -> Result<u32, YamlError> {
        let expected = format!("a whole number from {least}");
        let Value::Integer(value) = node.value else {
            return Err(self.unexpected(node, key, &expected));
        };
        let count = u32::try_from(value).ok().filter(|count| *count >= least);
        count.ok_or_else(|| {
            self.error(
                node.span,
                format!("`{key}` must be {expected}, not {value}"),
            )
        })
    }
}
