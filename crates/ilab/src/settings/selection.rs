//! Which files of the taxonomy are meant.

use std::path::PathBuf;

use ilab_taxonomy::Selection;

use crate::error::CommandError;
use crate::settings::Invocation;

/// What the flags say, else the configuration.
pub(super) fn selection(
    path: Option<PathBuf>,
    base: Option<String>,
    invocation: &Invocation,
) -> Result<Selection, CommandError> {
    let config = invocation.config()?.generate;
    let path = path.unwrap_or(config.taxonomy_path);
    let base = base.unwrap_or(config.taxonomy_base);
    Ok(Selection::new(path, &base))
}
