//! `ilab data generate --detached` and following it.

use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Stdio};

use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use insta::assert_snapshot;

use crate::background::{GatedTeacher, REGISTRY, Run, registry, signal, wait_until};
use crate::generate::{arguments, program};
use crate::program::Program;
use crate::resume::interrupt;
use crate::silent_endpoint::SilentEndpoint;

/// Follows a run; by the time it is returned it listens to signals.
fn attached(program: &Program, run: &Run<'_>, marker: &str) -> (Child, BufReader<ChildStdout>) {
    let mut attach = program
        .command(&["process", "attach", "--uuid", &run.uuid[..8]])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(attach.stdout.take().unwrap());
    let mut log = std::fs::File::options();
    let mut log = log
        .append(true)
        .open(program.path(&run.log_file()))
        .unwrap();
    // The first may be among the lines from before; the second is not.
    for marker in [format!("first {marker}\n"), format!("second {marker}\n")] {
        log.write_all(marker.as_bytes()).unwrap();
        let mut line = String::new();
        while line != marker {
            line.clear();
            assert!(stdout.read_line(&mut line).unwrap() > 0, "{marker}");
        }
    }
    (attach, stdout)
}

#[test]
fn a_run_in_the_background_is_listed_left_alone_and_followed_to_its_end() {
    let program = program();
    let gated = GatedTeacher::start(0);
    let run = Run::start(&program, &gated.teacher.url(), &[]);
    assert_snapshot!(run.steady(&run.shown), @r"
    exit code: 0
    ----- stdout -----
    [UUID]
    ----- stderr -----
    Running in the background as process [PID]; closing this terminal does not stop it.
    log: [FOLDER]/.local/share/instructlab/logs/generation/generation-[UUID].log
    `ilab process attach --uuid [UUID]` follows it; `ilab process remove [UUID]` stops it.
    ");
    assert_snapshot!(run.steady(&program.run(&["process", "list", "--state", "running"])), @r"
    exit code: 0
    ----- stdout -----
    Type | PID | UUID | Log File | Runtime | Status
    Generation | [PID] | [UUID] | [FOLDER]/.local/share/instructlab/logs/generation/generation-[UUID].log | [TIME] | Running
    ----- stderr -----
    ");
    assert_snapshot!(program.run(&["process", "list", "--state", "Done"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No matching process found.
    ");

    let (attach, _stdout) = attached(&program, &run, "one");
    signal("-INT", &attach.id().to_string());
    let left = attach.wait_with_output().unwrap();
    assert_eq!(left.status.code(), Some(130));
    assert_snapshot!(run.steady(&String::from_utf8(left.stderr).unwrap()), @r"
    Attaching to process [UUID]. Ctrl-C leaves it running.
    Process [UUID] goes on; `ilab process remove [UUID]` stops it.
    ");
    assert_eq!(run.status(), "Running");

    let (attach, mut stdout) = attached(&program, &run, "two");
    gated.open();
    let mut said = String::new();
    stdout.read_to_string(&mut said).unwrap();
    assert!(
        said.contains("Data generate completed successfully"),
        "{said}"
    );
    let ended = attach.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_snapshot!(run.steady(&String::from_utf8(ended.stderr).unwrap()), @r"
    Attaching to process [UUID]. Ctrl-C leaves it running.
    Process [UUID] is done.
    ");
    assert_snapshot!(run.steady(&program.run(&["process", "list"])), @r"
    exit code: 0
    ----- stdout -----
    Type | PID | UUID | Log File | Runtime | Status
    Generation | [PID] | [UUID] | [FOLDER]/.local/share/instructlab/logs/generation/generation-[UUID].log | [TIME] | Done
    ----- stderr -----
    ");
    let shown = program.run(&["process", "attach", "--latest"]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
}

#[test]
fn a_run_that_fails_its_checks_shows_why_and_fails_the_start() {
    let program = program();
    program.write("taxonomy/knowledge/brill/qna.yaml", "version: 3\n");
    let mut start = arguments("http://localhost:1/v1", "out");
    start.push("--detached");
    let shown = program.run(&start);
    assert_snapshot!(shown, @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
      × `created_by` is missing in the file
       ╭─[taxonomy/knowledge/brill/qna.yaml:1:1]
     1 │ version: 3
       · ───────
       ╰────
      help: add `created_by:` with your name or handle

      × `domain` is missing in the file
       ╭─[taxonomy/knowledge/brill/qna.yaml:1:1]
     1 │ version: 3
       · ───────
       ╰────
      help: add `domain:` with the field of knowledge, such as `astronomy`

      × `document_outline` is missing in the file
       ╭─[taxonomy/knowledge/brill/qna.yaml:1:1]
     1 │ version: 3
       · ───────
       ╰────
      help: add `document_outline:` with one line that says what the documents are about

      × `document` is missing in the file
       ╭─[taxonomy/knowledge/brill/qna.yaml:1:1]
     1 │ version: 3
       · ───────
       ╰────
      help: add `document:` with `repo`, `commit` and `patterns`, or with a local `path` and
            `patterns`

      × `seed_examples` is missing in the file
       ╭─[taxonomy/knowledge/brill/qna.yaml:1:1]
     1 │ version: 3
       · ───────
       ╰────
      help: add `seed_examples:` with a list of examples

    error: the taxonomy in `taxonomy` has 5 errors
    hint: each place above says what to change; nothing was generated
    ");
    let registry = registry(&program);
    let (_, entry) = registry.as_object().unwrap().iter().next().unwrap();
    assert_eq!(entry["status"], "Errored");
    assert_eq!(entry["exit_code"], 1);
    assert!(
        entry["reason"]
            .as_str()
            .unwrap()
            .starts_with("the taxonomy in")
    );

    // Before there is an entry at all.
    let mut start = arguments("http://localhost:1/v1", "out");
    start.extend(["--detached", "--config", "absent.yaml"]);
    assert_snapshot!(program.run(&start), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `absent.yaml` does not exist or is not a readable file
    hint: `ilab config init` makes one, or give another with `--config FILE`
    ");
}

#[test]
fn a_run_that_fails_later_gives_its_exit_code_to_whoever_follows_it() {
    let program = program();
    let teacher = FakeTeacher::start(|_| Reply::raw(200, "<html>not an API</html>"));
    let url = teacher.url();
    let mut start = arguments(&url, "out");
    start.push("-dt");
    program.run(&start);
    let shown = program.run(&["process", "attach", "--latest"]);
    assert!(shown.starts_with("exit code: 1\n"), "{shown}");
    assert!(shown.contains("is not of the OpenAI protocol"), "{shown}");
    assert!(
        shown.contains("failed: the teacher failed; 0 finished requests are kept\n"),
        "{shown}"
    );
}

#[test]
fn what_is_not_there_cannot_be_followed() {
    let program = Program::new();
    assert_snapshot!(program.run(&["process", "attach", "--latest"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: no processes found in registry
    hint: `ilab process list` shows what there is; `ilab data generate --detached` starts one
    ");
    assert_snapshot!(program.run(&["process", "attach", "--uuid", "1234"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: no process `1234`
    hint: `ilab process list` shows what there is; `ilab data generate --detached` starts one
    ");
    assert_snapshot!(program.run(&["process", "attach"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      <--uuid <UUID>|--latest>

    Usage: ilab process attach <--uuid <UUID>|--latest>

    For more information, try '--help'.
    ");
    assert_snapshot!(program.run(&["process", "list"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No matching process found.
    ");
    assert!(!program.path(REGISTRY).with_file_name("").exists());
}

#[test]
fn starting_can_be_stopped_and_leaves_nothing_running() {
    let program = program();
    let endpoint = SilentEndpoint::start();
    let url = endpoint.url();
    let is_reached = || endpoint.is_reached();
    let mut start = arguments(&url, "out");
    start.extend(["--detached", "--model", "named"]);
    let (code, said) = interrupt(&program, &start, "-INT", is_reached);
    assert_eq!(code, Some(130), "{said}");
    assert_snapshot!(said, @r"
    The run was stopped before it had passed its checks.
    ");
    let shown = program.run(&["process", "list", "--state", "Running"]);
    assert!(shown.contains("No matching process found."), "{shown}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_secret_is_in_no_list_of_processes_log_or_registry_and_still_sent() {
    let program = program();
    let gated = GatedTeacher::start(1);
    let url = gated.teacher.url();
    let run = Run::start(&program, &url, &["-vv", "--api-key", "sk-secret"]);
    wait_until("a request", || gated.teacher.n_requests() > 0);
    let request = &gated.teacher.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer sk-secret"));
    let command_line = std::fs::read(format!("/proc/{}/cmdline", run.pid)).unwrap();
    let command_line = String::from_utf8(command_line).unwrap();
    assert!(command_line.contains(&run.uuid), "{command_line}");
    let log = std::fs::read_to_string(program.path(&run.log_file())).unwrap();
    let registry = registry(&program).to_string();
    for text in [command_line, log, registry, run.shown.clone()] {
        assert!(!text.contains("sk-secret"), "{text}");
    }
    // Field 6 is the session: one of its own has no terminal that could be closed.
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", run.pid)).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    assert_eq!(after_name.split_whitespace().nth(3), Some(run.pid.as_str()));
}

#[test]
fn a_run_at_a_terminal_is_in_the_list_and_its_end_can_be_waited_for() {
    let program = program();
    let gated = GatedTeacher::start(0);
    let url = gated.teacher.url();
    let mut generate = arguments(&url, "out");
    generate.extend(["--sdg-scale-factor", "1", "--quiet"]);
    let mut run = program.command(&generate);
    let mut run = run
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("a request", || gated.teacher.n_requests() > 0);
    let shown = program.run(&["process", "list", "--state", "Running"]);
    assert!(
        shown.contains(&format!("| Generation | {} ", run.id())),
        "{shown}"
    );

    let mut attach = program.command(&["process", "attach", "--latest"]);
    let mut attach = attach.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(attach.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("keeps no log. Waiting for its end"), "{line}");
    gated.open();
    assert_eq!(attach.wait().unwrap().code(), Some(0));
    assert!(run.wait().unwrap().success());
    let registry = registry(&program);
    let (_, entry) = registry.as_object().unwrap().iter().next().unwrap();
    assert_eq!(entry["status"], "Done");
    assert!(entry["log_file"].is_null(), "{entry}");
}
