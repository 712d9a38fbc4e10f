//! `ilab quickstart`.

use std::collections::HashSet;
use std::path::Path;

use ilab_testkit::tiny_llama;
use insta::assert_snapshot;
use serde_json::Value;

use crate::program::Program;

fn prepared() -> Program {
    let program = Program::new();
    tiny_llama::write_hf(&program.path("tiny"), 1).unwrap();
    program
}

#[test]
fn a_taxonomy_and_its_questions_come_together() {
    let program = Program::new();
    assert_snapshot!(program.run(&["quickstart", "--taxonomy-path", "taxonomy"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      --questions <FILE>

    Usage: ilab quickstart --taxonomy-path <DIR> --questions <FILE>

    For more information, try '--help'.
    ");
    assert_snapshot!(program.run(&["quickstart", "--questions", "questions.jsonl"]), @r"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: the following required arguments were not provided:
      --taxonomy-path <DIR>

    Usage: ilab quickstart --questions <FILE> --taxonomy-path <DIR>

    For more information, try '--help'.
    ");
}

#[test]
fn a_folder_with_other_files_is_left_alone() {
    let program = prepared();
    assert_snapshot!(program.run(&["quickstart", "--model", "tiny", "--keep", "tiny"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `tiny` is not empty and was not made by `ilab quickstart`
    hint: pass a new folder to `--keep`
    ");
}

#[test]
fn what_is_wrong_with_the_questions_is_told_before_anything_is_generated() {
    let program = prepared();
    let questions =
        "{\"question\": \"Where?\", \"expect\": [\"there\"]}\n{\"question\": \"Who?\"}\n";
    std::fs::write(program.path("questions.jsonl"), questions).unwrap();
    let own = [
        "quickstart",
        "--model",
        "tiny",
        "--taxonomy-path",
        "none",
        "--questions",
        "questions.jsonl",
    ];
    assert_snapshot!(program.run(&own), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `questions.jsonl` line 2 is not a question
      caused by: missing field `expect` at line 1 column 20
    hint: write one JSON object a line: {"question": "Where does it live?", "expect": ["Orvany"]}
    "#);
}

#[test]
fn a_taxonomy_that_is_not_there_is_told() {
    let program = prepared();
    let questions = "{\"question\": \"Where?\", \"expect\": [\"there\"]}\n";
    std::fs::write(program.path("questions.jsonl"), questions).unwrap();
    let own = [
        "quickstart",
        "--model",
        "tiny",
        "--taxonomy-path",
        "none",
        "--questions",
        "questions.jsonl",
    ];
    assert_snapshot!(program.run(&own), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the taxonomy `none` does not exist
    hint: give the folder that holds `knowledge` and `compositional_skills` with `--taxonomy-path`
    hint: `ilab config init` gets the public taxonomy
    ");
}

#[test]
fn a_student_without_weights_is_told() {
    let program = prepared();
    std::fs::remove_file(program.path("tiny/model.safetensors")).unwrap();
    assert_snapshot!(program.run(&["quickstart", "--model", "tiny"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `tiny` has no `model.safetensors`
    hint: `--model` takes a Hugging Face folder with its weights in one `model.safetensors`
    ");
}

#[test]
fn what_the_run_starts_from_is_not_emptied_with_the_folder() {
    let program = prepared();
    let kept = program.path("kept");
    std::fs::create_dir(&kept).unwrap();
    std::fs::write(kept.join("README.txt"), MADE_BY_QUICKSTART).unwrap();
    let questions = "{\"question\": \"Where?\", \"expect\": [\"there\"]}\n";
    std::fs::write(kept.join("questions.jsonl"), questions).unwrap();
    let taxonomy = concat!(env!("CARGO_MANIFEST_DIR"), "/quickstart/taxonomy");
    let own = [
        "quickstart",
        "--keep",
        "kept",
        "--questions",
        "kept/questions.jsonl",
        "--taxonomy-path",
        taxonomy,
    ];
    assert_snapshot!(program.run(&own), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `kept/questions.jsonl` is inside `kept`, which this run empties
    hint: pass another folder to `--keep`, or copy the input out of this one
    ");
    assert!(kept.join("questions.jsonl").exists());
}

const MADE_BY_QUICKSTART: &str = "Made by `ilab quickstart`, which replaces everything here when it is run with this folder again.\n";

/// The words of a text alone, as the program compares questions.
fn words(text: &str) -> String {
    let letters = text.to_lowercase();
    let words = letters.split(|letter: char| !letter.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn json_lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_sample_is_taught_from_the_taxonomy_to_an_answer_over_http() {
    let program = Program::new();
    let output = program
        .command(&["quickstart", "--keep", "kept", "--json"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> = report["stages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stage| &stage["name"])
        .collect();
    assert_eq!(
        names,
        [
            "prepare",
            "diff",
            "generate",
            "ask before",
            "train",
            "convert",
            "ask after",
            "serve"
        ]
    );
    let accuracy = |key: &str| report[key].as_f64().unwrap();
    assert_eq!(report["n_questions"], 28);
    assert!(accuracy("accuracy_before") <= 0.2, "{report}");
    // 71 % where it was measured; processors without bf16 round otherwise, and some questions are close calls.
    assert!(accuracy("accuracy_after") >= 0.4, "{report}");
    assert!(!report["answer"].as_str().unwrap().is_empty());

    // What the exam asks is not in what was learned.
    let asked: HashSet<String> = json_lines(&program.path("kept/questions.jsonl"))
        .iter()
        .map(|line| words(line["question"].as_str().unwrap()))
        .collect();
    assert_eq!(asked.len(), 28);
    let learned = json_lines(&program.path("kept/training.jsonl"));
    assert_eq!(report["n_training_samples"], learned.len());
    for sample in &learned {
        for message in sample["messages"].as_array().unwrap() {
            let text = message["content"].as_str().unwrap();
            assert!(!asked.contains(&words(text)), "{text}");
        }
    }
    for file in report["files"].as_array().unwrap() {
        let path = program.path(file.as_str().unwrap());
        assert!(path.exists(), "{}", path.display());
    }
}

/// Topics by other hands than those that wrote the starter's lessons.
#[test]
fn a_topic_of_the_user_is_taught_from_its_own_folders() {
    let program = Program::new();
    let topic = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topics/tolverane");
    let (taxonomy, questions) = (topic.join("taxonomy"), topic.join("questions.jsonl"));
    let output = program
        .command(&["quickstart", "--json"])
        .args(["--taxonomy-path".as_ref(), taxonomy.as_os_str()])
        .args(["--questions".as_ref(), questions.as_os_str()])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["n_questions"], 16);
    assert_eq!(report["n_examples"], 15);
    let accuracy = |key: &str| report[key].as_f64().unwrap();
    assert!(accuracy("accuracy_before") <= 0.2, "{report}");
    // 62 % where it was measured.
    assert!(accuracy("accuracy_after") >= 0.3, "{report}");
}
