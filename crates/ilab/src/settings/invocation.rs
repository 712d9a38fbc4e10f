//! What every command is given: the environment, the screen and the options that stand before the command.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ilab_config::{Config, ConfigError};

use crate::error::CommandError;
use crate::settings::Environment;
use crate::ui::Ui;

/// The word that stands for the built-in defaults where a configuration file is named.
const DEFAULT_CONFIG: &str = "DEFAULT";

/// One call of the program.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The environment at start-up.
    pub(crate) environment: Environment,
    /// The screen.
    pub(crate) ui: Ui,
    /// Everything that was typed after the program's name.
    pub(crate) arguments: Vec<OsString>,
    /// `--config`.
    pub(crate) config_file: Option<PathBuf>,
}

impl Invocation {
    /// The configuration in effect. Read when a command needs it, not before.
    ///
    /// Without a file of the user's the defaults hold; a file that was named must be there.
    pub(crate) fn config(&self) -> Result<Config, CommandError> {
        let defaults = || Config::defaults(&self.environment.dirs);
        match &self.config_file {
            Some(word) if word == Path::new(DEFAULT_CONFIG) => Ok(defaults()),
            Some(file) => self.load(file),
            None => {
                let file = self.environment.dirs.config_file();
                if file.exists() {
                    self.load(&file)
                } else {
                    Ok(defaults())
                }
            }
        }
    }

    /// The configuration in `file`; warnings are told on the way.
    pub(crate) fn load(&self, file: &Path) -> Result<Config, CommandError> {
        match ilab_config::load(file, &self.environment.dirs, &self.environment.variables) {
            Ok(loaded) => {
                self.ui.findings(file, &loaded.text, &loaded.warnings);
                Ok(loaded.config)
            }
            Err(error) => {
                if let ConfigError::Invalid {
                    text, diagnostics, ..
                } = &error
                {
                    self.ui.findings(file, text, diagnostics);
                }
                Err(CommandError::usage(error))
            }
        }
    }

    /// The configuration file that `config init` starts from: `--config`, or the variable.
    pub(crate) fn base_config_file(&self) -> Option<PathBuf> {
        let variable = self.environment.variables.get("ILAB_GLOBAL_CONFIG");
        let variable = variable
            .filter(|value| !value.is_empty())
            .map(PathBuf::from);
        let option = self.config_file.clone();
        option
            .filter(|word| word != Path::new(DEFAULT_CONFIG))
            .or(variable)
    }
}
