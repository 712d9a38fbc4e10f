//! The patterns of a leaf's `document` entry, matched against paths below its folder.

use glob::{MatchOptions, Pattern};

use crate::source::DocumentError;

/// As in a shell: `*` stays inside a folder, `**` crosses folders, hidden files are only matched by name.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The positions in `paths` that `pattern` matches.
pub(crate) fn matches(pattern: &str, paths: &[String]) -> Result<Vec<usize>, DocumentError> {
    let compiled =
        Pattern::new(pattern.strip_prefix("./").unwrap_or(pattern)).map_err(|source| {
            DocumentError::Pattern {
                pattern: pattern.to_owned(),
                source,
            }
        })?;
    let is_match = |path: &str| compiled.matches_with(path, OPTIONS);
    Ok((0..paths.len())
        .filter(|index| is_match(&paths[*index]))
        .collect())
}
