//! The list of processes: what it says after crashes, and that nothing gets lost in it.

use std::process::{Command, Stdio};

use ilab_testkit::fake_teacher::FakeTeacher;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::background::{GatedTeacher, REGISTRY, Run, registry, signal, wait_until};
use crate::generate::{arguments, program, teach};
use crate::program::Program;

/// Ends with the test.
struct Bystander(std::process::Child);

impl Bystander {
    fn start() -> Self {
        let mut sleep = Command::new("sleep");
        Self(sleep.arg("1000").stdout(Stdio::null()).spawn().unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn edit(program: &Program, change: impl FnOnce(&mut Value)) {
    let mut registry = registry(program);
    change(&mut registry);
    program.write(REGISTRY, registry.to_string());
}

#[test]
fn a_killed_run_is_told_as_dead() {
    let program = program();
    let gated = GatedTeacher::start(0);
    let run = Run::start(&program, &gated.teacher.url(), &[]);
    signal("-KILL", &run.pid);
    let list = ["process", "list"];
    wait_until("its end", || !program.run(&list).contains("Running"));
    assert_snapshot!(run.steady(&program.run(&list)), @r"
    exit code: 0
    ----- stdout -----
    Type | PID | UUID | Log File | Runtime | Status
    Generation | [PID] | [UUID] | [FOLDER]/.local/share/instructlab/logs/generation/generation-[UUID].log | [TIME] | Errored (died)
    ----- stderr -----
    ");
    let entry = &registry(&program)[&run.uuid];
    assert_eq!(
        (&entry["status"], &entry["reason"]),
        (&json!("Errored"), &json!("died"))
    );
    let shown = program.run(&["process", "attach", "--latest"]);
    assert!(shown.starts_with("exit code: 1\n"), "{shown}");
    assert!(shown.contains("failed: died\n"), "{shown}");
}

#[test]
fn another_process_with_the_pid_of_a_run_is_not_taken_for_it() {
    let program = program();
    let gated = GatedTeacher::start(0);
    let run = Run::start(&program, &gated.teacher.url(), &[]);
    signal("-KILL", &run.pid);
    let mut bystander = Bystander::start();
    let pid = bystander.0.id();
    edit(&program, |registry| registry[&run.uuid]["pid"] = json!(pid));
    let shown = program.run(&["process", "list"]);
    assert!(shown.contains("Errored (died)"), "{shown}");
    let shown = program.run(&["process", "remove", &run.uuid, "-f"]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(bystander.is_alive());
}

#[test]
fn what_cannot_be_proven_to_be_a_run_is_told_as_written_and_never_stopped() {
    let program = program();
    let mut bystander = Bystander::start();
    let entry = json!({"pid": bystander.0.id(), "type": "Generation", "log_file": null,
        "children_pids": [], "start_time": "2026-01-01T00:00:00", "status": "Running"});
    let mut elsewhere = entry.clone();
    elsewhere["identity"] = json!({"host": "far-away", "start": "1"});
    let entries = json!({"of-the-original": entry, "elsewhere": elsewhere});
    program.write(REGISTRY, entries.to_string());
    let shown = program.run(&["process", "list"]);
    assert!(
        shown.contains("| Running  ") && shown.contains("Running on far-away"),
        "{shown}"
    );
    for uuid in ["of-the-original", "elsewhere"] {
        let shown = program.run(&["process", "remove", uuid, "-f"]);
        assert!(shown.contains("is not stopped"), "{shown}");
        assert!(shown.ends_with("removed.\n"), "{shown}");
    }
    assert!(bystander.is_alive());
}

#[test]
fn runs_that_start_together_are_all_in_the_list() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let outputs: Vec<String> = (0..5).map(|number| format!("out{number}")).collect();
    let start = |output: &String| {
        let mut generate = arguments(&url, output);
        generate.extend(["--sdg-scale-factor", "1", "--quiet"]);
        let mut command = program.command(&generate);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    };
    let children: Vec<_> = outputs
        .iter()
        .map(|output| start(output).unwrap())
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let registry = registry(&program);
    let entries: Vec<&Value> = registry.as_object().unwrap().values().collect();
    assert_eq!(entries.len(), 5);
    for entry in entries {
        assert_eq!(entry["status"], "Done");
        assert!(
            entry["log_file"].is_null() && entry["end_time"].is_string(),
            "{entry}"
        );
    }
}

#[test]
fn a_broken_list_is_set_aside_and_runs_go_on() {
    let program = program();
    program.write(REGISTRY, "{\"half\": ");
    let shown = program.run(&["process", "list"]);
    let folder = program.path(REGISTRY).parent().unwrap().to_owned();
    let aside: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".broken-"))
        .collect();
    assert_eq!(std::fs::read_to_string(&aside[0]).unwrap(), "{\"half\": ");
    let name = aside[0].file_name().unwrap().to_str().unwrap();
    assert_snapshot!(shown.replace(name, "[ASIDE]"), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    warning: the list of processes cannot be read (EOF while parsing a value at line 1 column 9); it is now in `[FOLDER]/.local/share/instructlab/internal/[ASIDE]`, and a new one is begun
    No matching process found.
    ");

    let foreign = json!({"odd": {"pid": "twelve"}, "kept": {"pid": 999_999_999, "type": "Training",
        "log_file": null, "start_time": "2026-01-01T00:00:00", "status": "Running", "nice": [1]}});
    program.write(REGISTRY, foreign.to_string());
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut generate = arguments(&url, "out");
    generate.extend(["--sdg-scale-factor", "1"]);
    program.run(&generate);
    let shown = program.run(&["process", "list"]);
    assert!(
        shown.contains("warning: the entry `odd` in the list of processes is left out"),
        "{shown}"
    );
    let registry = registry(&program);
    assert_eq!(registry.as_object().unwrap().len(), 3);
    assert_eq!(registry["odd"]["pid"], "twelve");
    assert_eq!(registry["kept"]["nice"], json!([1]));
    assert_eq!(registry["kept"]["status"], "Errored");
}

#[test]
fn a_run_that_cannot_be_registered_runs_all_the_same() {
    let program = program();
    program.write(".local/share/instructlab/internal", "a file, not a folder");
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut generate = arguments(&url, "out");
    generate.extend(["--sdg-scale-factor", "1", "--quiet"]);
    let shown = program.run(&generate);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(
        shown.contains("warning: `ilab process list` does not show this run: "),
        "{shown}"
    );
    generate.push("--detached");
    let shown = program.run(&generate);
    assert!(shown.starts_with("exit code: 1\n"), "{shown}");
    assert!(shown.contains("error: cannot create directory"), "{shown}");
}

#[test]
fn an_interrupted_run_tells_so_in_the_list() {
    let program = program();
    let gated = GatedTeacher::start(0);
    let run = Run::start(&program, &gated.teacher.url(), &[]);
    signal("-TERM", &run.pid);
    let shown = program.run(&["process", "attach", "--latest"]);
    assert!(shown.starts_with("exit code: 130\n"), "{shown}");
    let entry = &registry(&program)[&run.uuid];
    assert_eq!(
        (&entry["status"], &entry["reason"]),
        (&json!("Errored"), &json!("interrupted"))
    );
}
