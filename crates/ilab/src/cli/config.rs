//! `ilab config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::commands;
use crate::error::CommandResult;
use crate::settings::{ConfigInitSettings, ConfigShowSettings, Invocation};

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Create the directories and a commented config.yaml
    Init(InitArgs),
    /// Show the configuration in effect
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Ask for the values (the default)
    #[arg(long, overrides_with = "non_interactive")]
    pub(crate) interactive: bool,
    /// Ask nothing and take the defaults
    #[arg(long)]
    pub(crate) non_interactive: bool,
    /// Model to chat with and to serve
    #[arg(long, value_name = "PATH")]
    pub(crate) model_path: Option<PathBuf>,
    /// Git revision that a taxonomy is compared with; `empty` takes every file
    #[arg(long, value_name = "REVISION")]
    pub(crate) taxonomy_base: Option<String>,
    /// Folder of the taxonomy
    #[arg(long, value_name = "DIR")]
    pub(crate) taxonomy_path: Option<PathBuf>,
    /// Taxonomy repository to clone
    #[arg(long, value_name = "URL", default_value = ilab_config::TAXONOMY_REPOSITORY)]
    pub(crate) repository: String,
    /// Clone only the newest commit of the taxonomy
    #[arg(long)]
    pub(crate) min_taxonomy: bool,
    /// Take this file as the whole configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) profile: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Show one key only, with dots between its parts
    #[arg(short, long)]
    pub(crate) key: Option<String>,
    /// Leave the comments out [short: -wc]
    #[arg(long)]
    pub(crate) without_comments: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

impl ConfigCommand {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        match self {
            Self::Init(args) => commands::config_init::run(
                &ConfigInitSettings::resolve(args, invocation)?,
                invocation.ui,
            ),
            Self::Show(args) => commands::config_show::run(
                &ConfigShowSettings::resolve(args, invocation)?,
                invocation.ui,
            ),
        }
    }
}
