//! `ilab quickstart`.

use std::path::PathBuf;

use clap::Args;

use crate::commands::quickstart;
use crate::error::CommandResult;
use crate::settings::{Invocation, QuickstartSettings};

/// From a document to a model that learned it, in one run.
#[derive(Debug, Args)]
pub(crate) struct QuickstartArgs {
    /// Keep everything that is made in this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Teach the leaves of this taxonomy instead of the sample's
    #[arg(long, value_name = "DIR", requires = "questions")]
    pub(crate) taxonomy_path: Option<PathBuf>,
    /// Questions about that taxonomy, one a line: {"question": "…", "expect": ["…"]}
    #[arg(long, value_name = "FILE", requires = "taxonomy_path")]
    pub(crate) questions: Option<PathBuf>,
    /// Print one JSON object instead of the summary
    #[arg(long)]
    pub(crate) json: bool,
    /// Teach the model in this Hugging Face folder instead of the starter model
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) model: Option<PathBuf>,
}

impl QuickstartArgs {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        let settings = QuickstartSettings::resolve(self);
        quickstart::run(&settings, invocation.ui)
    }
}
