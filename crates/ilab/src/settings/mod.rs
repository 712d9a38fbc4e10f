//! Plain values for the commands, each resolved once: flag, then environment, then file, then default.

mod config_init;
mod config_show;
mod environment;
mod invocation;
mod taxonomy_diff;

pub(crate) use config_init::ConfigInitSettings;
pub(crate) use config_show::ConfigShowSettings;
pub(crate) use environment::Environment;
pub(crate) use invocation::Invocation;
pub(crate) use taxonomy_diff::TaxonomyDiffSettings;
