//! The losses of a training on the folder that `checks/peers/loss_curve.py` made, with products in bf16, as one JSON object.
//!
//! Run: `cargo run --release -p ilab-train --example loss_curve -- DIR [f32]`

#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking")]
#![allow(clippy::print_stdout, reason = "its output is the measurement")]

use std::path::PathBuf;

use ilab_base::cancel::Cancel;
use ilab_kernels::matmul::Precision;
use ilab_text::sample::EncodedSample;
use ilab_train::method::Method;
use ilab_train::model::Model;
use ilab_train::trainer::{TrainOptions, Trainer};
use serde_json::{Value, json};

/// Samples of one step, and the learning rate: those of the script.
const SAMPLES: usize = 8;
const RATE: f64 = 1e-3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(&arguments[0]);
    let precision = match arguments.get(1).map(String::as_str) {
        Some("f32") => Precision::F32,
        _ => Precision::Bf16,
    };
    let text = std::fs::read_to_string(folder.join("data.jsonl")).unwrap();
    let samples: Vec<EncodedSample> = text
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let input_ids: Vec<u32> = serde_json::from_value(line["input_ids"].clone()).unwrap();
            EncodedSample {
                is_learned: vec![true; input_ids.len()],
                input_ids,
            }
        })
        .collect();
    let length = samples[0].input_ids.len();
    let model = Model::from_dir(&folder, Method::Full, length).unwrap();
    let options = TrainOptions {
        num_epochs: 1,
        effective_batch_size: SAMPLES,
        max_batch_len: SAMPLES * length,
        learning_rate: RATE,
        warmup_steps: 0,
        weight_decay: 0.1,
        random_seed: None,
        ..TrainOptions::default()
    };
    let mut trainer = Trainer::new(model.with_precision(precision), samples, options);
    let mut losses = Vec::new();
    while let Some(step) = trainer.step(&Cancel::new()).unwrap() {
        losses.push(step.avg_loss);
    }
    println!("{}", json!({ "losses": losses }));
}
