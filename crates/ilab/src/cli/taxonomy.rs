//! `ilab taxonomy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::commands;
use crate::error::CommandResult;
use crate::settings::{Invocation, TaxonomyDiffSettings, TaxonomyFmtSettings};

#[derive(Debug, Subcommand)]
pub(super) enum TaxonomyCommand {
    /// List new and changed files and check them
    Diff(DiffArgs),
    /// Put the layout of files right; what they say stays the same
    Fmt(FmtArgs),
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Folder of the taxonomy, or one qna.yaml [config: generate.taxonomy_path]
    #[arg(long, value_name = "PATH")]
    pub(crate) taxonomy_path: Option<PathBuf>,
    /// Git revision to compare with; `empty` takes every file [config: generate.taxonomy_base]
    #[arg(long, value_name = "REVISION")]
    pub(crate) taxonomy_base: Option<String>,
    /// Rules for the layout, a configuration file of yamllint; it replaces the rules of this program
    #[arg(long, value_name = "FILE")]
    pub(crate) yaml_rules: Option<PathBuf>,
    /// How findings are told; `auto` is `github` in a workflow of GitHub's
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        conflicts_with = "json"
    )]
    pub(crate) message_format: MessageFormat,
    /// Print nothing on success; problems are still told
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Print one JSON object with the files and the problems
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Files, or folders with all that is below; without any, the files that `ilab taxonomy diff` lists
    #[arg(value_name = "PATH", conflicts_with_all = ["taxonomy_path", "taxonomy_base"])]
    pub(crate) paths: Vec<PathBuf>,
    /// Folder of the taxonomy, or one qna.yaml [config: generate.taxonomy_path]
    #[arg(long, value_name = "PATH")]
    pub(crate) taxonomy_path: Option<PathBuf>,
    /// Git revision to compare with; `empty` takes every file [config: generate.taxonomy_base]
    #[arg(long, value_name = "REVISION")]
    pub(crate) taxonomy_base: Option<String>,
    /// Rules for the layout, a configuration file of yamllint; it replaces the rules of this program
    #[arg(long, value_name = "FILE")]
    pub(crate) yaml_rules: Option<PathBuf>,
    /// Write nothing: list what would change, and fail if anything would
    #[arg(long)]
    pub(crate) check: bool,
}

/// How findings are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MessageFormat {
    /// As the environment says
    Auto,
    /// Drawn with the line that each is about
    Standard,
    /// Commands of GitHub's workflows, a line each
    Github,
}

impl TaxonomyCommand {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        match self {
            Self::Diff(args) => {
                let settings = TaxonomyDiffSettings::resolve(args, invocation)?;
                commands::taxonomy_diff::run(&settings, invocation.ui)
            }
            Self::Fmt(args) => {
                let settings = TaxonomyFmtSettings::resolve(args, invocation)?;
                commands::taxonomy_fmt::run(&settings, invocation.ui)
            }
        }
    }
}
