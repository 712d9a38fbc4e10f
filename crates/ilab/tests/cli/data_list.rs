//! `ilab data list`.

use ilab_testkit::fake_teacher::FakeTeacher;
use insta::assert_snapshot;
use serde_json::Value;

use crate::generate::{arguments, program, teach};
use crate::program::Program;

/// Without the times, which differ from run to run.
fn steady(shown: &str) -> String {
    let is_date =
        |word: &&str| word.len() == 10 && word.starts_with("20") && word.matches('-').count() == 2;
    let is_time = |word: &&str| word.len() == 8 && word.matches(':').count() == 2;
    let mut steady = shown.to_owned();
    for word in shown
        .split_whitespace()
        .filter(|word| is_date(word) || is_time(word))
    {
        steady = steady.replace(
            word,
            &word
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect::<String>(),
        );
    }
    steady
}

#[test]
fn datasets_are_listed_run_by_run_the_newest_first() {
    let program = Program::new();
    program.write(
        "sets/2026-01-01_010101/train_2026-01-01T01_01_01.jsonl",
        "{}\n".repeat(1_000),
    );
    program.write("sets/2026-01-01_010101/node_datasets_x/a.jsonl", "");
    program.write(
        "sets/2026-02-02_020202/test_merlin-7b_Q4_2026-02-02T02_02_02.jsonl",
        "{}\n",
    );
    program.write("sets/2026-02-02_020202/notes.txt", "not listed");
    program.write("sets/mine.jsonl", "{}\n");
    let arguments = ["data", "list", "--dataset-dirs", "sets"];
    assert_snapshot!(steady(&program.run(&arguments)), @r"
    exit code: 0
    ----- stdout -----
    Run from 2026-02-02_020202
    +---------------------------------------------------------------+--------------+---------------------+-----------+
    | Dataset                                                       | Model        | Created At          | File size |
    +---------------------------------------------------------------+--------------+---------------------+-----------+
    | 2026-02-02_020202/test_merlin-7b_Q4_2026-02-02T02_02_02.jsonl | merlin-7b_Q4 | 0000-00-00 00:00:00 | 3.00 B    |
    +---------------------------------------------------------------+--------------+---------------------+-----------+
    Run from 2026-01-01_010101
    +---------------------------------------------------+---------+---------------------+-----------+
    | Dataset                                           | Model   | Created At          | File size |
    +---------------------------------------------------+---------+---------------------+-----------+
    | 2026-01-01_010101/node_datasets_x/a.jsonl         | General | 0000-00-00 00:00:00 | 0.00 B    |
    | 2026-01-01_010101/train_2026-01-01T01_01_01.jsonl | General | 0000-00-00 00:00:00 | 2.93 KB   |
    +---------------------------------------------------+---------+---------------------+-----------+
    Uncategorized datasets
    +------------+---------+---------------------+-----------+
    | Dataset    | Model   | Created At          | File size |
    +------------+---------+---------------------+-----------+
    | mine.jsonl | General | 0000-00-00 00:00:00 | 3.00 B    |
    +------------+---------+---------------------+-----------+
    ----- stderr -----
    ");
    let shown = program.run(&[&arguments[..], &["--json"]].concat());
    let json = shown.split("----- stdout -----\n").nth(1).unwrap();
    let json: Value = serde_json::from_str(json.split("----- stderr").next().unwrap()).unwrap();
    assert_eq!(json[0]["run"], "2026-02-02_020202");
    assert_eq!(json[0]["datasets"][0]["model"], "merlin-7b_Q4");
    assert_eq!(json[1]["datasets"][1]["n_bytes"], 3_000);
}

#[test]
fn the_teacher_of_a_run_is_named() {
    let program = program();
    let teacher = FakeTeacher::start(teach);
    let url = teacher.url();
    let mut generate = arguments(&url, "sets");
    generate.extend(["--sdg-scale-factor", "1"]);
    program.run(&generate);
    let shown = program.run(&["data", "list", "--dataset-dirs", "sets"]);
    assert!(shown.contains("| fake-teacher |"), "{shown}");
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let program = Program::new();
    assert_snapshot!(program.run(&["data", "list"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the folder of datasets `[FOLDER]/.local/share/instructlab/datasets` does not exist
    hint: `ilab data generate` makes it; `--dataset-dirs` names another one
    ");
    program.write("empty/notes.txt", "");
    assert_snapshot!(program.run(&["data", "list", "--dataset-dirs", "empty"]), @r"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    There are no datasets yet; `ilab data generate` makes them.
    ");
}
