//! `ilab process list`: what runs, and what became of it.

use std::path::{Path, PathBuf};

use ilab_base::io::IoError;
use serde_json::{Value, json};

use super::NO_MATCH;
use super::entry::{Entry, Status, shown};
use super::registry::RegistryFile;
use crate::error::CommandResult;
use crate::ui::{Ui, table};

/// Lists the processes in that state, or all.
pub(crate) fn run(registry: &Path, status: Option<Status>, is_json: bool, ui: Ui) -> CommandResult {
    let entries = with_status(registry, status, ui)?;
    if is_json {
        let objects: Vec<Value> = entries.iter().map(as_json).collect();
        ui.data(format!("{:#}", Value::from(objects)));
    } else if entries.is_empty() {
        ui.status(NO_MATCH);
    } else {
        ui.data(grid(&entries));
    }
    Ok(())
}

/// The processes in that state, or all.
pub(super) fn with_status(
    registry: &Path,
    status: Option<Status>,
    ui: Ui,
) -> Result<Vec<(String, Entry)>, IoError> {
    let mut entries = RegistryFile::new(registry.to_owned(), ui).corrected()?;
    entries.retain(|(_, entry)| status.is_none_or(|status| entry.status == status));
    Ok(entries)
}

/// The table of the original.
pub(super) fn grid(entries: &[(String, Entry)]) -> String {
    let log_file = |path: &PathBuf| path.display().to_string();
    let rows: Vec<[String; 6]> = entries
        .iter()
        .map(|(uuid, entry)| {
            [
                entry.kind.clone(),
                entry.pid.to_string(),
                uuid.clone(),
                entry.log_file.as_ref().map_or("-".to_owned(), log_file),
                entry.runtime().map_or("unknown".to_owned(), shown),
                entry.state(),
            ]
        })
        .collect();
    table::grid(
        ["Type", "PID", "UUID", "Log File", "Runtime", "Status"],
        &rows,
    )
}

fn as_json((uuid, entry): &(String, Entry)) -> Value {
    json!({
        "uuid": uuid,
        "type": entry.kind,
        "pid": entry.pid,
        "status": entry.status,
        "log_file": entry.log_file,
        "start_time": entry.start_time,
        "end_time": entry.end_time,
        "runtime_seconds": entry.runtime().map(|runtime| runtime.as_secs()),
        "exit_code": entry.exit_code,
        "reason": entry.reason,
    })
}
