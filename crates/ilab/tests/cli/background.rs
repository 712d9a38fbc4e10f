//! Runs in the background, and a teacher that keeps them waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ilab_testkit::fake_teacher::FakeTeacher;
use serde_json::Value;

use crate::generate::{arguments, teach};
use crate::program::Program;

pub const REGISTRY: &str = ".local/share/instructlab/internal/process_registry.json";

/// A teacher that answers as many requests as it is allowed to; the others wait.
pub struct GatedTeacher {
    pub teacher: FakeTeacher,
    n_allowed: Arc<AtomicUsize>,
}

impl GatedTeacher {
    pub fn start(n_allowed: usize) -> Self {
        let n_allowed = Arc::new(AtomicUsize::new(n_allowed));
        let n_seen = AtomicUsize::new(0);
        let gate = Arc::clone(&n_allowed);
        let teacher = FakeTeacher::start(move |request| {
            let number = n_seen.fetch_add(1, Ordering::SeqCst);
            while number >= gate.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            teach(request)
        });
        Self { teacher, n_allowed }
    }

    pub fn open(&self) {
        self.n_allowed.store(usize::MAX, Ordering::SeqCst);
    }
}

/// Waits for something that has to come, however slow the machine.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(120), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A run in the background; it is stopped when the test is over.
pub struct Run<'p> {
    program: &'p Program,
    pub uuid: String,
    pub pid: String,
    pub shown: String,
}

impl<'p> Run<'p> {
    pub fn start(program: &'p Program, url: &str, more: &[&str]) -> Self {
        let mut start = arguments(url, "out");
        start.extend(["--sdg-scale-factor", "8", "--num-cpus", "2", "-dt"]);
        start.extend(more);
        let shown = program.run(&start);
        assert!(shown.starts_with("exit code: 0\n"), "{shown}");
        let uuid = shown.lines().nth(2).unwrap().to_owned();
        let pid = registry(program)[&uuid]["pid"].to_string();
        Self {
            program,
            uuid,
            pid,
            shown,
        }
    }

    /// What was shown, with the cells of tables only and without what differs from run to run.
    pub fn steady(&self, shown: &str) -> String {
        let shown = shown.replace(&self.uuid, "[UUID]");
        let mut steady = String::new();
        for line in shown.lines().filter(|line| !line.starts_with("+--")) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let line = match cells.as_slice() {
                ["", kind, pid, rest @ .., ""] => {
                    let pid = pid.replace(&self.pid, "[PID]");
                    let rest = rest.join(" | ");
                    format!("{kind} | {pid} | {}", without_seconds(&rest))
                }
                _ => line.replace(&format!("process {}", self.pid), "process [PID]"),
            };
            steady.push_str(&format!("{line}\n"));
        }
        steady
    }

    pub fn status(&self) -> String {
        let shown = self.program.run(&["process", "list", "--json"]);
        let json = shown.split("----- stdout -----\n").nth(1).unwrap();
        let json = json.split("----- stderr").next().unwrap();
        let list: Value = serde_json::from_str(json).unwrap();
        let entries = list.as_array().unwrap();
        let entry = entries.iter().find(|entry| entry["uuid"] == self.uuid);
        entry.unwrap()["status"].as_str().unwrap().to_owned()
    }

    pub fn log_file(&self) -> String {
        format!(
            ".local/share/instructlab/logs/generation/generation-{}.log",
            self.uuid
        )
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.program
            .run(&["process", "prune", "--older", "0", "-f"]);
    }
}

fn without_seconds(text: &str) -> String {
    match text.find("00:0") {
        Some(start) if text.len() >= start + 8 => {
            format!("{}[TIME]{}", &text[..start], &text[start + 8..])
        }
        _ => text.to_owned(),
    }
}

pub fn registry(program: &Program) -> Value {
    serde_json::from_slice(&std::fs::read(program.path(REGISTRY)).unwrap()).unwrap()
}

/// Sends a signal as a user does.
pub fn signal(name: &str, pid: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(kill.args([name, pid]).status().unwrap().success());
}
