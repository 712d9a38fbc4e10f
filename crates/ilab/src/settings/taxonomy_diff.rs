use crate::cli::taxonomy::DiffArgs;
use crate::error::CommandError;
use crate::settings::Invocation;

#[derive(Debug)]
pub(crate) struct TaxonomyDiffSettings {}

impl TaxonomyDiffSettings {
    pub(crate) fn resolve(_args: DiffArgs, _invocation: &Invocation) -> Result<Self, CommandError> {
        Ok(Self {})
    }
}
