//! One process in the registry.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::identity::{Identity, Standing};

/// Why a process ended that wrote no end of its own.
const DIED: &str = "died";

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Running,
    Done,
    Errored,
}

/// A process as the registry has it: the keys of the original, then ours, then those of nobody we know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) pid: u32,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) log_file: Option<PathBuf>,
    #[serde(default)]
    children_pids: Vec<Value>,
    /// Local time without its zone, as the original's.
    pub(super) start_time: String,
    pub(super) status: Status,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<String>,
    /// Tells the process apart from others that have or had its pid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) identity: Option<Identity>,
    /// How long the log was when all checks before the run were passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) n_log_bytes_of_checks: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<u8>,
    /// Why it ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl Entry {
    /// This process, which generates data.
    pub(super) fn of_this_process(log_file: Option<PathBuf>) -> Self {
        let pid = std::process::id();
        Self {
            pid,
            kind: "Generation".to_owned(),
            log_file,
            children_pids: Vec::new(),
            start_time: written(&Zoned::now()),
            status: Status::Running,
            end_time: None,
            identity: Identity::of(pid),
            n_log_bytes_of_checks: None,
            exit_code: None,
            reason: None,
            other: Map::new(),
        }
    }

    /// Whether its process lives.
    pub(super) fn standing(&self) -> Standing {
        Standing::of(self.pid, self.identity.as_ref())
    }

    /// Writes down how it ended.
    pub(super) fn end(&mut self, exit_code: u8, reason: Option<String>) {
        self.status = match exit_code {
            0 => Status::Done,
            _ => Status::Errored,
        };
        self.exit_code = Some(exit_code);
        self.reason = reason;
        self.end_time = Some(written(&Zoned::now()));
    }

    /// Whether it is told as running and is not; it is then told as dead, at the time of its last sign of life.
    pub(super) fn correct(&mut self) -> bool {
        if self.status != Status::Running || self.standing() != Standing::Gone {
            return false;
        }
        self.status = Status::Errored;
        self.reason = Some(DIED.to_owned());
        self.end_time = self.last_written().map(|moment| written(&moment));
        true
    }

    fn last_written(&self) -> Option<Zoned> {
        let modified: SystemTime = self.log_file.as_ref()?.metadata().ok()?.modified().ok()?;
        let moment = Timestamp::try_from(modified).ok()?;
        Some(moment.to_zoned(TimeZone::system()))
    }

    /// How long it ran, or has been running; `None` where an end or a beginning is not known.
    pub(super) fn runtime(&self) -> Option<Duration> {
        let end = match (&self.end_time, self.status) {
            (Some(end), _) => read(end)?,
            (None, Status::Running) => Timestamp::now(),
            (None, _) => return None,
        };
        let runtime = end.duration_since(read(&self.start_time)?);
        // A clock that was put back makes no negative times.
        Some(Duration::try_from(runtime).unwrap_or_default())
    }

    /// How long ago it started.
    pub(super) fn age(&self) -> Option<Duration> {
        let age = Timestamp::now().duration_since(read(&self.start_time)?);
        Some(Duration::try_from(age).unwrap_or_default())
    }

    /// The state with what a table has room for.
    pub(super) fn state(&self) -> String {
        match (self.status, &self.identity) {
            (Status::Running, Some(identity)) if identity.is_elsewhere() => {
                format!("Running on {}", identity.host)
            }
            (Status::Errored, _) if self.reason.as_deref() == Some(DIED) => {
                format!("Errored ({DIED})")
            }
            (status, _) => format!("{status:?}"),
        }
    }
}

fn written(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

fn read(text: &str) -> Option<Timestamp> {
    let local: DateTime = text.parse().ok()?;
    Some(local.to_zoned(TimeZone::system()).ok()?.timestamp())
}

/// `00:09:24`, and `3d 00:09:24` from a day on.
pub(super) fn shown(runtime: Duration) -> String {
    let seconds = runtime.as_secs();
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let time = format!("{hours:02}:{:02}:{:02}", seconds / 60 % 60, seconds % 60);
    match days {
        0 => time,
        _ => format!("{days}d {time}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Entry {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn entries_of_the_original_are_read_and_what_is_not_known_is_kept() {
        let text = r#"{"pid": 12, "type": "Generation", "log_file": "a.log", "children_pids": [13],
            "start_time": "2026-11-23T03:24:46.123456", "status": "Done",
            "end_time": "2026-11-26T03:34:10", "nice": {"level": 3}}"#;
        let entry = entry(text);
        assert_eq!(shown(entry.runtime().unwrap()), "3d 00:09:23");
        let value = serde_json::to_value(&entry).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn runtimes_are_short_and_stand_still_at_the_end() {
        let shown = [0, 59, 3_661, 90_000].map(|seconds| shown(Duration::from_secs(seconds)));
        assert_eq!(shown, ["00:00:00", "00:00:59", "01:01:01", "1d 01:00:00"]);
        let backwards = entry(
            r#"{"pid": 1, "type": "Generation", "log_file": null, "status": "Done",
            "start_time": "2026-11-23T03:24:46", "end_time": "2026-11-23T03:00:00"}"#,
        );
        assert_eq!(backwards.runtime(), Some(Duration::ZERO));
    }

    #[test]
    fn this_process_runs_and_one_of_another_start_with_its_pid_is_dead() {
        let mut entry = Entry::of_this_process(None);
        assert!(!entry.correct());
        if let Some(identity) = &mut entry.identity {
            identity.start.push('0');
        }
        assert!(entry.correct());
        assert_eq!(
            (entry.status, entry.state()),
            (Status::Errored, "Errored (died)".to_owned())
        );
        assert_eq!(entry.runtime(), None);
    }
}
