//! Starting this program anew in the background.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use ilab_base::io::{IoError, WithPath as _, create_dir_all};
use serde_json::json;
use uuid::Uuid;

use super::POLL;
use super::log_lines::LogLines;
use super::registry::RegistryFile;
use super::remove::{PATIENCE, terminate};
use crate::commands::stop::{Watched, Watcher};
use crate::error::{CommandError, CommandResult, Kind};
use crate::ui::Ui;

/// What is started.
#[derive(Debug)]
pub(crate) struct StartSettings {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// What others must not read in the list of processes: variables and their values.
    pub(crate) secrets: Vec<(&'static str, OsString)>,
    pub(crate) uuid: Uuid,
    pub(crate) log_file: PathBuf,
    pub(crate) registry: PathBuf,
    pub(crate) is_quiet: bool,
    pub(crate) is_json: bool,
}

/// What was seen of the new process.
enum Seen {
    /// Its checks are passed; this is its pid.
    Ready(u32),
    Ended(ExitStatus),
}

/// Starts it and stays until it has passed its checks or failed; what it says until then is shown.
pub(crate) fn run(settings: &StartSettings, ui: Ui) -> CommandResult {
    // From here on Ctrl-C reaches both or, after the checks, nobody but this one.
    let mut watcher = Watcher::new()?;
    let mut child = spawn(settings)?;
    let mut log = LogLines::open(&settings.log_file)?;
    let registry = RegistryFile::new(settings.registry.clone(), ui);
    let uuid = settings.uuid.to_string();
    let watched = watcher.watch(POLL, || {
        // Measured first: what is written later is shown only when it is known to belong to the checks.
        let end = log.len()?;
        let entry = registry.peek(&uuid);
        let checks_end = entry.as_ref().and_then(|entry| entry.n_log_bytes_of_checks);
        for line in log.until(checks_end.unwrap_or(end))? {
            ui.status(line);
        }
        if let Some(entry) = entry.filter(|_| checks_end.is_some()) {
            return Ok(Some(Seen::Ready(entry.pid)));
        }
        let ended = child.try_wait().with_path("watch", &settings.program)?;
        Ok(ended.map(Seen::Ended))
    });
    match watched? {
        Watched::Seen(Seen::Ready(pid)) => {
            tell(pid, settings, ui);
            Ok(())
        }
        Watched::Seen(Seen::Ended(status)) => {
            for line in log.rest()? {
                ui.status(line);
            }
            Err(early_end(status))
        }
        Watched::Stopped => {
            stop(&mut child, &settings.program)?;
            ui.status("The run was stopped before it had passed its checks.");
            Err(CommandError::told(Kind::Interrupted))
        }
    }
}

fn spawn(settings: &StartSettings) -> Result<Child, CommandError> {
    let log = create_log(&settings.log_file)?;
    let error_log = log.try_clone().with_path("create", &settings.log_file)?;
    let mut command = Command::new(&settings.program);
    command
        .args(&settings.arguments)
        .envs(settings.secrets.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(error_log);
    Ok(command.spawn().with_path("start", &settings.program)?)
}

fn create_log(path: &Path) -> Result<File, IoError> {
    if let Some(folder) = path.parent() {
        create_dir_all(folder)?;
    }
    // Appended to through two handles, which must not write over each other.
    File::options()
        .append(true)
        .create_new(true)
        .open(path)
        .with_path("create", path)
}

fn tell(pid: u32, settings: &StartSettings, ui: Ui) {
    let (uuid, log_file) = (settings.uuid, settings.log_file.display());
    let ui = ui.quiet(settings.is_quiet);
    ui.status(format!(
        "Running in the background as process {pid}; closing this terminal does not stop it."
    ));
    ui.status(format!("log: {log_file}"));
    ui.status(format!(
        "`ilab process attach --uuid {uuid}` follows it; `ilab process remove {uuid}` stops it."
    ));
    if settings.is_json {
        let started = json!({"uuid": uuid.to_string(), "pid": pid, "log_file": settings.log_file});
        ui.data(started.to_string());
    } else {
        ui.data(uuid.to_string());
    }
}

/// Why it did not come to a run: it said so itself, unless it was killed.
fn early_end(status: ExitStatus) -> CommandError {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) => CommandError::message(
            Kind::User,
            "the process in the background ended without a run",
            "leave `--detached` out",
        ),
        Some(code) => CommandError::told(Kind::Ended(code)),
        None => CommandError::message(
            Kind::User,
            format!("the process in the background was killed: {status}"),
            "leave `--detached` out to see it run",
        ),
    }
}

/// Asks it to stop, and ends it when it does not.
fn stop(child: &mut Child, program: &Path) -> Result<(), CommandError> {
    terminate(child.id())?;
    let started = Instant::now();
    while child.try_wait().with_path("watch", program)?.is_none() {
        if started.elapsed() > PATIENCE {
            child.kill().with_path("end", program)?;
        }
        std::thread::sleep(POLL);
    }
    Ok(())
}
