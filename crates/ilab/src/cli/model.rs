//! `ilab model`.

use clap::Subcommand;

use crate::error::CommandResult;
use crate::settings::Invocation;

#[derive(Debug, Subcommand)]
pub(super) enum ModelCommand {}

impl ModelCommand {
    pub(super) fn run(self, _invocation: &Invocation) -> CommandResult {
        match self {}
    }
}
