//! `ilab taxonomy diff`.

use ilab_taxonomy::{LayoutRules, Selection};

use crate::cli::taxonomy::{DiffArgs, MessageFormat, SelectionArgs};
use crate::error::CommandError;
use crate::settings::Invocation;
use crate::settings::layout_rules::layout_rules;
use crate::settings::selection::selection;

/// What `ilab taxonomy diff` needs.
#[derive(Debug)]
pub(crate) struct TaxonomyDiffSettings {
    pub(crate) selection: Selection,
    pub(crate) rules: LayoutRules,
    /// Only problems are told.
    pub(crate) is_quiet: bool,
    /// Findings are annotations for GitHub.
    pub(crate) is_for_github: bool,
    /// One JSON object instead of lines.
    pub(crate) is_json: bool,
}

impl TaxonomyDiffSettings {
    pub(crate) fn resolve(args: DiffArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let SelectionArgs {
            taxonomy_path,
            taxonomy_base,
            yaml_rules,
        } = args.selection;
        Ok(Self {
            selection: selection(taxonomy_path, taxonomy_base, invocation)?,
            rules: layout_rules(yaml_rules.as_deref(), invocation.ui)?,
            is_for_github: match args.message_format {
                MessageFormat::Auto => invocation.environment.is_github_workflow(),
                MessageFormat::Standard => false,
                MessageFormat::Github => true,
            },
            is_quiet: args.quiet,
            is_json: args.json,
        })
    }
}
