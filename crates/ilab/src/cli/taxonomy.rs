//! `ilab taxonomy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::access::AccessArgs;
use crate::commands;
use crate::error::CommandResult;
use crate::settings::{Invocation, TaxonomyDiffSettings, TaxonomyFmtSettings, TaxonomyNewSettings};

#[derive(Debug, Subcommand)]
pub(super) enum TaxonomyCommand {
    /// List new and changed files and check them
    Diff(DiffArgs),
    /// Put the layout of files right; what they say stays the same
    Fmt(FmtArgs),
    /// Draft a leaf from a document, with questions by the teacher, for you to edit
    New(NewArgs),
}

/// Which files are looked at, and the layout that they should have.
#[derive(Debug, Args)]
pub(crate) struct SelectionArgs {
    /// Folder of the taxonomy, or one qna.yaml [config: generate.taxonomy_path]
    #[arg(long, value_name = "PATH")]
    pub(crate) taxonomy_path: Option<PathBuf>,
    /// Git revision to compare with; `empty` takes every file [config: generate.taxonomy_base]
    #[arg(long, value_name = "REVISION")]
    pub(crate) taxonomy_base: Option<String>,
    /// Rules for the layout, a configuration file of yamllint; it replaces the rules of this program
    #[arg(long, value_name = "FILE")]
    pub(crate) yaml_rules: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
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
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Write nothing: list what would change, and fail if anything would
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Folder of the leaf, which is made, such as `taxonomy/knowledge/science/moons`
    pub(crate) folder: PathBuf,
    /// Document that the leaf is about; may be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) document: Vec<PathBuf>,
    /// What the leaf teaches; by default what its place in the taxonomy says
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<LeafKind>,
    /// Teacher: a GGUF file, or the model's name on the endpoint [config: generate.teacher.model_path]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// URL of an OpenAI-compatible API that is the teacher
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    /// Ask no teacher: the questions are left to you
    #[arg(long, conflicts_with_all = ["model", "endpoint_url"])]
    pub(crate) blank: bool,
    /// Field of knowledge; by default the name of the folder above
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// Your name or handle
    #[arg(long, value_name = "NAME")]
    pub(crate) created_by: Option<String>,
    /// Another seed gives other questions
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,
}

/// What a leaf teaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LeafKind {
    /// Facts of the document
    Knowledge,
    /// Something to do with a text such as the document
    Skill,
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
            Self::New(args) => {
                let settings = TaxonomyNewSettings::resolve(args, invocation)?;
                commands::taxonomy_new::run(&settings, invocation.ui)
            }
        }
    }
}
