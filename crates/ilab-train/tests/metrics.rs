//! The record of a run, written, cut and read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_train::metrics::{
    DataMetrics, FILE_NAME, History, MetricsFile, StepMetrics, ValidationMetrics, read,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn step(step: u64) -> StepMetrics {
    StepMetrics {
        step,
        avg_loss: 2.5 / step as f64,
        num_steps: 4,
        ..StepMetrics::default()
    }
}

fn validation(step: u64) -> ValidationMetrics {
    ValidationMetrics {
        step,
        val_loss: 3.0,
        val_num_tokens: 7,
        ..ValidationMetrics::default()
    }
}

/// A run of three steps with a validation after the second.
fn record(folder: &Path) -> MetricsFile {
    let mut file = MetricsFile::open(folder, &json!({"learning_rate": 2e-5})).unwrap();
    file.append_data(&DataMetrics::new(&[3, 4, 8], 2, 100))
        .unwrap();
    file.append_step(&step(1)).unwrap();
    file.append_step(&step(2)).unwrap();
    file.append_validation(&validation(2)).unwrap();
    file.append_step(&step(3)).unwrap();
    file
}

/// What is recorded of each step, in the order of the file.
fn steps(folder: &Path) -> Vec<u64> {
    let history = read(&folder.join(FILE_NAME)).unwrap();
    assert_eq!(history.n_unreadable_lines, 0);
    history.steps.iter().map(|step| step.step).collect()
}

#[test]
fn rows_have_the_keys_of_the_original() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let text = std::fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
    let rows: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 6);
    for row in &rows {
        let time = row["timestamp"].as_str().unwrap();
        time.parse::<jiff::Timestamp>().unwrap();
    }
    let keys = |row: &Value| -> Vec<String> { row.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(keys(&rows[0]), ["learning_rate", "timestamp"]);
    let of_data = "num_gpus avg_sample_len effective_batch_size max_batch_len_per_gpu packing_max_batch_len num_batches \
        avg_samples_per_batch total_samples";
    let of_step = "epoch step rank overall_throughput lr cuda_mem_allocated cuda_malloc_retries num_loss_counted_tokens \
        num_tokens_rank0 batch_size num_minibatches avg_loss samples_seen gradnorm total_samples num_epoch_steps";
    let of_validation = "epoch step rank val_loss val_num_tokens";
    for (row, expected) in [(1, of_data), (2, of_step), (4, of_validation)] {
        for key in expected.split_whitespace() {
            assert!(
                keys(&rows[row]).contains(&key.to_owned()),
                "{key} of {}",
                rows[row]
            );
        }
    }
    let history = read(&folder.path().join(FILE_NAME)).unwrap();
    let data = history.data.unwrap();
    assert_eq!((data.avg_sample_len, data.num_batches), (5.0, 2));
    assert_eq!(data.avg_samples_per_batch, 1.5);
    assert_eq!(history.settings["learning_rate"], 2e-5);
    assert_eq!(history.steps, [step(1), step(2), step(3)]);
    assert_eq!(history.validations, [validation(2)]);
}

#[test]
fn a_resumed_run_leaves_one_row_for_each_step() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let mut file = MetricsFile::resume_at(folder.path(), 1).unwrap();
    file.append_step(&step(2)).unwrap();
    assert_eq!(steps(folder.path()), [1, 2]);
    let history = read(file.path()).unwrap();
    // It was measured after the step that was done again.
    assert_eq!(history.validations, []);
    assert!(history.data.is_some());
    assert_eq!(history.settings["learning_rate"], 2e-5);

    let file = MetricsFile::resume_at(folder.path(), 2).unwrap();
    drop(file);
    assert_eq!(steps(folder.path()), [1, 2]);
}

#[test]
fn what_a_killed_process_left_of_a_line_is_cut() {
    for resumes in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        record(folder.path());
        let path = folder.path().join(FILE_NAME);
        let mut text = std::fs::read(&path).unwrap();
        text.extend(br#"{"epoch":0,"step":4,"avg_lo"#);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(&path).unwrap().n_unreadable_lines, 1);
        let mut file = match resumes {
            true => MetricsFile::resume_at(folder.path(), 3).unwrap(),
            false => MetricsFile::open(folder.path(), &json!({})).unwrap(),
        };
        file.append_step(&step(4)).unwrap();
        assert_eq!(
            steps(folder.path()),
            if resumes { vec![1, 2, 3, 4] } else { vec![4] }
        );
    }
}

#[test]
fn a_second_run_in_the_same_folder_leaves_the_first_alone() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    record(folder.path());
    let mut file = MetricsFile::resume_at(folder.path(), 0).unwrap();
    file.append_step(&step(1)).unwrap();
    assert_eq!(steps(folder.path()), [1]);
    let text = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(text.lines().count(), 6 + 3);
}

#[test]
fn a_record_that_is_not_there_is_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = MetricsFile::resume_at(&folder.path().join("new"), 7).unwrap();
    file.append_step(&step(8)).unwrap();
    assert_eq!(read(file.path()).unwrap().steps, [step(8)]);
}

#[test]
fn settings_within_settings_are_shown_in_one_row() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        json!({"lr": 2e-5, "lora": {"rank": 4, "modules": ["q"]}, "name": "a/b", "seed": null});
    let file = MetricsFile::open(folder.path(), &settings).unwrap();
    let shown = read(file.path()).unwrap().shown_settings();
    let shown: Vec<String> = shown
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(
        shown,
        [
            "lr=0.00002",
            "lora/rank=4",
            r#"lora/modules=["q"]"#,
            "name=a/b",
            "seed=none"
        ]
    );
}

/// Of version 0.11 and of other programs: settings in two rows, `total_loss`, keys that mean nothing here.
#[test]
fn records_of_the_original_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let text = r#"{"script_params": {"seed": 42}, "timestamp": "2025-01-01T00:00:00.000001"}
{"num_gpus": 8, "avg_sample_len": 100.5, "num_batches": 10, "total_samples": 40, "timestamp": "2025-01-01T00:00:01"}
{"epoch": 0, "step": 1, "rank": 0, "total_loss": 1.25, "lr": 1e-05, "gpu": [1], "timestamp": "2025-01-01T00:00:02"}
{"step": 1, "dev_loss": 2.0}
not a row
{"epoch": 0, "step": "two", "total_loss": 1.0}

"#;
    std::fs::write(&path, text).unwrap();
    let History {
        settings,
        data,
        steps,
        validations,
        n_unreadable_lines,
    } = read(&path).unwrap();
    assert_eq!(
        Value::Object(settings),
        json!({"script_params": {"seed": 42}})
    );
    assert_eq!(data.unwrap().num_gpus, 8);
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].avg_loss, steps[0].lr), (1.25, 1e-5));
    assert!(validations.is_empty());
    assert_eq!(n_unreadable_lines, 2);
}

proptest! {
    #[test]
    fn no_bytes_make_reading_or_cutting_panic(
        lines in prop::collection::vec("[\\[\\]{}\":,a-z\\n0-9 é]{0,40}|\\{\"step\":[0-9]{1,25},\"avg_loss\":[0-9.e-]{0,4}\\}", 0..6),
        keep in 0u64..5,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        std::fs::write(&path, lines.join("\n")).unwrap();
        let before = read(&path).unwrap();
        MetricsFile::resume_at(folder.path(), keep).unwrap();
        let after = read(&path).unwrap();
        prop_assert!(after.steps.len() <= before.steps.len());
        prop_assert!(after.steps.iter().all(|step| step.step <= keep));
    }
}
