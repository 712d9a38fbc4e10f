//! `ilab data`.

use clap::Subcommand;

use crate::error::CommandResult;
use crate::settings::Invocation;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {}

impl DataCommand {
    pub(super) fn run(self, _invocation: &Invocation) -> CommandResult {
        match self {}
    }
}
