//! The side of the run: it keeps its own entry in the registry.

use std::path::PathBuf;

use ilab_base::io::{IoError, WithPath as _};
use uuid::Uuid;

use super::entry::Entry;
use super::registry::RegistryFile;
use crate::error::{CommandError, CommandResult};
use crate::ui::Ui;

/// Where and how a run is registered.
#[derive(Debug)]
pub(crate) struct RecordSettings {
    pub(crate) registry: PathBuf,
    pub(crate) uuid: Uuid,
    /// Where the output of a run in the background goes; one at a terminal shows it there and keeps none.
    pub(crate) log_file: Option<PathBuf>,
}

/// The entry of this process.
pub(crate) struct Record {
    registry: RegistryFile,
    uuid: String,
    log_file: Option<PathBuf>,
    is_kept: bool,
}

/// Does `work` as a run that others see.
pub(crate) fn recorded(
    settings: &RecordSettings,
    ui: Ui,
    work: impl FnOnce(&Record) -> CommandResult,
) -> CommandResult {
    let record = Record::begin(settings, ui)?;
    let result = work(&record);
    record.end(&result, ui);
    result
}

impl Record {
    fn begin(settings: &RecordSettings, ui: Ui) -> Result<Self, CommandError> {
        let is_detached = settings.log_file.is_some();
        if is_detached {
            leave_terminal()?;
        }
        let registry = RegistryFile::new(settings.registry.clone(), ui);
        let uuid = settings.uuid.to_string();
        let entry = Entry::of_this_process(settings.log_file.clone());
        let written = registry.update(|registry| registry.put(&uuid, &entry));
        let is_kept = written.is_ok();
        match written {
            // Whoever started it waits for this entry.
            Err(error) if is_detached => return Err(error.into()),
            Err(error) => ui.warning(format!(
                "`ilab process list` does not show this run: {error}: {}",
                error.source
            )),
            Ok(()) => {}
        }
        Ok(Self {
            registry,
            uuid,
            log_file: settings.log_file.clone(),
            is_kept,
        })
    }

    /// Tells whoever started this run in the background that it goes on from here without them.
    pub(crate) fn checks_passed(&self) -> Result<(), IoError> {
        let Some(log_file) = &self.log_file else {
            return Ok(());
        };
        let metadata = log_file.metadata().with_path("read", log_file)?;
        self.change(|entry| entry.n_log_bytes_of_checks = Some(metadata.len()))
    }

    fn end(&self, result: &CommandResult, ui: Ui) {
        if !self.is_kept {
            return;
        }
        let written = self.change(|entry| match result {
            Ok(()) => entry.end(0, None),
            Err(error) => entry.end(error.code(), error.summary()),
        });
        if let Err(error) = written {
            ui.warning(format!(
                "the end of this run is not in the list of processes: {error}: {}",
                error.source
            ));
        }
    }

    /// An entry that somebody removed stays away.
    fn change(&self, change: impl FnOnce(&mut Entry)) -> Result<(), IoError> {
        self.registry.update(|registry| {
            if let Some(mut entry) = registry.get(&self.uuid) {
                change(&mut entry);
                registry.put(&self.uuid, &entry)?;
            }
            Ok(())
        })
    }
}

/// A session of its own has no terminal: closing the one it was started from does not reach it, nor does Ctrl-C there.
#[cfg(unix)]
fn leave_terminal() -> Result<(), CommandError> {
    use crate::error::Kind;
    nix::unistd::setsid().map(|_| ()).map_err(|error| {
        CommandError::message(
            Kind::User,
            format!("the run cannot leave its terminal: {error}"),
            "start it with `--detached`",
        )
    })
}

#[cfg(not(unix))]
fn leave_terminal() -> Result<(), CommandError> {
    Ok(())
}
