//! `ilab process remove` and `prune`.

use insta::assert_snapshot;

use crate::background::{GatedTeacher, REGISTRY, Run, signal, wait_until};
use crate::generate::{arguments, program};
use crate::program::Program;

#[test]
fn a_removed_run_keeps_its_journal_and_a_later_one_goes_on() {
    let program = program();
    let gated = GatedTeacher::start(6);
    let url = gated.teacher.url();
    let run = Run::start(&program, &url, &[]);
    wait_until("requests", || gated.teacher.n_requests() >= 8);
    let remove = ["process", "remove", &run.uuid[..6]];
    assert_snapshot!(run.steady(&program.run(&remove)), @r"
    exit code: 130
    ----- stdout -----
    ----- stderr -----
    Process to be removed:
    Type | PID | UUID | Log File | Runtime | Status
    Generation | [PID] | [UUID] | [FOLDER]/.local/share/instructlab/logs/generation/generation-[UUID].log | [TIME] | Running
    Are you sure you want to remove the process? [y/N]: 
    error: interrupted
    hint: `--force` asks nothing
    ");
    let declined = program.run_with_input(&remove, "n\n");
    assert!(declined.starts_with("exit code: 0\n"), "{declined}");
    assert!(declined.ends_with("Aborted deletion.\n"), "{declined}");
    assert_eq!(run.status(), "Running");
    assert_snapshot!(run.steady(&program.run_with_input(&remove, "y\n")), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Process to be removed:
    Type | PID | UUID | Log File | Runtime | Status
    Generation | [PID] | [UUID] | [FOLDER]/.local/share/instructlab/logs/generation/generation-[UUID].log | [TIME] | Running
    Are you sure you want to remove the process? [y/N]: Process with UUID [UUID] removed.
    ");
    assert!(!program.path(&run.log_file()).exists());
    assert_snapshot!(program.run(&["process", "list"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No matching process found.
    ");
    assert_snapshot!(program.run(&["process", "remove", &run.uuid]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No matching process found.
    ");

    gated.open();
    let n_before = gated.teacher.n_requests();
    let mut again = arguments(&url, "out");
    again.extend(["--sdg-scale-factor", "8", "--num-cpus", "2"]);
    let shown = program.run(&again);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    // One request a chunk or skill and example; six of them were answered before, two perhaps not written.
    let n_needed = 3 * 5 + 5;
    let n_again = gated.teacher.n_requests() - n_before;
    assert!(n_again <= n_needed - 4, "{n_again}");
}

#[test]
fn a_run_that_does_not_listen_is_ended() {
    let program = program();
    let gated = GatedTeacher::start(0);
    let run = Run::start(&program, &gated.teacher.url(), &[]);
    signal("-STOP", &run.pid);
    let shown = program.run(&["process", "remove", &run.uuid, "-f"]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    let stat = std::process::Command::new("ps")
        .args(["-o", "stat=", "-p", &run.pid])
        .output()
        .unwrap();
    let stat = String::from_utf8(stat.stdout).unwrap();
    assert!(stat.trim().is_empty() || stat.starts_with('Z'), "{stat}");
}

/// A program with processes that ended, or never were.
fn with_processes(processes: &[(&str, &str, &str)]) -> Program {
    let program = Program::new();
    let entries: serde_json::Map<String, serde_json::Value> = processes
        .iter()
        .map(|(uuid, start, status)| {
            let entry = serde_json::json!({"pid": 999_999_999, "type": "Generation", "log_file": null,
                "children_pids": [], "start_time": start, "status": status, "end_time": start});
            ((*uuid).to_owned(), entry)
        })
        .collect();
    program.write(REGISTRY, serde_json::Value::Object(entries).to_string());
    program
}

#[test]
fn processes_are_pruned_by_age_and_state() {
    let now = jiff::Zoned::now();
    let now = now.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let program = with_processes(&[
        ("old-done", "2024-01-01T10:00:00", "Done"),
        ("old-errored", "2024-01-01T10:00:00.5", "Errored"),
        ("new-done", &now, "Done"),
        ("new-running", &now, "Running"),
    ]);
    for wrong in [
        &["process", "prune"][..],
        &["process", "prune", "--older", "-1"],
    ] {
        let shown = program.run(wrong);
        assert!(shown.starts_with("exit code: 1\n"), "{shown}");
    }
    assert_snapshot!(program.run(&["process", "prune"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: Please specify either --older, or --state.
    hint: `--older 0` removes all
    ");
    assert_snapshot!(program.run(&["process", "prune", "--older", "-1", "-f"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: --older must be 0 or a positive integer.
    hint: `--older 0` removes all
    ");
    assert_snapshot!(program.run(&["process", "prune", "--older", "1", "--state", "done", "-f"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Processes to be removed:
    +------------+-----------+----------+----------+----------+--------+
    | Type       | PID       | UUID     | Log File | Runtime  | Status |
    +------------+-----------+----------+----------+----------+--------+
    | Generation | 999999999 | old-done | -        | 00:00:00 | Done   |
    +------------+-----------+----------+----------+----------+--------+
    Removed 1 processes.
    ");
    assert_snapshot!(program.run(&["process", "prune", "--older", "1", "--state", "done", "-f"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No matching process found.
    ");
    let shown = program.run(&["process", "prune", "--state", "errored", "-f"]);
    assert!(shown.ends_with("Removed 2 processes.\n"), "{shown}");
    let shown = program.run(&["process", "prune", "--older", "0", "-f"]);
    assert!(shown.ends_with("Removed 1 processes.\n"), "{shown}");
    assert_snapshot!(program.run(&["process", "list", "--json"]), @r"
    exit code: 0
    ----- stdout -----
    []
    ----- stderr -----
    ");
}

#[test]
fn the_beginning_of_a_uuid_must_be_of_one_process_only() {
    let program = with_processes(&[
        ("abc-1", "2024-01-01T10:00:00", "Done"),
        ("abc-12", "2024-01-01T10:00:00", "Done"),
    ]);
    assert_snapshot!(program.run(&["process", "remove", "abc", "-f"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `abc` begins the UUIDs of 2 processes
    hint: give more of it; `ilab process list` shows them all
    ");
    let shown = program.run(&["process", "remove", "abc-1", "-f"]);
    assert!(
        shown.ends_with("Process with UUID abc-1 removed.\n"),
        "{shown}"
    );
    let shown = program.run(&["process", "remove", "abc", "-f"]);
    assert!(
        shown.ends_with("Process with UUID abc-12 removed.\n"),
        "{shown}"
    );
}
