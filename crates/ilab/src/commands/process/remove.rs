//! `ilab process remove` and `prune`: processes are stopped, their logs and entries deleted.

use std::path::Path;
use std::time::{Duration, Instant};

use ilab_base::io::{IoError, WithPath as _};

use super::entry::{Entry, Status};
use super::identity::Standing;
use super::list::{grid, with_status};
use super::registry::{RegistryFile, find};
use super::{NO_MATCH, POLL};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::PruneSettings;
use crate::ui::Ui;

/// How long a run may take to write down what it has.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Where nobody can be asked.
const HINT_FORCE: &str = "`--force` asks nothing";
const SECONDS_OF_A_DAY: u64 = 86_400;

/// Removes one process.
pub(crate) fn remove(registry: &Path, uuid: &str, is_forced: bool, ui: Ui) -> CommandResult {
    let found = find(with_status(registry, None, ui)?, uuid)?;
    let chosen: Vec<(String, Entry)> = found.into_iter().collect();
    if is_agreed(&chosen, ["Process", "the process"], is_forced, ui)? {
        for (uuid, entry) in &chosen {
            remove_one(registry, uuid, entry, ui)?;
            ui.status(format!("Process with UUID {uuid} removed."));
        }
    }
    Ok(())
}

/// Removes those in that state that started so many whole days ago.
pub(crate) fn prune(registry: &Path, settings: &PruneSettings, ui: Ui) -> CommandResult {
    let mut chosen = with_status(registry, settings.status, ui)?;
    let days = |entry: &Entry| {
        entry
            .age()
            .map_or(0, |age| age.as_secs() / SECONDS_OF_A_DAY)
    };
    let is_old = |entry: &Entry| {
        settings
            .min_days
            .is_none_or(|min_days| days(entry) >= min_days)
    };
    chosen.retain(|(_, entry)| is_old(entry));
    let words = ["Processes", "the processes"];
    if is_agreed(&chosen, words, settings.is_forced, ui)? {
        for (uuid, entry) in &chosen {
            remove_one(registry, uuid, entry, ui)?;
        }
        ui.status(format!("Removed {} processes.", chosen.len()));
    }
    Ok(())
}

/// Shows what would go; whether there is something and it may go.
fn is_agreed(
    chosen: &[(String, Entry)],
    [title, object]: [&str; 2],
    is_forced: bool,
    ui: Ui,
) -> Result<bool, CommandError> {
    if chosen.is_empty() {
        ui.status(NO_MATCH);
        return Ok(false);
    }
    ui.status(format!("{title} to be removed:\n{}", grid(chosen)));
    let question = format!("Are you sure you want to remove {object}?");
    let is_agreed = is_forced || ui.confirm(&question, false, HINT_FORCE)?;
    if !is_agreed {
        ui.status("Aborted deletion.");
    }
    Ok(is_agreed)
}

fn remove_one(registry: &Path, uuid: &str, entry: &Entry, ui: Ui) -> Result<(), CommandError> {
    if entry.standing() == Standing::Unproven && entry.status == Status::Running {
        ui.warning(format!(
            "process {} is not stopped: from here nothing proves that it is that run",
            entry.pid
        ));
    }
    stop(entry)?;
    if let Some(log_file) = &entry.log_file {
        delete_log(uuid, log_file)?;
    }
    RegistryFile::new(registry.to_owned(), ui).update(|registry| {
        registry.remove(uuid);
        Ok(())
    })?;
    Ok(())
}

/// Asks the process to stop, and ends it when it takes too long. Only one that is proven to be the run is touched.
fn stop(entry: &Entry) -> Result<(), CommandError> {
    if entry.standing() != Standing::Alive {
        return Ok(());
    }
    terminate(entry.pid)?;
    if has_ended(entry) {
        return Ok(());
    }
    kill(entry.pid)?;
    if has_ended(entry) {
        return Ok(());
    }
    Err(CommandError::message(
        Kind::User,
        format!("process {} does not end", entry.pid),
        "it may wait for a disk that does not answer; nothing was deleted",
    ))
}

/// Waits for the end of a process, but not for ever.
fn has_ended(entry: &Entry) -> bool {
    let started = Instant::now();
    while entry.standing() == Standing::Alive {
        if started.elapsed() > PATIENCE {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}

/// Only a file with the name that a log of this run has: the entry may say anything.
fn delete_log(uuid: &str, log_file: &Path) -> Result<(), IoError> {
    let name = log_file.file_name().unwrap_or_default();
    if !name.to_string_lossy().contains(uuid) {
        return Ok(());
    }
    match std::fs::remove_file(log_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_path("delete", log_file)
        }
        _ => Ok(()),
    }
}

/// Asks a process to stop.
#[cfg(unix)]
pub(super) fn terminate(pid: u32) -> Result<(), CommandError> {
    signal(pid, nix::sys::signal::Signal::SIGTERM)
}

#[cfg(unix)]
fn kill(pid: u32) -> Result<(), CommandError> {
    signal(pid, nix::sys::signal::Signal::SIGKILL)
}

#[cfg(unix)]
fn signal(pid: u32, signal: nix::sys::signal::Signal) -> Result<(), CommandError> {
    use nix::errno::Errno;
    use nix::unistd::Pid;

    // Zero and negative numbers mean groups of processes; no process has one of them.
    let target = i32::try_from(pid).ok().filter(|pid| *pid > 0);
    match target.map(|target| nix::sys::signal::kill(Pid::from_raw(target), signal)) {
        // It ended by itself in the meantime.
        None | Some(Ok(()) | Err(Errno::ESRCH)) => Ok(()),
        Some(Err(error)) => Err(CommandError::message(
            Kind::User,
            format!("process {pid} cannot be stopped: {error}"),
            "it belongs to whoever started it: run this command as that user",
        )),
    }
}

/// Processes are never proven to be a run here, so none gets this far.
#[cfg(not(unix))]
pub(super) fn terminate(_: u32) -> Result<(), CommandError> {
    Ok(())
}

#[cfg(not(unix))]
fn kill(_: u32) -> Result<(), CommandError> {
    Ok(())
}
