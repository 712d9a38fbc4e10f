//! YAML files whose errors name the file, the line and the column.

use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use serde::de::DeserializeOwned;

/// A YAML file says something that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct YamlError {
    /// The file.
    pub path: PathBuf,
    /// From 1; 0 when the place is unknown.
    pub line: u64,
    /// From 1; 0 when the place is unknown.
    pub column: u64,
    /// What is wrong there.
    pub message: String,
}

impl Hint for YamlError {}

/// Parses `text`, the content of `path`.
///
/// # Errors
/// Text that is no YAML, unknown or missing keys, and values of another type than expected, at their place.
pub fn parse<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, YamlError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let location = error.location();
        YamlError {
            path: path.to_owned(),
            line: location.map_or(0, |location| location.line()),
            column: location.map_or(0, |location| location.column()),
            message: plain_message(error.without_snippet(), location),
        }
    })
}

/// The message without the place, which [`YamlError`] tells in its own way.
fn plain_message(error: &serde_saphyr::Error, location: Option<serde_saphyr::Location>) -> String {
    let text = error.to_string();
    let Some(location) = location else {
        return text;
    };
    let place = format!(" at line {}, column {}", location.line(), location.column());
    text.replace(&place, "")
}
