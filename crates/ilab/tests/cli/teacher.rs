//! Who the teacher of `ilab data generate` is and what it wants to see.

use ilab_testkit::fake_teacher::{FakeTeacher, Reply};
use insta::assert_snapshot;

use crate::generate::{arguments, program, steady, teach};

#[test]
fn a_key_may_lie_in_a_file() {
    let program = program();
    program.write("key.txt", "sk-secret\n");
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments.extend(["--api-key-file", "key.txt", "--sdg-scale-factor", "1"]);
    let shown = program.run(&arguments);
    assert!(
        shown.starts_with("exit code: 0") && !shown.contains("sk-secret"),
        "{shown}"
    );
    let requests = teacher.requests();
    let keys = requests
        .iter()
        .map(|request| request.header("authorization"));
    assert!(
        keys.clone().all(|key| key == Some("Bearer sk-secret")),
        "{:?}",
        keys.collect::<Vec<_>>()
    );

    let file = arguments
        .iter()
        .position(|argument| *argument == "key.txt")
        .unwrap();
    arguments[file] = "missing.txt";
    assert_snapshot!(steady(&program.run(&arguments), &teacher), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot read `missing.txt`
      caused by: No such file or directory (os error 2)
    hint: check the path; a relative one starts at the current folder
    ");
}

#[test]
fn certificates_that_cannot_be_used_are_usage_errors() {
    let program = program();
    program.write("client.pem", "no certificate");
    let run = |more: &[&str]| {
        let arguments = arguments("https://127.0.0.1:9/v1", "out");
        program.run(&[&arguments[..], more].concat())
    };
    assert_snapshot!(run(&["--tls-client-cert", "client.pem"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the client's certificate cannot be used: private key or certificate not found
    hint: both files are PEM: `-----BEGIN CERTIFICATE-----`, and `-----BEGIN PRIVATE KEY-----` in its own file or the same
    ");
    assert_snapshot!(run(&["--tls-client-key", "client.pem"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      --tls-client-cert <FILE>

    Usage: ilab data generate --tls-client-cert <FILE> --pipeline <NAME|DIR> --taxonomy-path <PATH> --taxonomy-base <REF> --endpoint-url <URL> --output-dir <DIR> --tls-client-key <FILE>

    For more information, try '--help'.
    ");
}

#[test]
fn flags_of_the_original_without_meaning_are_told() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments.extend([
        "--batch-size",
        "8",
        "--num-instructions",
        "-1",
        "--gpus",
        "2",
        "--enable-serving-output",
    ]);
    arguments.extend(["--dry-run", "--model-family", "qwen"]);
    assert_snapshot!(steady(&program.run(&arguments), &teacher), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    warning: `--batch-size` has no effect: rows go on one by one, and `--num-cpus` says how many requests wait at a time
    warning: `--num-instructions` has no effect, as in the original: use `--sdg-scale-factor`
    warning: `--gpus` has no effect: a model in this process is spread over all GPUs that the program was built for
    warning: `--enable-serving-output` has no effect: the teacher runs in this process, or is a server of its own
    error: there is no model family `qwen`
    hint: families are `granite`, `merlinite`, `mixtral`, `mistral`, `llama` and `blank`
    ");
}

#[test]
fn models_of_the_configuration_have_ids() {
    let program = program();
    program.write(
        ".config/instructlab/config.yaml",
        "models:\n- id: big\n  family: granite\n  path: fake-teacher\n  system_prompt: You are big.\n",
    );
    // A server of texts only, so that the family shows.
    let teacher = FakeTeacher::start(|request| match request["prompt"].as_str() {
        Some(_) => {
            Reply::answers((0..2).map(|number| format!("What is {number}? It is {number}.")))
        }
        None => Reply::error(404, "no chats"),
    });
    let url = teacher.url();
    let ids = [
        "--teacher-model-id",
        "big",
        "--student-model-id",
        "big",
        "--sdg-scale-factor",
        "2",
    ];
    let shown = program.run(&[&arguments(&url, "out")[..], &ids].concat());
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let last = &teacher.requests().pop().unwrap().body;
    assert_eq!(last["model"], "fake-teacher");
    assert!(
        last["prompt"]
            .as_str()
            .unwrap()
            .ends_with("\n<|assistant|>\n"),
        "{last}"
    );
    let run = std::fs::read_dir(program.path("out"))
        .unwrap()
        .map(Result::unwrap);
    let run = run
        .map(|entry| entry.path())
        .find(|path| path.is_dir())
        .unwrap();
    let mut files = std::fs::read_dir(run)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let train = files
        .find(|path| path.to_str().unwrap().contains("/train_"))
        .unwrap();
    assert!(
        std::fs::read_to_string(train)
            .unwrap()
            .contains("You are big.")
    );

    let unknown = ["--teacher-model-id", "small"];
    assert_snapshot!(program.run(&[&arguments(&url, "out")[..], &unknown].concat()), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the configuration lists no model with the id `small`
    hint: there are `big`
    ");
}

#[test]
fn chunks_fit_into_half_of_the_context_that_an_endpoint_tells() {
    let program = program();
    let long = "The brill eats moss and fog and sleeps in a bowl of clay. ".repeat(20);
    program.write(
        "taxonomy/knowledge/brill/documents/brill.md",
        format!("# Brill\n\n{long}"),
    );
    let teacher = FakeTeacher::start(teach).with_context(200);
    let url = teacher.url();
    for model in [&[][..], &["--model", "fake-teacher"]] {
        let counted =
            program.run(&[&arguments(&url, "out")[..], &["--dry-run", "--json"], model].concat());
        let report: serde_json::Value = counted
            .lines()
            .find(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(line).unwrap())
            .unwrap();
        let leaves = report["leaves"].as_array().unwrap();
        let brill = leaves
            .iter()
            .find(|leaf| leaf["leaf_path"] == "knowledge->brill")
            .unwrap();
        // 240 words are 320 tokens by the estimate: four chunks of at most 100, each with five examples.
        assert_eq!(brill["n_rows"], 20, "{report}");
    }
}

#[test]
fn a_block_may_frame_its_prompts_itself() {
    let program = program();
    program.run(&["data", "pipelines", "export", "simple", "mine"]);
    let file = "mine/knowledge.yaml";
    let pipeline = std::fs::read_to_string(program.path(file)).unwrap();
    let framed = pipeline.replacen(
        "    config:\n",
        "    config:\n      model_prompt: '<s>[INST] {{ prompt }} [/INST]'\n",
        1,
    );
    assert_ne!(framed, pipeline);
    program.write(file, framed);
    let teacher = FakeTeacher::start(|request| match request["messages"].is_null() {
        true => Reply::answer("What is framed? This is."),
        false => teach(request),
    });
    let url = teacher.url();
    let mut arguments = arguments(&url, "out");
    arguments[3] = "./mine";
    arguments.extend(["--sdg-scale-factor", "1"]);
    let shown = program.run(&arguments);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let requests = teacher.requests();
    let texts: Vec<_> = requests
        .iter()
        .filter_map(|request| request.body["prompt"].as_str())
        .collect();
    assert_eq!(texts.len(), 15, "one for each chunk and example");
    assert!(
        texts
            .iter()
            .all(|text| text.starts_with("<s>[INST] ") && text.ends_with(" [/INST]")),
        "{texts:?}"
    );
}
