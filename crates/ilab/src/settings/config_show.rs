//! `ilab config show`.

use ilab_base::dirs::Dirs;
use ilab_config::{Comments, Config};

use crate::cli::config::ShowArgs;
use crate::error::CommandError;
use crate::settings::Invocation;

/// What `ilab config show` needs.
#[derive(Debug)]
pub(crate) struct ConfigShowSettings {
    pub(crate) config: Config,
    pub(crate) dirs: Dirs,
    /// One key only.
    pub(crate) key: Option<String>,
    pub(crate) comments: Comments,
    /// JSON instead of YAML.
    pub(crate) is_json: bool,
}

impl ConfigShowSettings {
    pub(crate) fn resolve(args: ShowArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        Ok(Self {
            config: invocation.config()?,
            dirs: invocation.environment.dirs.clone(),
            key: args.key,
            comments: match args.without_comments {
                true => Comments::None,
                false => Comments::Full,
            },
            is_json: args.json,
        })
    }
}
