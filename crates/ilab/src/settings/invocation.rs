//! What every command is given: the environment, the screen and the options that stand before the command.

use std::path::PathBuf;

use ilab_config::Config;

use crate::error::CommandError;
use crate::settings::Environment;
use crate::ui::Ui;

/// One call of the program.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The environment at start-up.
    pub(crate) environment: Environment,
    /// The screen.
    pub(crate) ui: Ui,
    /// `--config`.
    pub(crate) config_file: Option<PathBuf>,
    /// How often `-v` was given.
    pub(crate) verbosity: u8,
}

impl Invocation {
    /// The configuration in effect. Read when a command needs it, not before.
    pub(crate) fn config(&self) -> Result<Config, CommandError> {
        Ok(Config::defaults(&self.environment.dirs))
    }
}
