//! The environment, read once at start-up; nothing below this crate reads it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use ilab_base::dirs::Dirs;
use ilab_config::Variables;

use crate::error::{CommandError, Kind};

/// What the environment says.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// Where files are kept.
    pub(crate) dirs: Dirs,
    /// `NO_COLOR` is set.
    pub(crate) no_colour: bool,
    /// Every variable that is text.
    pub(crate) variables: Variables,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Result<Self, CommandError> {
        let strategy = etcetera::base_strategy::Xdg::new().map_err(|_| {
            CommandError::message(
                Kind::User,
                "the home directory cannot be found",
                "set `HOME`",
            )
        })?;
        let under = |root: PathBuf| root.join("instructlab");
        Ok(Self {
            dirs: Dirs {
                config: under(strategy.config_dir()),
                data: under(strategy.data_dir()),
                cache: under(strategy.cache_dir()),
            },
            no_colour: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
            variables: variables(strategy.home_dir()),
        })
    }

    /// Whether this is a workflow of GitHub's, which shows findings beside the lines of a change.
    pub(crate) fn is_github_workflow(&self) -> bool {
        let is_set = |name: &str| {
            let value = self.variables.get(name);
            value.is_some_and(|value| !value.is_empty())
        };
        is_set("GITHUB_ACTIONS") && is_set("GITHUB_WORKFLOW")
    }
}

/// A snapshot of the variables; `HOME` is there even where the system only knows it another way.
fn variables(home: &Path) -> Variables {
    let is_text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let mut variables: Variables = std::env::vars_os().filter_map(is_text).collect();
    variables
        .entry("HOME".to_owned())
        .or_insert_with(|| home.display().to_string());
    variables
}
