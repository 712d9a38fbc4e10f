//! `ilab model train`.

use std::process::Command;

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
    let shown = program.run(&TRAIN);
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

    std::fs::remove_dir_all(program.path("tiny")).unwrap();
    let shown = program.run(&TRAIN);
    assert!(shown.starts_with("exit code: 1"), "{shown}");
    assert!(
        shown.contains("cannot read `tiny/tokenizer.json`"),
        "{shown}"
    );
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
hint: this version trains with `--pipeline full --device cpu`\n"
    );
    let shown = program.run(&["model", "train", "--data-path", "tiny"]);
    assert!(shown.starts_with("exit code: 2"), "{shown}");
}

/// A limit on the size of files stands for a full disk: both let a write fail half way.
#[cfg(unix)]
#[test]
fn a_checkpoint_that_does_not_fit_leaves_nothing_half_written() {
    let program = prepared(&[sample("Who?", "A mirrel.")]);
    let ilab = program.command(&TRAIN);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", r#"trap "" XFSZ; ulimit -f 200; exec "$@""#, "sh"])
        .arg(ilab.get_program())
        .args(ilab.get_args())
        .envs(
            ilab.get_envs()
                .filter_map(|(name, value)| value.map(|value| (name, value))),
        )
        .current_dir(ilab.get_current_dir().unwrap());
    let output = limited.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("error: cannot write `"), "{stderr}");
    assert!(stderr.contains("hint: "), "{stderr}");
    let left: Vec<_> = std::fs::read_dir(program.path("out/hf_format"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
