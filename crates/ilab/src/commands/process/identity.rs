//! Which process is meant: a pid alone is given out again, after a reboot and even before.

use serde::{Deserialize, Serialize};

/// What tells a process apart from all others that have or had its pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The machine or container: the folder of the registry may be seen from several.
    pub(super) host: String,
    /// When the process started.
    pub(super) start: String,
}

/// Whether a process of the registry lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It lives, and it is the one that was registered.
    Alive,
    /// It has ended.
    Gone,
    /// Nobody can tell from here: a process has its pid, or it is on another machine.
    Unproven,
}

impl Identity {
    /// The identity of a living process; `None` where there is none or the system does not tell.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Some(Self {
            host: host(),
            start: start(pid)?,
        })
    }

    /// Whether it belongs to another machine.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.host != host()
    }
}

impl Standing {
    /// Compares the process that has this pid now with the one that was registered.
    pub(super) fn of(pid: u32, registered: Option<&Identity>) -> Self {
        if registered.is_some_and(Identity::is_elsewhere) {
            return Self::Unproven;
        }
        match (start(pid), registered) {
            (None, _) if cfg!(unix) => Self::Gone,
            (None, _) | (Some(_), None) => Self::Unproven,
            (Some(start), Some(registered)) if start == registered.start => Self::Alive,
            (Some(_), Some(_)) => Self::Gone,
        }
    }
}

#[cfg(unix)]
fn host() -> String {
    nix::unistd::gethostname().map_or_else(
        |_| String::new(),
        |name| name.to_string_lossy().into_owned(),
    )
}

#[cfg(not(unix))]
fn host() -> String {
    String::new()
}

/// The boot, and the ticks from it to the start of the process; nothing for one that has ended and was not yet waited for.
#[cfg(target_os = "linux")]
fn start(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(format!("{} {}", boot.trim(), start_ticks(&stat)?))
}

/// The 22nd field; the second is a name in parentheses that may hold anything.
#[cfg(target_os = "linux")]
fn start_ticks(stat: &str) -> Option<&str> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace();
    let state = fields.next()?;
    let is_over = matches!(state, "Z" | "X" | "x");
    fields.nth(18).filter(|_| !is_over)
}

/// The moment of its start, in words that depend on no setting of the user's.
#[cfg(all(unix, not(target_os = "linux")))]
fn start(pid: u32) -> Option<String> {
    let output = std::process::Command::new("ps")
        .args(["-o", "stat=", "-o", "lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .env("TZ", "UTC0")
        .output()
        .ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let (state, start) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| start.trim().to_owned())
}

#[cfg(not(unix))]
fn start(_: u32) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_until_it_ends() {
        let mut child = std::process::Command::new("sleep")
            .arg("1000")
            .spawn()
            .unwrap();
        let identity = Identity::of(child.id()).unwrap();
        let standing = |identity: Option<&Identity>| Standing::of(child.id(), identity);
        assert_eq!(standing(Some(&identity)), Standing::Alive);
        assert_eq!(standing(None), Standing::Unproven);
        let elsewhere = Identity {
            host: "another".to_owned(),
            ..identity.clone()
        };
        assert_eq!(standing(Some(&elsewhere)), Standing::Unproven);
        let earlier = Identity {
            start: "boot 0".to_owned(),
            ..identity.clone()
        };
        assert_eq!(standing(Some(&earlier)), Standing::Gone);
        child.kill().unwrap();
        // Ended or waited for: both are gone.
        while Standing::of(child.id(), Some(&identity)) != Standing::Gone {
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(Standing::of(child.id(), Some(&identity)), Standing::Gone);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_with_parentheses_and_spaces_shift_no_field() {
        let fields: Vec<String> = (4..=52).map(|number| number.to_string()).collect();
        let stat = |state: &str| format!("7 (a) b (c)) {state} {}", fields.join(" "));
        assert_eq!(start_ticks(&stat("S")), Some("22"));
        assert_eq!(start_ticks(&stat("Z")), None);
        assert_eq!(start_ticks("7 (a"), None);
    }
}
