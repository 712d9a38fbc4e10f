//! `ilab data generate`.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use ilab_testkit::tiny_llama;
use insta::assert_snapshot;
use serde_json::Value;

use crate::program::Program;

const DOCUMENT: &str = "# The brill\n\nThe brill is a small animal of the hills. It has six legs.\n\n## Food\n\nIt eats moss and fog.\n\n## Home\n\nIts home is a bowl of clay.\n";

/// A program with a taxonomy of a knowledge leaf and a skill.
pub fn program() -> Program {
    let program = Program::new();
    program.write("taxonomy/knowledge/brill/documents/brill.md", DOCUMENT);
    program.write("taxonomy/knowledge/brill/qna.yaml", knowledge("*.md"));
    let mut skill =
        "version: 2\ncreated_by: tester\ntask_description: name an opposite\nseed_examples:\n"
            .to_owned();
    for number in 1..=5 {
        skill.push_str(&format!(
            "- question: What is the opposite of {number}?\n  answer: Minus {number}.\n"
        ));
    }
    program.write("taxonomy/compositional_skills/opposites/qna.yaml", skill);
    program
}

fn knowledge(pattern: &str) -> String {
    let mut text = "version: 3\ncreated_by: tester\ndomain: animals\ndocument_outline: The brill\nseed_examples:\n".to_owned();
    for number in 1..=5 {
        text.push_str(&format!(
            "- context: The brill has fact {number}.\n  questions_and_answers:\n"
        ));
        for word in ["How many legs", "Which food", "What home"] {
            text.push_str(&format!(
                "  - question: {word} has a brill in case {number}?\n    answer: Six.\n"
            ));
        }
    }
    format!("{text}document:\n  path: documents\n  patterns: ['{pattern}']\n")
}

/// Answers that follow from the prompt and the seed, as those of a model do.
pub fn teach(request: &Value) -> Reply {
    let seed = request["seed"].as_u64().unwrap();
    let prompt = request["messages"][0]["content"].as_str().unwrap();
    let n_choices = request["n"].as_u64().unwrap_or(1);
    let answer = |number: u64| {
        format!(
            "What is number {number} of {}? It is {}.",
            prompt.len(),
            number * 3
        )
    };
    Reply::answers((0..n_choices).map(|choice| answer(seed + choice)))
}

pub fn arguments<'a>(url: &'a str, output: &'a str) -> Vec<&'a str> {
    let mut arguments = vec![
        "data",
        "generate",
        "--pipeline",
        "simple",
        "--taxonomy-path",
        "taxonomy",
    ];
    arguments.extend([
        "--taxonomy-base",
        "empty",
        "--endpoint-url",
        url,
        "--output-dir",
        output,
    ]);
    arguments
}

/// What was shown, without what differs from run to run.
pub fn steady(shown: &str, teacher: &FakeTeacher) -> String {
    let shown = shown.replace(&teacher.url(), "[URL]");
    let is_run = |word: &&str| word.contains("datasets/2") || word.contains("out/2");
    let mut runs: Vec<String> = shown
        .split_whitespace()
        .filter(is_run)
        .map(str::to_owned)
        .collect();
    // A file in the folder before the folder.
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.iter()
        .fold(shown, |shown, run| shown.replace(run, "[RUN]"))
}

