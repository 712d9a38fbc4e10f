use crate::cli::config::ShowArgs;
use crate::error::CommandError;
use crate::settings::Invocation;

#[derive(Debug)]
pub(crate) struct ConfigShowSettings {}

impl ConfigShowSettings {
    pub(crate) fn resolve(_args: ShowArgs, _invocation: &Invocation) -> Result<Self, CommandError> {
        Ok(Self {})
    }
}
