//! `ilab model train`: methods, plans, going on, held-out samples, what stays and what is refused.

use std::process::Child;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use serde_json::Value;

use crate::program::Program;

fn sample(index: usize) -> String {
    format!(
        r#"{{"messages": [{{"role": "user", "content": "What is number {index}?"}}, {{"role": "assistant", "content": "It is {}."}}]}}"#,
        index * 7 % 10
    )
}

/// A folder with a tiny model and a training file of `n` samples.
fn prepared(n: usize) -> Program {
    let program = Program::new();
    ilab_testkit::tiny_llama::write_hf(&program.path("tiny"), 1).unwrap();
    let lines: Vec<String> = (0..n).map(sample).collect();
    program.write("train.jsonl", lines.join("\n"));
    program
}

const TRAIN: [&str; 9] = [
    "model",
    "train",
    "--model-path=tiny",
    "--data-path=train.jsonl",
    "--ckpt-output-dir=out",
    "--data-output-dir=processed",
    "--effective-batch-size=4",
    "--num-epochs=3",
    "--learning-rate=1e-3",
];

fn train(program: &Program, flags: &[&str]) -> String {
    program.run(&[&TRAIN[..], flags].concat())
}

/// Names in a folder, sorted.
fn names(program: &Program, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(program.path(folder))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Rows of the metrics with a key.
fn rows(program: &Program, key: &str) -> Vec<Value> {
    let path = program.path("out/training_params_and_metrics_global0.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row.get(key).is_some()).collect()
}

#[test]
fn an_adapter_is_saved_on_its_own_and_merged_at_the_end() {
    let program = prepared(8);
    let shown = train(&program, &["--lora-rank=2", "--lora-quantize-dtype=none"]);
    assert!(
        shown.starts_with("exit code: 0\n----- stdout -----\nout/hf_format/samples_24\n"),
        "{shown}"
    );
    assert_eq!(names(&program, "out/hf_format"), ["samples_24"]);
    let files = names(&program, "out/hf_format/samples_24");
    for name in [
        "adapter_config.json",
        "adapter_model.safetensors",
        "pytorch_model-Q4_K_M.gguf",
        "pytorch_model.gguf",
        "tokenizer.json",
    ] {
        assert!(files.contains(&name.to_owned()), "{files:?}");
    }
    assert!(
        !files.contains(&"model.safetensors".to_owned()),
        "{files:?}"
    );
    let config =
        std::fs::read_to_string(program.path("out/hf_format/samples_24/adapter_config.json"));
    let config: Value = serde_json::from_str(&config.unwrap()).unwrap();
    assert_eq!(
        (&config["r"], &config["lora_alpha"]),
        (&Value::from(2), &Value::from(32.0))
    );
    let losses = rows(&program, "avg_loss");
    let loss = |row: &Value| row["avg_loss"].as_f64().unwrap();
    assert!(loss(&losses[5]) < loss(&losses[0]), "{losses:?}");
}

#[test]
fn every_form_of_the_base_and_every_optimiser_learns() {
    for flags in [
        ["--lora-rank=2", "--lora-quantize-dtype=nf4"],
        ["--lora-rank=2", "--lora-quantize-dtype=int8"],
        ["--optimizer=adamw8bit", "--lr-scheduler=linear"],
        ["--optimizer=adafactor", "--lr-scheduler=constant"],
        ["--optimize-memory", "--compute-dtype=f32"],
        ["--gradient-checkpointing=on", "--warmup-steps=2"],
    ] {
        let program = prepared(8);
        let shown = train(&program, &flags);
        assert!(shown.starts_with("exit code: 0"), "{flags:?}: {shown}");
        let losses = rows(&program, "avg_loss");
        let loss = |row: &Value| row["avg_loss"].as_f64().unwrap();
        assert!(loss(&losses[5]) < loss(&losses[0]), "{flags:?}: {losses:?}");
    }
}

#[test]
fn the_simple_pipeline_learns_the_newest_file_of_a_folder() {
    let program = prepared(4);
    std::fs::create_dir_all(program.path("generated/run")).unwrap();
    std::fs::rename(
        program.path("train.jsonl"),
        program.path("generated/run/train_tiny_2026.jsonl"),
    )
    .unwrap();
    let shown = program.run(&[
        "model",
        "train",
        "--pipeline=simple",
        "--model-path=tiny",
        "--data-path=generated",
        "--ckpt-output-dir=out",
        "--data-output-dir=processed",
        "--num-epochs=1",
    ]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert!(names(&program, "out").contains(&"ggml-model-f16.gguf".to_owned()));
    let first = &rows(&program, "method")[0];
    assert_eq!(first["method"]["Lora"]["rank"], 4);
    assert_eq!(first["effective_batch_size"], 1);
    assert_eq!(rows(&program, "avg_loss").len(), 4);
}

#[test]
fn held_out_samples_stop_the_run_and_name_the_best_checkpoint() {
    let program = prepared(20);
    // A rate at which the model gets worse from the second epoch on at the latest.
    let shown = program.run(&[
        "model",
        "train",
        "--model-path=tiny",
        "--data-path=train.jsonl",
        "--ckpt-output-dir=out",
        "--data-output-dir=processed",
        "--effective-batch-size=4",
        "--num-epochs=9",
        "--learning-rate=0.5",
        "--validation-split=0.2",
        "--early-stop=2",
        "--tensorboard",
    ]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let validations = rows(&program, "val_loss");
    let losses: Vec<f64> = validations
        .iter()
        .map(|row| row["val_loss"].as_f64().unwrap())
        .collect();
    let best = (0..losses.len())
        .min_by(|a, b| losses[*a].total_cmp(&losses[*b]))
        .unwrap();
    assert_eq!(losses.len(), best + 3, "{losses:?}");
    assert!(
        shown.contains("stopped early, 2 measurements brought none lower"),
        "{shown}"
    );
    let checkpoint = format!("out/hf_format/samples_{}", 16 * (best + 1));
    assert!(
        shown.contains(&format!("----- stdout -----\n{checkpoint}\n")),
        "{shown}"
    );
    assert_eq!(
        names(&program, "out/hf_format").len(),
        2,
        "the best and the last"
    );
    assert_eq!(names(&program, "out/tensorboard").len(), 1);
    let page = std::fs::read_to_string(program.path("out/report.html")).unwrap();
    assert!(page.contains("<svg"), "the curves");
}

/// Weights of the last checkpoint.
fn weights(program: &Program) -> Vec<u8> {
    std::fs::read(program.path("out/hf_format/samples_48/model.safetensors")).unwrap()
}

const LONG: [&str; 3] = ["--num-epochs=6", "--state-interval=0", "--last-epoch-only"];

fn long(program: &Program) -> std::process::Command {
    program.command(&[&TRAIN[..7], &["--learning-rate=1e-3"], &LONG].concat())
}

/// Waits for something that a running program does, and fails when it ends before or takes a minute.
fn wait_until(child: &mut Child, is_done: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_done() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before");
        assert!(started.elapsed() < Duration::from_secs(60), "it takes long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The steps that the newest state of a run has.
fn state(program: &Program) -> Option<u64> {
    let names = names(program, "out/full_state");
    let steps = names
        .iter()
        .filter_map(|name| name.strip_prefix("step_")?.parse().ok());
    steps.max()
}

#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let undisturbed = prepared(8);
    assert!(long(&undisturbed).output().unwrap().status.success());
    assert_eq!(state(&undisturbed), None, "a finished run leaves no state");

    let program = prepared(8);
    for wanted in [1, 4, 7] {
        let mut child = long(&program).spawn().unwrap();
        wait_until(&mut child, || state(&program) >= Some(wanted));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let output = long(&program).output().unwrap();
    let shown = program.show(&output);
    assert!(shown.contains("going on after step "), "{shown}");
    assert!(weights(&program) == weights(&undisturbed), "other weights");
    let steps: Vec<u64> = rows(&program, "avg_loss")
        .iter()
        .map(|row| row["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, (1..=12).collect::<Vec<u64>>(), "one row a step");
}

#[test]
fn a_run_of_something_else_is_not_gone_on_with() {
    let program = prepared(8);
    let mut child = long(&program).spawn().unwrap();
    wait_until(&mut child, || state(&program).is_some());
    child.kill().unwrap();
    child.wait().unwrap();
    let other: Vec<&str> = [&TRAIN[..7], &["--learning-rate=2e-3"], &LONG].concat();
    let step = state(&program).unwrap();
    let shown = program
        .run(&other)
        .replace(&format!("step_{step}"), "step_N");
    let refusal = shown.split("error: ").nth(1).unwrap();
    assert_snapshot!(refusal, @r"
    `out/full_state/step_N` holds an unfinished run of another learning_rate (0.001 then, 0.002 now)
    hint: go on with what it was started with, start over with `--fresh`, or pass another folder with `--ckpt-output-dir`
    ");
    let shown = program.run(&[&other[..], &["--fresh"]].concat());
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert!(!shown.contains("going on"), "{shown}");
}

#[test]
fn one_trainer_a_folder() {
    let program = prepared(8);
    let mut child = program
        .command(&[&TRAIN[..7], &["--num-epochs=5000"]].concat())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let metrics = program.path("out/training_params_and_metrics_global0.jsonl");
    wait_until(&mut child, || metrics.exists());
    let shown = train(&program, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_snapshot!(shown, @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: another training writes to `out`
    hint: wait for it, stop it, or pass another folder with `--ckpt-output-dir`
    ");
}

#[test]
fn a_plan_is_printed_and_nothing_is_trained() {
    let program = prepared(8);
    let shown = train(&program, &["--dry-run", "--json", "--lora-rank=2"]);
    let line = shown.lines().nth(2).unwrap();
    let plan: Value = serde_json::from_str(line).unwrap();
    assert_eq!(plan["n_samples"], 8);
    let parts = plan["memory_bytes"].as_object().unwrap().values();
    let total: u64 = parts.map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(plan["memory_total_bytes"], total);
    assert!(
        plan["n_trained"].as_u64() < plan["n_parameters"].as_u64(),
        "{plan}"
    );
    assert_eq!(names(&program, "out"), [""; 0]);
    let shown = train(&program, &["--dry-run"]);
    assert!(shown.contains("plan: "), "{shown}");
}

#[test]
fn what_is_not_done_is_refused_with_the_reason() {
    let program = prepared(2);
    let refusals = [
        &["--pipeline=accelerated"][..],
        &["--device=cuda"],
        &["--strategy=lab-multiphase"],
        &["--gpus=2"],
        &["--lora-alpha=16"],
        &["--lora-rank=2", "--lora-target-modules=q_proj,banana"],
        &["--lora-dropout=1"],
        &["--early-stop=2"],
        &["--json"],
    ];
    let shown: Vec<String> = refusals
        .iter()
        .map(|flags| {
            let shown = train(&program, flags);
            let code = shown.lines().next().unwrap().to_owned();
            let error = shown
                .split("error: ")
                .nth(1)
                .unwrap_or(&shown)
                .lines()
                .take(2);
            format!(
                "{flags:?} {code}\n  {}",
                error.collect::<Vec<_>>().join("\n  ")
            )
        })
        .collect();
    assert_snapshot!(shown.join("\n"), @r#"
    ["--pipeline=accelerated"] exit code: 1
      Unable to train with device=cpu and pipeline=accelerated
      hint: this version trains on one device: `--pipeline full` learns the same, `--lora-rank` and `--optimize-memory` make it smaller
    ["--device=cuda"] exit code: 1
      this program was built without CUDA
      hint: build it with `cargo build --release --features cuda`, or pass `--device cpu`
    ["--strategy=lab-multiphase"] exit code: 2
      Multi Phase and Skills Only training is only supported with `--pipeline accelerated`
      hint: leave out `--strategy`: each phase is a run of its own, the second with `--model-path` at the first's checkpoint
    ["--gpus=2"] exit code: 1
      `--gpus 2`: this version trains on one device of one machine
      hint: leave out `--gpus`
    ["--lora-alpha=16"] exit code: 2
      options of adapters without an adapter: LoRA is disabled (rank=0)
      hint: pass `--lora-rank`, such as 8, or leave out the other `--lora-…` flags
    ["--lora-rank=2", "--lora-target-modules=q_proj,banana"] exit code: 2
      no linear layer is called `banana`
      hint: `--lora-target-modules` takes q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj
    ["--lora-dropout=1"] exit code: 2
      invalid value '1' for '--lora-dropout <SHARE>': expected a number from 0 to below 1, such as 0.1
      
    ["--early-stop=2"] exit code: 2
      the following required arguments were not provided:
        --validation-split <SHARE>
    ["--json"] exit code: 2
      `--json` is for `--preview` and `--dry-run`
      hint: the metrics of a training are in training_params_and_metrics_global0.jsonl, as JSON
    "#);
}

#[test]
fn many_epochs_and_flags_without_effect_are_told() {
    let program = prepared(2);
    let shown = program.run(&[
        "model",
        "train",
        "--model-path=tiny",
        "--data-path=train.jsonl",
        "--ckpt-output-dir=out",
        "--data-output-dir=processed",
        "--num-epochs=11",
        "--is-padding-free=true",
        "--disable-flash-attn",
        "--distributed-backend=fsdp",
        "--learning-rate=0.02",
        "--dry-run",
        "--json",
    ]);
    let warnings: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .collect();
    assert_snapshot!(warnings.join("\n"), @r"
    warning: flags of DeepSpeed and FSDP have no effect on one device
    warning: `--is-padding-free` has no effect: samples are always packed without padding
    warning: `--disable-flash-attn` has no effect: attention never holds a whole matrix of scores
    warning: 11 epochs: the workflow is meant for at most 10; more passes over the same samples rarely teach more, and the model forgets what it knew
    warning: a learning rate of 2e-2 is very high: 2e-5 is usual for all weights, 2e-4 for adapters
    ");
}

#[test]
fn a_gguf_file_is_trained_on() {
    let program = prepared(4);
    let shown = program.run(&[
        "model",
        "convert",
        "--model-dir=tiny",
        "--output=tiny.gguf",
        "--type=f16",
    ]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    let shown = program.run(&[
        "model",
        "train",
        "--gguf-model-path=tiny.gguf",
        "--data-path=train.jsonl",
        "--ckpt-output-dir=out",
        "--data-output-dir=processed",
        "--num-epochs=1",
    ]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
    assert_eq!(names(&program, "out/hf_format"), ["samples_4"]);
}
