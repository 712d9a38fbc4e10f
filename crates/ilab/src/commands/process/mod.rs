//! Runs and their states: a registry that tells what runs and what became of it, and the commands over it.
//!
//! `record` is the side of the run, `start` sets one going in the background, the rest are the commands of `ilab process`.

pub(crate) mod attach;
mod entry;
mod identity;
pub(crate) mod list;
mod log_lines;
pub(crate) mod record;
mod registry;
pub(crate) mod remove;
pub(crate) mod start;

pub(crate) use entry::Status;

use std::time::Duration;

/// How often files and processes are looked at that cannot tell by themselves that they changed.
const POLL: Duration = Duration::from_millis(100);
/// What is said where no process is what was asked for; the words are the original's.
const NO_MATCH: &str = "No matching process found.";