#[test]
fn a_dataset_is_generated_and_told() {
    let program = program();
    let teacher = FakeTeacher::start(|request| match request["seed"].as_u64().unwrap() % 3 {
        0 => Reply::answers((0..4).map(|_| "no question here")),
        _ => teach(request),
    });
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments.extend(["--sdg-scale-factor", "4", "--seed", "5"]);
    assert_snapshot!(steady(&program.run(&arguments), &teacher), @r#"
    exit code: 0
    ----- stdout -----
    [RUN]
    ----- stderr -----
    Generating synthetic data from 2 leaves with `fake-teacher`
    knowledge_brill: 1 document in 3 chunks
    compositional_skills->opposites: 12 samples of 20 answers, 8 left out
    knowledge->brill: 52 samples of 60 answers, 8 left out
    left out:    14  duplicate
                     such as "no question here"
    left out:     2  no question mark
                     such as "no question here"
    every sample and what was left out: [RUN]
    ᕦ(òᴗóˇ)ᕤ Data generate completed successfully! ᕦ(òᴗóˇ)ᕤ
    "#);
    let body = &teacher.requests()[0].body;
    assert_eq!(body["model"], "fake-teacher");
    assert_eq!(body["n"], 4);
    let n_requests = teacher.n_requests();
    arguments.push("--json");
    let shown = program.run(&arguments);
    assert_eq!(teacher.n_requests(), n_requests, "everything is kept");
    let report = shown.lines().find(|line| line.starts_with('{')).unwrap();
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(report["leaves"].as_array().unwrap().len(), 2);
    assert!(Path::new(report["files"]["messages"].as_str().unwrap()).is_relative());
    assert!(
        program
            .path(report["files"]["messages"].as_str().unwrap())
            .is_file()
    );
}

#[test]
fn the_key_is_sent_and_never_shown() {
    let program = program();
    let teacher = FakeTeacher::start(|_| Reply::error(401, "bad key"));
    let url = teacher.url();
    let output = program
        .command(&arguments(&url, "out"))
        .env("ILAB_API_KEY", "sk-secret")
        .output()
        .unwrap();
    let shown = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(shown.contains("refused the API key"), "{shown}");
    assert!(!shown.contains("sk-secret"), "{shown}");
    let visible = std::fs::read_dir(program.path("out")).map_or(0, |entries| {
        entries
            .filter(|entry| {
                !entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_str()
                    .unwrap()
                    .starts_with("journal")
            })
            .count()
    });
    assert_eq!(visible, 0, "no half dataset");
}

#[test]
fn a_teacher_that_fails_ends_the_run_with_what_is_kept() {
    let program = program();
    let teacher = FakeTeacher::start(|_| Reply::raw(200, "<html>not an API</html>"));
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments.push("--quiet");
    let shown = program.run(&arguments);
    assert_snapshot!(steady(&shown, &teacher), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the teacher failed; 0 finished requests are kept
      caused by: `[URL]` sent an answer that is not of the OpenAI protocol: expected value at line 1 column 1; it begins with "<html>not an API</html>"
    hint: check that the URL is that of an OpenAI-compatible API and ends in `/v1`
    "#);
}

#[test]
fn what_cannot_be_generated_from_is_told_before_anything_is_asked() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let arguments = arguments(&url, "out");
    program.write("taxonomy/knowledge/brill/qna.yaml", knowledge("*.txt"));
    assert_snapshot!(steady(&program.run(&arguments), &teacher), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
      × the pattern `*.txt` matches no file in `taxonomy/knowledge/brill/documents`; there are:
      │ brill.md
        ╭─[taxonomy/knowledge/brill/qna.yaml:48:14]
     47 │   path: documents
     48 │   patterns: ['*.txt']
        ·              ───────
        ╰────
      help: `*.md` takes the files of the folder itself, `**/*.md` those of its subfolders too

    error: the taxonomy in `taxonomy` has 1 error
    hint: each place above says what to change; nothing was generated
    ");
    program.write(
        "taxonomy/knowledge/brill/qna.yaml",
        "version: 3\ncreated_by: me\n",
    );
    let shown = program.run(&arguments);
    assert!(shown.starts_with("exit code: 1"), "{shown}");
    assert!(shown.contains("has 4 errors"), "{shown}");
    assert_eq!(teacher.n_requests(), 0);
}

#[test]
fn a_pipeline_or_model_that_is_not_there_is_told() {
    let program = program();
    let base = [
        "generate",
        "--taxonomy-path",
        "taxonomy",
        "--taxonomy-base",
        "empty",
    ];
    let with = |flags: &[&str]| program.run(&[&base[..], flags].concat());
    assert_snapshot!(with(&["--pipeline", "nowhere"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: there is no pipeline `nowhere`: it is not built in and no such folder exists
    hint: pass `--pipeline full`, `--pipeline simple`, or the folder of your own pipeline
    ");
    assert_snapshot!(with(&["--pipeline", "simple", "--model", "gone.gguf"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the model `gone.gguf` does not exist
    hint: give the path of a GGUF file with `--model`, or name it in the configuration
    ");
    // What a new configuration says; nothing is loaded for it.
    assert_snapshot!(with(&["--model", "gone.gguf"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the model `gone.gguf` does not exist
    hint: give the path of a GGUF file with `--model`, or name it in the configuration
    ");
    program.write("own/knowledge.yaml", "version: '1.0'\nblocks: nothing\n");
    let shown = with(&["--pipeline", "own", "--model", "gone.gguf"]);
    assert!(shown.contains("own/knowledge.yaml"), "{shown}");
    let alias = ".local/share/instructlab/sdg/pipelines/mine/knowledge.yaml";
    program.write(alias, "version: '1.0'\nblocks: nothing\n");
    let shown = with(&["--pipeline", "mine", "--model", "gone.gguf"]);
    assert!(
        shown.contains("pipelines/mine/knowledge.yaml:2:9"),
        "{shown}"
    );
    program.write("cut.gguf", b"GGUF\x03\0\0\0");
    let shown = with(&["--pipeline", "simple", "--model", "cut.gguf"]);
    assert!(shown.starts_with("exit code: 1"), "{shown}");
}

#[test]
fn a_model_in_this_process_is_a_teacher() {
    let program = program();
    let folder = program.path("model");
    std::fs::create_dir_all(&folder).unwrap();
    let model = tiny_llama::write_gguf(&folder).unwrap();
    let shown = program.run(&[
        "data",
        "generate",
        "--pipeline",
        "simple",
        "--taxonomy-path",
        "taxonomy",
        "--taxonomy-base",
        "empty",
        "--model",
        model.to_str().unwrap(),
        "--output-dir",
        "out",
        "--sdg-scale-factor",
        "1",
        "--max-num-tokens",
        "8",
    ]);
    // A model of random weights writes no question; that it was asked and its answers were counted is the point.
    assert!(
        shown.contains("nothing usable was generated: all 20 samples were left out"),
        "{shown}"
    );
}

#[test]
fn documents_come_from_a_git_repository_at_its_commit() {
    let program = program();
    program.write("origin/docs/brill.md", "# The brill\n\nIt was grey.\n");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let mut command = std::process::Command::new("git");
        command
            .args(identity)
            .args(arguments)
            .current_dir(program.path("origin"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    let commit = git(&["rev-parse", "HEAD"]);
    program.write("origin/docs/brill.md", "# The brill\n\nIt is blue.\n");
    git(&["commit", "--quiet", "-am", "two"]);
    let leaf = knowledge("docs/*.md");
    let source = format!(
        "repo: {}\n  commit: {commit}",
        program.path("origin").display()
    );
    program.write(
        "taxonomy/knowledge/brill/qna.yaml",
        leaf.replace("path: documents", &source),
    );

    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let arguments = arguments(&url, "out");
    let shown = program.run(&arguments);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert_eq!(
        shown.matches("Cloning [FOLDER]/origin...").count(),
        1,
        "{shown}"
    );
    let prompts: Vec<String> = teacher
        .requests()
        .iter()
        .map(|request| request.body["messages"].to_string())
        .collect();
    assert!(prompts.iter().any(|prompt| prompt.contains("It was grey.")));
    assert!(!prompts.iter().any(|prompt| prompt.contains("It is blue.")));
    // The second run needs the repository no more.
    std::fs::remove_dir_all(program.path("origin")).unwrap();
    let shown = program.run(&arguments);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert!(!shown.contains("Cloning"), "{shown}");
}

#[test]
fn the_longest_answer_is_the_pipelines_unless_the_configuration_was_changed() {
    let program = program();
    let max_tokens = |configured: u32, output| {
        let config = format!("generate:\n  max_num_tokens: {configured}\n");
        program.write("config.yaml", config);
        let teacher = FakeTeacher::start(teach);
        let url = teacher.url();
        let flags = ["--config", "config.yaml", "--sdg-scale-factor", "1"];
        let shown = program.run(&[arguments(&url, output), flags.to_vec()].concat());
        assert!(shown.starts_with("exit code: 0"), "{shown}");
        let mut asked: Vec<u64> = teacher
            .requests()
            .iter()
            .filter_map(|request| request.body["max_tokens"].as_u64())
            .collect();
        asked.sort_unstable();
        asked.dedup();
        asked
    };
    assert_eq!(max_tokens(4096, "unchanged"), [256, 512]);
    assert_eq!(max_tokens(77, "changed"), [77]);
}

#[test]
fn a_model_that_is_not_served_ends_the_run_at_once() {
    let program = program();
    let teacher = FakeTeacher::start(|request| match request["model"].as_str() {
        Some("fake-teacher") => teach(request),
        _ => Reply::error(404, "The model `mistral` does not exist."),
    });
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments.extend(["--model", "mistral", "--num-cpus", "1", "--quiet"]);
    assert_snapshot!(steady(&program.run(&arguments), &teacher), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the teacher failed; 0 finished requests are kept
      caused by: `[URL]` refused the request (HTTP 404): The model `mistral` does not exist.
    hint: name one of its models with `--model`: `fake-teacher`
    ");
    assert_eq!(teacher.n_requests(), 1);
}

#[test]
fn a_run_of_refusals_is_explained_by_them() {
    let program = program();
    let teacher = FakeTeacher::start(|_| Reply::error(400, "no questions about animals"));
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments.extend(["--sdg-scale-factor", "1"]);
    let shown = steady(&program.run(&arguments), &teacher);
    assert!(
        shown.ends_with(
            "error: nothing usable was generated: all 20 samples were left out\n\
             hint: the teacher said why it refused: check `--endpoint-url`, `--model` and what it allows\n"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("`[URL]` refused the request (HTTP 400): no questions about animals"),
        "{shown}"
    );
}

#[test]
fn an_endpoint_that_is_busy_or_broken_is_waited_for_visibly() {
    let program = program();
    let n_seen = AtomicUsize::new(0);
    let teacher = FakeTeacher::start(move |request| match n_seen.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::error(429, "slow down").with_header("Retry-After", "2"),
        1 => Reply::error(500, "it broke").with_header("Retry-After", "1"),
        _ => teach(request),
    });
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments.extend(["--sdg-scale-factor", "1", "--num-cpus", "1"]);
    let shown = program.run(&arguments);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let host = teacher.address();
    for told in [
        format!("\nHTTP 429 from {host}, trying again in 2 s\n"),
        format!("\nHTTP 500 from {host}, trying again in 1 s\n"),
    ] {
        assert!(shown.contains(&told), "{shown}");
    }
}
