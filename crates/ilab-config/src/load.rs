//! From the text of a config.yaml to the typed tree, with every problem at its place.

use std::collections::BTreeMap;
use std::path::Path;

use ilab_base::diagnostic::{Diagnostic, Span};
use ilab_base::dirs::Dirs;
use ilab_base::yaml::{self, Node, Value, nearest};
use serde_json::Value as Json;

use crate::error::ConfigError;
use crate::expand::expand;
use crate::keys;
use crate::shape;
use crate::tree::Config;

/// The variables of the environment that texts in the file may name, `HOME` among them.
pub type Variables = BTreeMap<String, String>;

/// A configuration with what was noticed on the way.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file's text, for drawing the warnings; empty where there is no file.
    pub text: String,
    /// What was noticed: unknown keys.
    pub warnings: Vec<Diagnostic>,
}

/// Loads the file at `path`.
///
/// # Errors
/// The file is missing, cannot be read, is no YAML, or holds values of the wrong kind: all of them, each at its place.
pub fn load(path: &Path, dirs: &Dirs, variables: &Variables) -> Result<Loaded, ConfigError> {
    let bytes = ilab_base::io::read(path).map_err(|error| match error.is_not_found() {
        true => ConfigError::NotFound {
            path: path.to_owned(),
        },
        false => error.into(),
    })?;
    let invalid = |text: &str, diagnostics| ConfigError::Invalid {
        path: path.to_owned(),
        text: text.to_owned(),
        diagnostics,
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let start = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
            let span = Span { start, end: start };
            let diagnostic = Diagnostic::error(&text, span, "the file is not UTF-8 text");
            return Err(invalid(&text, vec![diagnostic]));
        }
    };
    match parse(&text, dirs, variables) {
        Ok((config, warnings)) => Ok(Loaded {
            config,
            text,
            warnings,
        }),
        Err(diagnostics) => Err(invalid(&text, diagnostics)),
    }
}

/// The configuration that a text says, over the defaults.
///
/// # Errors
/// Every mistake in the text.
pub fn parse(
    text: &str,
    dirs: &Dirs,
    variables: &Variables,
) -> Result<(Config, Vec<Diagnostic>), Vec<Diagnostic>> {
    let document = yaml::parse(text).map_err(|diagnostic| vec![diagnostic])?;
    let mut tree = defaults(dirs);
    let mut merge = Merge {
        text,
        variables,
        diagnostics: Vec::new(),
    };
    for duplicate in &document.duplicate_keys {
        let message = format!(
            "`{}` stands here again: only this one is read",
            duplicate.key
        );
        merge.diagnostics.push(
            Diagnostic::warning(text, duplicate.second, message).with_help("keep one of them"),
        );
    }
    match &document.root.value {
        Value::Mapping(_) => merge.section("", &document.root, &mut tree),
        _ => {
            let message = format!(
                "the file must be a mapping of keys to values, not {}",
                document.root.kind()
            );
            let help = "`ilab config init` writes a file to start from";
            merge
                .diagnostics
                .push(Diagnostic::error(text, document.root.span, message).with_help(help));
        }
    }
    let mut diagnostics = merge.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    match serde_json::from_value(tree) {
        Ok(config) => Ok((config, diagnostics)),
        Err(error) => {
            diagnostics.push(Diagnostic::error(
                text,
                Span::default(),
                format!("the file cannot be read: {error}"),
            ));
            Err(diagnostics)
        }
    }
}

/// The default configuration as a plain tree.
pub(crate) fn defaults(dirs: &Dirs) -> Json {
    serde_json::to_value(Config::defaults(dirs))
        .expect("the configuration has only text keys, so it is JSON")
}

/// Puts a file's values over the defaults.
struct Merge<'text> {
    text: &'text str,
    variables: &'text Variables,
    diagnostics: Vec<Diagnostic>,
}

impl Merge<'_> {
    fn section(&mut self, path: &str, node: &Node, tree: &mut Json) {
        let Some(tree) = tree.as_object_mut() else {
            return;
        };
        for (key, value) in node.entries() {
            let name = key.key_text();
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match tree.get_mut(&name) {
                None => self.unknown(key, &path, tree.keys().map(String::as_str)),
                Some(slot) => match keys::find(&path) {
                    Some(known) => match shape::read(self.text, &known.shape, &path, value) {
                        Ok(read) => *slot = self.expanded(read),
                        Err(diagnostics) => self.diagnostics.extend(diagnostics),
                    },
                    None => self.subsection(key, &path, value, slot),
                },
            }
        }
    }

    fn subsection(&mut self, key: &Node, path: &str, node: &Node, slot: &mut Json) {
        match &node.value {
            Value::Mapping(_) => self.section(path, node, slot),
            // An empty section means its defaults.
            Value::Null => {}
            _ => {
                let message = format!("`{path}` must be a section of keys, not {}", node.kind());
                self.diagnostics
                    .push(Diagnostic::error(self.text, key.span, message));
            }
        }
    }

    fn unknown<'name>(&mut self, key: &Node, path: &str, known: impl Iterator<Item = &'name str>) {
        let name = key.key_text();
        let help = match nearest(&name, known) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "it is not read; remove it".to_owned(),
        };
        let message = format!("unknown key `{path}`");
        self.diagnostics
            .push(Diagnostic::warning(self.text, key.span, message).with_help(help));
    }

    /// `~` and `$VARIABLE` in every text, at any depth.
    fn expanded(&self, value: Json) -> Json {
        match value {
            Json::String(text) => expand(&text, self.variables).into(),
            Json::Array(items) => items.into_iter().map(|item| self.expanded(item)).collect(),
            Json::Object(entries) => {
                let entries = entries
                    .into_iter()
                    .map(|(key, value)| (key, self.expanded(value)));
                Json::Object(entries.collect())
            }
            other => other,
        }
    }
}
