use crate::cli::config::InitArgs;
use crate::error::CommandError;
use crate::settings::Invocation;

#[derive(Debug)]
pub(crate) struct ConfigInitSettings {}

impl ConfigInitSettings {
    pub(crate) fn resolve(_args: InitArgs, _invocation: &Invocation) -> Result<Self, CommandError> {
        Ok(Self {})
    }
}
