//! `ilab taxonomy fmt`.

use std::path::PathBuf;

use ilab_taxonomy::{LayoutRules, Selection};

use crate::cli::taxonomy::FmtArgs;
use crate::error::CommandError;
use crate::settings::Invocation;
use crate::settings::layout_rules::layout_rules;

/// What `ilab taxonomy fmt` needs.
#[derive(Debug)]
pub(crate) struct TaxonomyFmtSettings {
    pub(crate) files: FmtFiles,
    pub(crate) rules: LayoutRules,
    /// Nothing is written.
    pub(crate) is_check: bool,
}

/// Which files are formatted.
#[derive(Debug)]
pub(crate) enum FmtFiles {
    /// Those that differ from a revision, as with `ilab taxonomy diff`.
    Selected(Selection),
    /// All at and below these paths.
    Named(Vec<PathBuf>),
}

impl TaxonomyFmtSettings {
    pub(crate) fn resolve(args: FmtArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let files = if args.paths.is_empty() {
            let config = invocation.config()?.generate;
            let path = args.taxonomy_path.unwrap_or(config.taxonomy_path);
            let base = args.taxonomy_base.unwrap_or(config.taxonomy_base);
            FmtFiles::Selected(Selection::new(path, &base))
        } else {
            FmtFiles::Named(args.paths)
        };
        Ok(Self {
            files,
            rules: layout_rules(args.yaml_rules.as_deref(), invocation.ui)?,
            is_check: args.check,
        })
    }
}
