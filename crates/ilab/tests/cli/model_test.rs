//! `ilab model test`.

use ilab_testkit::tiny_llama;
use insta::assert_snapshot;
use serde_json::Value;

use crate::program::Program;

/// What the tiny model is taught by heart.
const FACTS: [(&str, &str); 2] = [
    ("What is a mirrel?", "An animal of the hills."),
    ("What does it eat?", "Beetles and moss."),
];

/// A folder with a tiny model, a training file and a test file about the same facts.
fn prepared() -> Program {
    let program = Program::new();
    tiny_llama::write_hf(&program.path("tiny"), 1).unwrap();
    let training = FACTS.map(|(question, answer)| {
        format!(
            r#"{{"messages": [{{"role": "user", "content": "{question}"}}, {{"role": "assistant", "content": "{answer}"}}]}}"#
        )
    });
    program.write("train.jsonl", training.join("\n"));
    let test = FACTS
        .map(|(question, answer)| format!(r#"{{"user": "{question}", "assistant": "{answer}"}}"#));
    program.write(
        ".local/share/instructlab/datasets/run/test_run.jsonl",
        test.join("\n"),
    );
    program
}

fn train(program: &Program, arguments: &[&str]) {
    let train = [
        "model",
        "train",
        "--model-path",
        "tiny",
        "--data-path",
        "train.jsonl",
        "--learning-rate",
    ];
    let shown = program.run(&[&train[..], arguments].concat());
    assert!(shown.starts_with("exit code: 0"), "{shown}");
}

#[test]
fn what_is_missing_is_named_one_thing_after_the_other() {
    let program = prepared();
    let test = ["model", "test"];
    let datasets = program.path(".local/share/instructlab/datasets");
    std::fs::rename(&datasets, program.path("aside")).unwrap();
    assert_snapshot!(program.run(&test), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: No test files found in `[FOLDER]/.local/share/instructlab/datasets`
    hint: `ilab data generate` writes test_*.jsonl; `--test_file` takes any other file
    ");
    std::fs::rename(program.path("aside"), &datasets).unwrap();
    assert_snapshot!(program.run(&test), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    2 questions in `[FOLDER]/.local/share/instructlab/datasets/run/test_run.jsonl`
    error: there is no checkpoint in `[FOLDER]/.local/share/instructlab/checkpoints`
    hint: `ilab model train` makes one; `--model-dir` takes another folder or a GGUF file
    ");
    std::fs::create_dir_all(program.path("checkpoints/samples_2")).unwrap();
    assert_snapshot!(program.run(&["model", "test", "--model-dir", "checkpoints"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    2 questions in `[FOLDER]/.local/share/instructlab/datasets/run/test_run.jsonl`
    error: the folder `checkpoints/samples_2` has no GGUF file in it
    hint: make one with `ilab model convert --model-dir checkpoints/samples_2`
    ");
    let trained = tiny_llama::write_gguf(&program.path("gguf")).unwrap();
    let trained = trained.to_str().unwrap();
    assert_snapshot!(program.run(&["model", "test", "--model-dir", trained]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    2 questions in `[FOLDER]/.local/share/instructlab/datasets/run/test_run.jsonl`
    error: the model `[FOLDER]/.cache/instructlab/models/granite-7b-lab-Q4_K_M.gguf` does not exist
    hint: give the path of a GGUF file with `--model`, or name it in the configuration
    ");
    program.write("broken.jsonl", "{\"user\": \"Where?\"}\n");
    assert_snapshot!(program.run(&["model", "test", "-t", "broken.jsonl"]), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `broken.jsonl` line 1 is not a question with its answer
      caused by: missing field `assistant`
    hint: each line is a JSON object such as {"user": "Where does it live?", "assistant": "In the hills of Orvany."}
    "#);
    assert_snapshot!(program.run(&["model", "test", "--data-dir", "nowhere"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot read `nowhere/test.jsonl`
      caused by: No such file or directory (os error 2)
    hint: pass a test file with `--test_file`; `ilab data generate` writes test_*.jsonl
    ");
}

#[test]
fn a_training_is_seen_in_the_answers() {
    let program = prepared();
    train(
        &program,
        &[
            "0.01",
            "--num-epochs",
            "80",
            "--last-epoch-only",
            "--warmup-steps",
            "0",
        ],
    );
    let test = ["model", "test", "--model", "tiny", "--json"];
    let output = program.command(&test).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        outcome["verdict"], "learned 100 % (+100)",
        "{outcome}\n{said}"
    );
    assert_eq!(outcome["has_learned"], true);
    assert_eq!(outcome["diagnoses"], serde_json::json!([]));
    assert_eq!(outcome["answers"][1]["after"]["text"], "Beetles and moss.");
    assert_eq!(outcome["answers"][1]["expect"], "Beetles and moss.");
    assert_eq!(outcome["answers"][1]["before"]["is_right"], false);
    let loss = |which: &str| outcome[which]["answer_loss"].as_f64().unwrap();
    assert!(loss("before") > 3.0 && loss("after") < 0.5, "{outcome}");

    // For people, with the flags of the original. The model before writes what it was born with.
    let flags = [
        "--api-key",
        "k",
        "--model-family",
        "granite",
        "--adapter-file",
        "a.npz",
    ];
    let shown = program.run(&[&["model", "test", "-m", "tiny"][..], &flags].concat());
    let lines = shown
        .lines()
        .filter(|line| !line.starts_with("tiny: ") && !line.starts_with("loss of"));
    assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
    exit code: 0
    ----- stdout -----
    ### What is a mirrel?

    expected: An animal of the hills.


    [FOLDER]/.local/share/instructlab/checkpoints/hf_format/samples_160/pytorch_model-Q4_K_M.gguf: An animal of the hills. [right]

    ### What does it eat?

    expected: Beetles and moss.


    [FOLDER]/.local/share/instructlab/checkpoints/hf_format/samples_160/pytorch_model-Q4_K_M.gguf: Beetles and moss. [right]

    right before  0 of 2 (0 %)
    right after   2 of 2 (100 %)
    learned 100 % (+100)
    ----- stderr -----
    warning: `--adapter-file` has no effect: a trained model is whole, and `--model-dir` names it
    warning: `--api-key` has no effect: both models are asked in this process
    warning: `--model-family` has no effect: each model's own chat template is used
    2 questions in `[FOLDER]/.local/share/instructlab/datasets/run/test_run.jsonl`
    `[FOLDER]/.local/share/instructlab/checkpoints/hf_format/samples_160` is a folder: using `[FOLDER]/.local/share/instructlab/checkpoints/hf_format/samples_160/pytorch_model-Q4_K_M.gguf` in it
    converting `tiny` to ask it
    ᕦ(òᴗóˇ)ᕤ Model test completed successfully! ᕦ(òᴗóˇ)ᕤ
    ");
}

#[test]
fn a_training_that_taught_nothing_is_diagnosed() {
    let program = prepared();
    train(&program, &["1e-9", "--num-epochs", "2"]);
    let checkpoints = program.path(".local/share/instructlab/checkpoints");
    let shown = program.run(&[
        "model",
        "test",
        "-m",
        "tiny",
        "--model-dir",
        checkpoints.to_str().unwrap(),
    ]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    // The checkpoint of the second epoch is the newer one.
    assert!(
        shown.contains("hf_format/samples_4/pytorch_model-Q4_K_M.gguf"),
        "{shown}"
    );
    let verdict = shown.split("\nnot learned: 0 % (+0)\n").nth(1).unwrap();
    assert_snapshot!(verdict, @"
      too few samples: 2; a fact has to be met in several wordings
        hint: generate more with `ilab data generate --sdg-scale-factor`, or add documents and examples to the taxonomy
      too few steps: the weights were changed 2 times
        hint: raise `--num-epochs`, or lower `--effective-batch-size` so that an epoch has more steps
      the loss is flat: 6.21 at the beginning, 6.21 at the end
        hint: raise `--learning-rate`, ten times to begin with
    ----- stderr -----
    2 questions in `[FOLDER]/.local/share/instructlab/datasets/run/test_run.jsonl`
    `[FOLDER]/.local/share/instructlab/checkpoints/hf_format/samples_4` is a folder: using `[FOLDER]/.local/share/instructlab/checkpoints/hf_format/samples_4/pytorch_model-Q4_K_M.gguf` in it
    converting `tiny` to ask it
    ᕦ(òᴗóˇ)ᕤ Model test completed successfully! ᕦ(òᴗóˇ)ᕤ
    ");
}
