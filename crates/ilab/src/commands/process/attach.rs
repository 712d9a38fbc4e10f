//! `ilab process attach`: the log of a run as it grows, until the run ends or the user leaves.

use std::path::Path;

use ilab_base::io::IoError;

use super::POLL;
use super::entry::{Entry, Status};
use super::identity::Standing;
use super::log_lines::LogLines;
use super::registry::{RegistryFile, find};
use crate::commands::stop::{Watched, Watcher};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::Which;
use crate::ui::Ui;

/// Lines that are shown of what was written before.
const N_LINES_BEFORE: usize = 10;

/// How a process was left.
enum Seen {
    Ended(Box<Entry>),
    /// It is in the list no more.
    Removed,
}

/// Follows a process; the exit code is its own.
pub(crate) fn run(registry: &Path, which: &Which, ui: Ui) -> CommandResult {
    let registry = RegistryFile::new(registry.to_owned(), ui);
    let (uuid, entry) = chosen(&registry, which)?;
    let mut log = match &entry.log_file {
        Some(path) => Some(LogLines::open(path).map_err(CommandError::from)?),
        None => None,
    };
    let mut watcher = Watcher::new()?;
    match &log {
        Some(_) => ui.status(format!(
            "Attaching to process {uuid}. Ctrl-C leaves it running."
        )),
        None => ui.status(format!(
            "Process {uuid} shows what it does in its own terminal and keeps no log. Waiting for its end; Ctrl-C leaves it running."
        )),
    }
    show(log.as_mut().map(|log| log.tail(N_LINES_BEFORE)), ui)?;
    let watched = watcher.watch(POLL, || {
        // Looked at first: once it has ended, the log has everything.
        let seen = state(&registry, &uuid)?;
        show(
            log.as_mut().map(|log| match seen {
                Some(_) => log.rest(),
                None => log.until(u64::MAX),
            }),
            ui,
        )?;
        Ok(seen)
    });
    match watched? {
        Watched::Seen(Seen::Ended(entry)) => result(&uuid, &entry, ui),
        Watched::Seen(Seen::Removed) => Err(CommandError::message(
            Kind::User,
            format!("process `{uuid}` was removed"),
            "`ilab process list` shows the others",
        )),
        Watched::Stopped => {
            ui.status(format!(
                "Process {uuid} goes on; `ilab process remove {uuid}` stops it."
            ));
            Err(CommandError::told(Kind::Interrupted))
        }
    }
}

fn chosen(registry: &RegistryFile, which: &Which) -> Result<(String, Entry), CommandError> {
    let mut entries = registry.corrected()?;
    let (found, message) = match which {
        Which::Latest => (entries.pop(), "no processes found in registry".to_owned()),
        Which::Uuid(wanted) => (find(entries, wanted)?, format!("no process `{wanted}`")),
    };
    found.ok_or_else(|| {
        CommandError::message(
            Kind::User,
            message,
            "`ilab process list` shows what there is; `ilab data generate --detached` starts one",
        )
    })
}

/// A run writes its end before its last words: it has ended only when its process has.
fn state(registry: &RegistryFile, uuid: &str) -> Result<Option<Seen>, CommandError> {
    let Some(entry) = registry.corrected_one(uuid)? else {
        return Ok(Some(Seen::Removed));
    };
    let has_ended = entry.status != Status::Running && entry.standing() != Standing::Alive;
    Ok(has_ended.then(|| Seen::Ended(Box::new(entry))))
}

fn show(lines: Option<Result<Vec<String>, IoError>>, ui: Ui) -> Result<(), CommandError> {
    for line in lines.transpose()?.unwrap_or_default() {
        ui.data(line);
    }
    Ok(())
}

fn result(uuid: &str, entry: &Entry, ui: Ui) -> CommandResult {
    if entry.status == Status::Done {
        ui.status(format!("Process {uuid} is done."));
        return Ok(());
    }
    let reason = entry.reason.as_deref().unwrap_or("it did not say why");
    let hint = entry.log_file.as_ref().map_or_else(
        || "the same command again goes on from what is kept".to_owned(),
        |log| format!("all that it said is in `{}`", log.display()),
    );
    let kind = Kind::Ended(entry.exit_code.unwrap_or(1));
    Err(CommandError::message(
        kind,
        format!("process `{uuid}` failed: {reason}"),
        hint,
    ))
}
