//! `ilab model train`.

#[cfg(unix)]
use std::io::{BufRead, BufReader};
#[cfg(unix)]
use std::process::{Command, Output};

use insta::assert_snapshot;

use crate::program::Program;

fn sample(question: &str, answer: &str) -> String {
    format!(
        r#"{{"messages": [{{"role": "user", "content": "{question}"}}, {{"role": "assistant", "content": "{answer}"}}], "id": "1", "metadata": "{{}}"}}"#
    )
}

/// A folder with a tiny model and a training file.
fn prepared(lines: &[String]) -> Program {
    let program = Program::new();
    ilab_testkit::tiny_llama::write_hf(&program.path("tiny"), 1).unwrap();
    program.write("train.jsonl", lines.join("\n"));
    program
}

const TRAIN: [&str; 13] = [
    "model",
    "train",
    "--model-path",
    "tiny",
    "--data-path",
    "train.jsonl",
    "--ckpt-output-dir",
    "out",
    "--data-output-dir",
    "processed",
    "--num-epochs",
    "2",
    "--max-seq-len=64",
];

#[test]
fn every_epoch_leaves_a_whole_checkpoint() {
    let program = prepared(&[
        sample("What is a mirrel?", "An animal."),
        sample("Who lives here?", "A mirrel."),
    ]);
    let shown = program.run(&[&TRAIN[..], &["--keep-checkpoints=all"]].concat());
    assert!(
        shown.starts_with("exit code: 0\n----- stdout -----\nout/hf_format/samples_4\n"),
        "{shown}"
    );
    assert!(
        shown.contains("Full model training completed successfully!"),
        "{shown}"
    );
    for checkpoint in ["samples_2", "samples_4"] {
        let mut names: Vec<_> = std::fs::read_dir(program.path("out/hf_format").join(checkpoint))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        for name in [
            "config.json",
            "model.safetensors",
            "pytorch_model-Q4_K_M.gguf",
            "pytorch_model.gguf",
            "tokenizer.json",
            "tokenizer_config.json",
        ] {
            assert!(names.contains(&name.to_owned()), "{names:?}");
        }
    }
    let metrics =
        std::fs::read_to_string(program.path("out/training_params_and_metrics_global0.jsonl"))
            .unwrap();
    let losses: Vec<f64> = metrics
        .lines()
        .filter_map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["avg_loss"].as_f64()
        })
        .collect();
    assert_eq!(losses.len(), 2, "{metrics}");
    let processed = std::fs::read_to_string(program.path("processed/data.jsonl")).unwrap();
    assert_eq!(processed.lines().count(), 2);
    assert!(processed.contains(r#""labels":[-100,"#), "{processed}");
}

#[test]
fn long_samples_are_counted_and_left_out() {
    let program = prepared(&[
        sample("Who?", "A mirrel."),
        sample("Who?", &"very ".repeat(200)),
    ]);
    let shown = program.run(&TRAIN);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert!(
        shown.contains("warning: 1 samples are longer than 64 tokens and are left out"),
        "{shown}"
    );
}

#[test]
fn data_without_anything_to_learn_is_refused() {
    let line = r#"{"messages": [{"role": "user", "content": "Hello"}]}"#.to_owned();
    let shown = prepared(&[line]).run(&TRAIN);
    assert_eq!(
        shown,
        "exit code: 1\n----- stdout -----\n----- stderr -----\n\
error: `train.jsonl` has nothing to learn from: of 1 samples, 0 are longer than 64 tokens and 1 have no learnable token\n\
hint: every sample needs an assistant message with some text; `ilab data generate` writes such files\n"
    );
}

#[test]
fn a_broken_line_is_named() {
    let shown =
        prepared(&[sample("Who?", "A mirrel."), r#"{"messages": ["#.to_owned()]).run(&TRAIN);
    assert!(shown.starts_with("exit code: 1"), "{shown}");
    assert!(
        shown.contains(
            "error: `train.jsonl` line 2 is not a conversation\n  caused by: EOF while parsing"
        ),
        "{shown}"
    );
    assert!(
        shown.contains("hint: each line is a JSON object"),
        "{shown}"
    );
}

#[test]
fn damaged_and_missing_models_are_named() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let weights = program.path("tiny/model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    // A header that promises more than the file holds.
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    let shown = program.run(&TRAIN);
    assert!(shown.starts_with("exit code: 1"), "{shown}");
    assert!(
        shown.contains("model.safetensors` is not a valid safetensors file\n  caused by: "),
        "{shown}"
    );

    std::fs::remove_file(program.path("tiny/tokenizer.json")).unwrap();
    assert_snapshot!(program.run(&TRAIN), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot read `tiny/tokenizer.json`
      caused by: No such file or directory (os error 2)
    hint: pass the folder of a Hugging Face model: one with config.json, tokenizer.json and *.safetensors
    ");

    std::fs::remove_dir_all(program.path("tiny")).unwrap();
    assert_snapshot!(program.run(&TRAIN), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the model `tiny` is not a folder
    hint: this version downloads no models: pass the folder of a Hugging Face model, or a GGUF file, with `--model-path`
    ");
}

#[test]
fn the_default_model_is_a_name_and_that_is_told() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    assert_snapshot!(program.run(&["model", "train", "--data-path", "train.jsonl"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the model `instructlab/granite-7b-lab` is not a folder
    hint: this version downloads no models: pass the folder of a Hugging Face model, or a GGUF file, with `--model-path`
    ");
}

#[test]
fn a_missing_training_file_is_named() {
    let program = prepared(&[]);
    std::fs::remove_file(program.path("train.jsonl")).unwrap();
    assert_snapshot!(program.run(&TRAIN), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot read `train.jsonl`
      caused by: No such file or directory (os error 2)
    hint: pass the training file with `--data-path`; `ilab data generate` writes one
    ");
}

#[test]
fn a_learning_rate_is_a_finite_number_above_0() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    for rate in ["0", "-1e-5", "nan", "inf", "much"] {
        let shown = program.run(&[&TRAIN[..], &["--learning-rate", rate]].concat());
        assert!(shown.starts_with("exit code: 2"), "{shown}");
        assert!(
            shown.contains("expected a number above 0 and at most 1, such as 2e-5"),
            "{shown}"
        );
    }
}

#[test]
fn additional_args_of_the_configuration_are_used_below_the_flags() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let config = |additional: &str| {
        let text = format!("train:\n  additional_args:\n    {additional}\n");
        program.write(".config/instructlab/config.yaml", text);
    };
    config("{learning_rate: 0.003, warmup_steps: 7, random_seed: 5, rdzv_id: 123}");
    let shown = program.run(&[&TRAIN[..], &["--warmup-steps", "3"]].concat());
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let metrics = program.path("out/training_params_and_metrics_global0.jsonl");
    let metrics = std::fs::read_to_string(metrics).unwrap();
    let options = metrics.lines().next().unwrap();
    for option in [
        r#""learning_rate":0.003,"#,
        r#""warmup_steps":3,"#,
        r#""random_seed":5"#,
    ] {
        assert!(options.contains(option), "{options}");
    }

    for (additional, expected) in [
        (
            "{learning_rate: much}",
            r#"`train.additional_args` of the configuration: invalid type: string "much", expected f64"#,
        ),
        (
            "{learning_rate: -1}",
            "`train.additional_args.learning_rate` of the configuration is -1",
        ),
    ] {
        config(additional);
        let shown = program.run(&TRAIN);
        assert!(shown.starts_with("exit code: 2"), "{shown}");
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn a_tokenizer_without_a_place_in_gguf_is_refused_before_training() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let tokenizer = std::fs::read_to_string(program.path("tiny/tokenizer.json")).unwrap();
    let mut tokenizer: serde_json::Value = serde_json::from_str(&tokenizer).unwrap();
    tokenizer["normalizer"] = serde_json::json!({"type": "Lowercase"});
    program.write("tiny/tokenizer.json", tokenizer.to_string());
    let shown = program.run(&TRAIN);
    assert!(shown.starts_with("exit code: 1"), "{shown}");
    assert!(
        shown.contains("error: `tiny/tokenizer.json`: the normalizer"),
        "{shown}"
    );
    assert!(!program.path("out").exists());
}

#[test]
fn a_checkpoint_does_not_replace_the_model_that_it_comes_from() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let shown = program.run(&TRAIN);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let mut again = TRAIN;
    again[3] = "out/hf_format/samples_2";
    assert_snapshot!(program.run(&again), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the checkpoint `out/hf_format/samples_2` would replace the model that training starts from, `out/hf_format/samples_2`
    hint: pass another folder with `--ckpt-output-dir`
    ");
    again[7] = "other";
    let shown = program.run(&again);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
}

/// A table of that many positions would not fit into memory.
#[test]
fn the_length_limit_costs_nothing_that_no_sample_needs() {
    let mut arguments = TRAIN;
    arguments[12] = "--max-seq-len=4000000000";
    let shown = prepared(&[sample("Who?", "A mirrel.")]).run(&arguments);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let shown = program.run(&[
        "model",
        "train",
        "--pipeline",
        "accelerated",
        "--device",
        "cuda",
    ]);
    assert_eq!(
        shown,
        "exit code: 1\n----- stdout -----\n----- stderr -----\n\
error: Unable to train with device=cuda and pipeline=accelerated\n\
hint: this version trains on one device: `--pipeline full` learns the same, `--lora-rank` and `--optimize-memory` make it smaller\n"
    );
    let shown = program.run(&["model", "train", "--data-path", "tiny"]);
    assert!(shown.starts_with("exit code: 2"), "{shown}");
}

/// Trains where no file can be larger than so many blocks of 512 bytes: like a full disk, that lets a write fail half way.
#[cfg(unix)]
fn train_limited(program: &Program, n_blocks: u64) -> Output {
    let ilab = program.command(&TRAIN);
    let script = format!(r#"trap "" XFSZ; ulimit -f {n_blocks}; exec "$@""#);
    Command::new("sh")
        .args(["-c", &script, "sh"])
        .arg(ilab.get_program())
        .args(ilab.get_args())
        .envs(
            ilab.get_envs()
                .filter_map(|(name, value)| value.map(|value| (name, value))),
        )
        .current_dir(ilab.get_current_dir().unwrap())
        .output()
        .unwrap()
}

/// Names in the folder of the checkpoints, hidden ones included.
fn checkpoints(program: &Program) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(program.path("out/hf_format"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[cfg(unix)]
#[test]
fn a_checkpoint_that_does_not_fit_leaves_nothing_half_written() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let output = train_limited(&program, 200);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: cannot write `"), "{stderr}");
    assert!(stderr.contains("hint: "), "{stderr}");
    assert!(checkpoints(&program).is_empty());
}

#[cfg(unix)]
#[test]
fn a_checkpoint_whose_gguf_file_does_not_fit_is_kept_without_it() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    // The GGUF file holds the same weights and the vocabulary.
    let weights = std::fs::metadata(program.path("tiny/model.safetensors")).unwrap();
    let output = train_limited(&program, weights.len() / 512 + 3);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let told = "error: the checkpoint `out/hf_format/samples_1` is complete, but its GGUF files cannot be written\n";
    assert!(stderr.contains(told), "{stderr}");
    let hint = "`ilab model convert --model-dir out/hf_format/samples_1` writes a GGUF file later";
    assert!(stderr.contains(hint), "{stderr}");
    assert_eq!(checkpoints(&program), ["samples_1"]);
    let convert = ["model", "convert", "--model-dir", "out/hf_format/samples_1"];
    let shown = program.run(&convert);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
}

/// Starts a training that lasts for hours and waits for its first checkpoint.
#[cfg(unix)]
fn start_long(program: &Program) -> std::process::Child {
    let mut arguments = TRAIN;
    arguments[11] = "100000";
    let child = program
        .command(&arguments)
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !program.path("out/hf_format/samples_1").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child
}

#[cfg(unix)]
#[test]
fn an_interrupted_training_keeps_its_checkpoints_and_leaves_none_half_written() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let child = start_long(&program);
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(
        stderr.contains("stopping; Ctrl-C again ends at once\n"),
        "{stderr}"
    );
    assert!(stderr.contains("error: interrupted\nhint: the same command goes on where it stopped"));
    let names = checkpoints(&program);
    assert!(!names.is_empty(), "the epochs that were finished");
    for name in names {
        let folder = program.path("out/hf_format").join(&name);
        assert!(name.starts_with("samples_"), "{name}");
        assert!(folder.join("config.json").exists(), "{name}");
        assert!(folder.join("pytorch_model-Q4_K_M.gguf").exists(), "{name}");
    }
}

/// A sample so long that its only step lasts many times longer than this test may.
#[cfg(unix)]
#[test]
fn a_second_interrupt_ends_a_step_that_is_under_way() {
    let program = prepared(&[sample("Who?", &"a b ".repeat(10_000))]);
    let mut arguments = TRAIN;
    arguments[12] = "--max-seq-len=200000";
    let mut child = program
        .command(&arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id().to_string();
    let interrupt = || Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut wait_for = |text: &str| {
        let line = lines.find(|line| line.as_ref().unwrap().contains(text));
        assert!(line.is_some(), "{text}");
    };
    wait_for("million parameters");
    // The step checks for an interruption before it begins.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(interrupt().success());
    wait_for("stopping; Ctrl-C again ends at once");
    assert!(interrupt().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // Ended on the spot: not even the usual message came.
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(!rest.concat().contains("error: interrupted"), "{rest:?}");
}
