//! `ilab config init`.

use std::path::{Path, PathBuf};

use ilab_base::dirs::Dirs;
use ilab_config::{Config, Variables};

use crate::cli::config::InitArgs;
use crate::error::CommandError;
use crate::settings::Invocation;

/// What `ilab config init` needs.
#[derive(Debug)]
pub(crate) struct ConfigInitSettings {
    pub(crate) dirs: Dirs,
    pub(crate) is_interactive: bool,
    /// Whether paths are asked for: not where a base configuration already says them.
    pub(crate) asks_for_paths: bool,
    /// What is written, before any answers: profile, base file or defaults, with the flags applied.
    pub(crate) config: Config,
    /// What to clone where there is no taxonomy yet.
    pub(crate) repository: String,
    /// Clone the newest commit only.
    pub(crate) is_shallow: bool,
    /// The environment, for `~` in answers.
    pub(crate) variables: Variables,
}

impl ConfigInitSettings {
    pub(crate) fn resolve(args: InitArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let base_file = args
            .profile
            .clone()
            .or_else(|| invocation.base_config_file());
        let mut config = match &base_file {
            Some(file) => invocation.load(file)?,
            None => Config::defaults(&invocation.environment.dirs),
        };
        apply(
            &mut config,
            args.model_path.as_deref(),
            args.taxonomy_base,
            args.taxonomy_path,
        );
        Ok(Self {
            dirs: invocation.environment.dirs.clone(),
            is_interactive: args.interactive || !args.non_interactive,
            asks_for_paths: base_file.is_none(),
            config,
            repository: args.repository,
            is_shallow: args.min_taxonomy,
            variables: invocation.environment.variables.clone(),
        })
    }
}

/// Each flag sets every key that it stands for. Differs from upstream: without a flag a profile keeps its own values.
fn apply(
    config: &mut Config,
    model_path: Option<&Path>,
    taxonomy_base: Option<String>,
    taxonomy_path: Option<PathBuf>,
) {
    if let Some(path) = model_path {
        set_model_path(config, path);
    }
    if let Some(base) = taxonomy_base {
        config.generate.taxonomy_base = base;
    }
    if let Some(path) = taxonomy_path {
        set_taxonomy_path(config, path);
    }
}

/// The model to chat with, to serve and to measure.
pub(crate) fn set_model_path(config: &mut Config, path: &Path) {
    let text = path.display().to_string();
    config.chat.model.clone_from(&text);
    config.serve.model_path = path.to_owned();
    config.evaluate.model = Some(text);
}

/// The taxonomy to learn from and to measure with.
pub(crate) fn set_taxonomy_path(config: &mut Config, path: PathBuf) {
    config.generate.taxonomy_path.clone_from(&path);
    config.evaluate.mt_bench_branch.taxonomy_path = path;
}
