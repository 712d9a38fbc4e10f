//! `ilab model serve`.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use ilab_testkit::tiny_llama;
use insta::assert_snapshot;

use crate::program::Program;

/// A running server, its URL, and what it says.
struct Served {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    url: String,
}

fn serve(program: &Program, arguments: &[&str]) -> Served {
    let mut child = program
        .command(&[&["serve", "--port", "0"], arguments].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let mut served = Served {
        child,
        stderr,
        url: String::new(),
    };
    let mut said = String::new();
    while served.url.is_empty() {
        let mut line = String::new();
        let n_bytes = served.stderr.read_line(&mut line).unwrap();
        assert_ne!(n_bytes, 0, "it ended: {said}");
        if let Some(rest) = line.strip_prefix("Serving at ") {
            served.url = rest.split(',').next().unwrap().to_owned();
        }
        said.push_str(&line);
    }
    served
}

impl Drop for Served {
    fn drop(&mut self) {
        // Nothing is left to stop when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    /// Sends a signal and waits: the exit code and what was said on the way out.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(sent.success());
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

/// A real model in `folder`; its path from there.
fn tiny_model(program: &Program, folder: &str) -> String {
    let path = tiny_llama::write_gguf(&program.path(folder)).unwrap();
    let path = path.strip_prefix(program.path("")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_missing_model_is_named() {
    let program = Program::new();
    assert_snapshot!(program.run(&["model", "serve", "--model-path", "nowhere.gguf"]), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the model `nowhere.gguf` does not exist
    hint: give the path of a GGUF file with `--model-path`, or name it in the configuration
    "#);
}

#[test]
fn a_folder_without_a_model_is_named() {
    let program = Program::new();
    program.write("checkpoint/config.json", "{}");
    assert_snapshot!(program.run(&["serve", "--port", "0", "--model-path", "checkpoint"]), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the folder `checkpoint` has no GGUF file in it
    hint: make one with `ilab model convert --model-dir checkpoint`
    "#);
}

#[test]
fn a_file_that_is_no_model_is_named() {
    let program = Program::new();
    program.write("notes.gguf", "these are my notes, not a model");
    assert_snapshot!(program.run(&["serve", "--port", "0", "--model-path", "notes.gguf"]), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `notes.gguf` is not a usable GGUF file
      caused by: at byte 0: expected the magic bytes `GGUF`, got `thes`
      caused by: expected the magic bytes `GGUF`, got `thes`
    hint: give a GGUF file, or make one from a Hugging Face folder with `ilab model convert --model-dir DIR`
    "#);
}

#[test]
fn a_model_cut_in_half_is_named() {
    let program = Program::new();
    let model = tiny_model(&program, "models");
    let bytes = std::fs::read(program.path(&model)).unwrap();
    program.write("half.gguf", &bytes[..bytes.len() / 2]);
    let shown = program.run(&["serve", "--port", "0", "--model-path", "half.gguf"]);
    assert!(shown.starts_with("exit code: 1\n"), "{shown}");
    assert!(shown.contains("half.gguf"), "{shown}");
    assert!(shown.contains("hint: "), "{shown}");
}

#[test]
fn a_port_in_use_is_named() {
    let program = Program::new();
    let model = tiny_model(&program, "models");
    let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let shown = program.run(&["serve", "--port", &port, "--model-path", &model]);
    assert_snapshot!(shown.replace(&port, "[PORT]"), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: port [PORT] on `127.0.0.1` is in use by another program
    hint: stop the other program, or choose another port with `--port`; 0 picks a free one
    "#);
}

#[test]
fn wrong_flags_are_usage_errors() {
    let program = Program::new();
    assert_snapshot!(program.run(&["model", "serve", "--port", "70000"]), @r#"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value '70000' for '--port <PORT>': 70000 is not in 0..=65535

    For more information, try '--help'.
    "#);
}

#[test]
fn a_served_model_answers_and_stops_when_asked() {
    let program = Program::new();
    // In a checkpoint folder the file is found, and the larger one beside it is not taken.
    let model = tiny_model(&program, "samples_8");
    let size = std::fs::metadata(program.path(&model)).unwrap().len() as usize;
    program.write("samples_8/larger.gguf", vec![0; size + 1]);
    let served = serve(
        &program,
        &["--model-path", "samples_8", "--log-file", "serve.log"],
    );
    let shown = program.run(&[
        "chat",
        "-qq",
        "--endpoint-url",
        &served.url,
        "--max-tokens",
        "4",
        "hello",
    ]);
    assert!(shown.starts_with("exit code: 0\n"), "{shown}");
    assert!(shown.contains("Connected to http://127.0.0.1:"), "{shown}");
    let (code, said) = served.stop("-TERM");
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "Received termination signal 15, exiting...\n")
    );
    assert!(program.path("serve.log").exists());

    let served = serve(&program, &["--model-path", &model]);
    let (code, said) = served.stop("-INT");
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "Server terminated by keyboard\n")
    );
}

#[test]
fn a_template_that_cannot_be_used_is_named() {
    let program = Program::new();
    let model = tiny_model(&program, "models");
    program.write("chat.jinja", "{% for message in messages %}");
    let shown = program.run(&[
        "serve",
        "--port",
        "0",
        "--model-path",
        &model,
        "--chat-template",
        "chat.jinja",
    ]);
    assert_snapshot!(shown, @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the chat template in `chat.jinja` cannot be used: syntax error: unexpected end of input, expected end of block (in chat_template:1)
    hint: correct it, or take the model's own with `--chat-template auto`
    "#);
}
