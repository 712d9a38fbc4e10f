//! `ilab taxonomy fmt`.

use std::path::PathBuf;

use ilab_taxonomy::{LayoutRules, Selection};

use crate::cli::taxonomy::{FmtArgs, SelectionArgs};
use crate::error::CommandError;
use crate::settings::Invocation;
use crate::settings::layout_rules::layout_rules;
use crate::settings::selection::selection;

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
        let SelectionArgs {
            taxonomy_path,
            taxonomy_base,
            yaml_rules,
        } = args.selection;
        let files = if args.paths.is_empty() {
            FmtFiles::Selected(selection(taxonomy_path, taxonomy_base, invocation)?)
        } else {
            FmtFiles::Named(args.paths)
        };
        Ok(Self {
            files,
            rules: layout_rules(yaml_rules.as_deref(), invocation.ui)?,
            is_check: args.check,
        })
    }
}
