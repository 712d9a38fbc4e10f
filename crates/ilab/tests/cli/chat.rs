//! `ilab model chat`.

use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use ilab_testkit::tiny_llama;
use insta::assert_snapshot;
use serde_json::json;

use crate::program::Program;

/// Makes the program look for its server at `port`.
fn configure_port(program: &Program, port: u16) {
    let config = format!("serve:\n  server:\n    port: {port}\n");
    program.write(".config/instructlab/config.yaml", config);
}

/// A port that nobody listens on: it was just given back.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// What was shown, without the port of the fake teacher.
fn steady(shown: &str, teacher: &FakeTeacher) -> String {
    shown.replace(&teacher.url(), "[URL]")
}

#[test]
fn a_quick_question_prints_the_answer_only() {
    let program = Program::new();
    let teacher = FakeTeacher::start(|_| Reply::answer("Forty two."));
    let shown = program.run(&[
        "model",
        "chat",
        "-qq",
        "-t",
        "0.5",
        "--endpoint-url",
        &teacher.url(),
        "what",
        "is it?",
    ]);
    assert_snapshot!(steady(&shown, &teacher), @r#"
    exit code: 0
    ----- stdout -----
    Forty two.
    ----- stderr -----
    Connected to [URL] (fake-teacher)
    "#);
    let body = &teacher.requests()[0].body;
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": "what is it?"}])
    );
    assert_eq!(body["temperature"], 0.5);
    assert_eq!(body["model"], "fake-teacher");
}

#[test]
fn a_session_through_a_pipe_keeps_its_history() {
    let program = Program::new();
    let teacher = FakeTeacher::start(|request| {
        let n_messages = request["messages"].as_array().map_or(0, Vec::len);
        Reply::answer(format!("{n_messages} messages"))
    });
    let shown = program.run_with_input(
        &["chat", "-nd", "--endpoint-url", &teacher.url()],
        "one\ntwo\n/n\nthree\n/x\n/c cli_helper\nfour\n/m\nfirst\nsecond\n\n/q\nnever\n",
    );
    assert_snapshot!(steady(&shown, &teacher), @r#"
    exit code: 0
    ----- stdout -----
    1 messages
    3 messages
    1 messages
    2 messages
    4 messages
    ----- stderr -----
    Connected to [URL] (fake-teacher)
    The conversation begins anew.
    warning: there is no command `/x`; `/h` lists them
    Several lines: an empty line sends them.
    "#);
    let last = teacher.requests().pop().unwrap().body;
    assert_eq!(last["messages"][3]["content"], "first\nsecond");
    assert_eq!(last["messages"][0]["role"], "system");
}

#[test]
fn one_failed_answer_does_not_end_a_session() {
    let program = Program::new();
    let teacher = FakeTeacher::start(|request| {
        if request["messages"][0]["content"] == "bad" {
            Reply::error(400, "I do not like that")
        } else {
            Reply::answer("fine")
        }
    });
    let shown = program.run_with_input(
        &["chat", "-nd", "--endpoint-url", &teacher.url()],
        "bad\ngood\n",
    );
    assert_snapshot!(steady(&shown, &teacher), @r#"
    exit code: 0
    ----- stdout -----
    fine
    ----- stderr -----
    Connected to [URL] (fake-teacher)
    error: `[URL]` refused the request (HTTP 400): I do not like that
    "#);
}

#[test]
fn failures_of_the_endpoint_are_told_with_a_next_step() {
    let program = Program::new();
    let teacher = FakeTeacher::start(|_| Reply::error(401, "no such key"));
    let shown = program.run(&[
        "chat",
        "-qq",
        "--api-key",
        "sk-secret",
        "--endpoint-url",
        &teacher.url(),
        "hi",
    ]);
    assert_snapshot!(steady(&shown, &teacher), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    Connected to [URL] (fake-teacher)
    error: `[URL]` refused the API key (HTTP 401): no such key
    hint: pass the right key with `--api-key`
    "#);
    let teacher = FakeTeacher::start(|_| Reply::raw(200, "<html>login</html>"));
    let shown = program.run(&["chat", "-qq", "--endpoint-url", &teacher.url(), "hi"]);
    assert!(shown.starts_with("exit code: 1\n"), "{shown}");
}

#[test]
fn an_endpoint_that_is_not_there_is_told() {
    let program = Program::new();
    let url = FakeTeacher::start(|_| Reply::answer("")).url();
    let shown = program.run(&["chat", "-qq", "--endpoint-url", &url, "hi"]);
    assert_snapshot!(shown.replace(&url, "[URL]").replace(" (os error 111)", ""), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `[URL]` did not answer after 2 attempts: client error (Connect): tcp connect error: Connection refused
    hint: check that the server runs and that the URL ends in `/v1`, then run the same command again
    "#);
}

#[test]
fn a_model_in_this_process_answers() {
    let program = Program::new();
    let model = tiny_llama::write_gguf(&program.path("models")).unwrap();
    let model = model.to_str().unwrap();
    let port = free_port();
    configure_port(&program, port);
    let shown = program.run(&[
        "chat",
        "-qq",
        "-m",
        model,
        "-t",
        "0",
        "--max-tokens",
        "4",
        "hello",
    ]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    let told =
        format!("No server at http://127.0.0.1:{port}/v1: loading `{model}` in this process");
    assert!(
        shown.contains(&told.replace(
            program.path("").to_str().unwrap().trim_end_matches('/'),
            "[FOLDER]"
        )),
        "{shown}"
    );
    assert!(
        shown.contains("(cut off after 4 tokens: `--max-tokens` allows more)"),
        "{shown}"
    );
    assert!(
        !shown.contains("----- stdout -----\n----- stderr"),
        "{shown}"
    );
}

#[test]
fn wrong_values_are_usage_errors() {
    let program = Program::new();
    assert_snapshot!(program.run(&["chat", "-qq", "-t", "9", "hi"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the temperature is 9; it must be from 0 to 2
    hint: 0 always gives the most likely answer, 1 the model's own variety
    "#);
    assert_snapshot!(program.run(&["chat", "-qq", "-c", "pirate", "hi"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no chat context `pirate`
    hint: the contexts are `default` and `cli_helper`
    "#);
    assert_snapshot!(program.run(&["chat", "-qq", "--endpoint-url", "localhost:8000", "hi"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: `localhost:8000` is not an HTTP URL: it begins with `localhost:`, not `http:` or `https:`
    hint: write it as `http://HOST:PORT/v1`
    "#);
}

#[test]
fn a_quick_question_without_words_asks_nothing() {
    let program = Program::new();
    assert_snapshot!(program.run(&["chat", "-qq"]), @r#"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    "#);
}

#[test]
fn a_running_server_is_found_and_asked() {
    let program = Program::new();
    let teacher = FakeTeacher::start(|_| Reply::answer("I am here."));
    configure_port(&program, teacher.address().port());
    let shown = program.run(&["chat", "-qq", "are you there?"]);
    assert_snapshot!(steady(&shown, &teacher), @r#"
    exit code: 0
    ----- stdout -----
    I am here.
    ----- stderr -----
    Connected to [URL] (fake-teacher)
    "#);
    // A file that the server does not have is not answered by another model.
    let model = tiny_llama::write_gguf(&program.path("models")).unwrap();
    let model = model.to_str().unwrap();
    let shown = program.run(&["chat", "-qq", "-m", model, "--max-tokens", "4", "hello"]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(shown.contains("does not serve"), "{shown}");
    assert_eq!(teacher.n_requests(), 1);
}

#[test]
fn the_key_comes_from_the_environment_and_the_placeholder_is_none() {
    let program = Program::new();
    let teacher = FakeTeacher::start(|_| Reply::answer("fine"));
    let url = teacher.url();
    let arguments = ["chat", "-qq", "--endpoint-url", &url, "hi"];
    for key in ["sk-secret", "no_api_key", ""] {
        let mut command = program.command(&arguments);
        assert!(command.env("ILAB_API_KEY", key).status().unwrap().success());
    }
    program.run(&[&arguments[..], &["--api-key", "no_api_key"]].concat());
    let sent: Vec<_> = teacher
        .requests()
        .iter()
        .map(|request| request.header("authorization").map(str::to_owned))
        .collect();
    assert_eq!(
        sent,
        [Some("Bearer sk-secret".to_owned()), None, None, None]
    );
}

/// A chat at a terminal of its own.
#[cfg(unix)]
mod at_a_terminal {
    use std::fs::File;
    use std::io::Read;
    use std::process::{Child, Command, Stdio};

    use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
    use nix::pty::openpty;
    use nix::sys::termios::{LocalFlags, tcgetattr};

    use crate::program::Program;

    struct Chat {
        child: Child,
        screen: File,
        seen: String,
    }

    impl Chat {
        fn start(program: &Program, url: &str) -> Self {
            let pty = openpty(None, None).unwrap();
            let keyboard = pty.slave.try_clone().unwrap();
            let child = program
                .command(&["chat", "-nd", "--endpoint-url", url])
                .stdin(Stdio::from(keyboard))
                .stdout(Stdio::from(pty.slave))
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            Self {
                child,
                screen: File::from(pty.master),
                seen: String::new(),
            }
        }

        /// Reads the screen up to the next `text`.
        fn wait_for(&mut self, text: &str) {
            loop {
                if let Some(start) = self.seen.find(text) {
                    self.seen.drain(..start + text.len());
                    return;
                }
                let mut bytes = [0; 256];
                let n_bytes = self.screen.read(&mut bytes).unwrap();
                self.seen += &String::from_utf8_lossy(&bytes[..n_bytes]);
            }
        }

        fn type_line(&mut self, line: &str) {
            std::io::Write::write_all(&mut self.screen, format!("{line}\r").as_bytes()).unwrap();
        }

        fn signal(&self, name: &str) {
            let id = self.child.id().to_string();
            assert!(
                Command::new("kill")
                    .args([name, &id])
                    .status()
                    .unwrap()
                    .success()
            );
        }
    }

    impl Drop for Chat {
        fn drop(&mut self) {
            // Nothing is left to stop when it has ended by itself.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    #[test]
    fn sigterm_ends_it_at_the_prompt_and_an_old_sigint_stops_no_answer() {
        let program = Program::new();
        let teacher = FakeTeacher::start(|_| Reply::answer("all of it"));
        let mut chat = Chat::start(&program, &teacher.url());
        chat.wait_for(">>> ");
        chat.signal("-INT");
        chat.type_line("hello");
        chat.wait_for("all of it");
        chat.wait_for(">>> ");
        chat.signal("-TERM");
        assert_eq!(chat.child.wait().unwrap().code(), Some(0));
        let modes = tcgetattr(&chat.screen).unwrap();
        assert!(
            modes
                .local_flags
                .contains(LocalFlags::ICANON | LocalFlags::ECHO)
        );
    }
}
