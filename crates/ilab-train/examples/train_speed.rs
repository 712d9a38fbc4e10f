//! Trains a Llama of some size on random tokens and prints what it took, as one JSON object: the same work as
//! `checks/peers/train.py`.
//!
//! Run: `cargo run --release -p ilab-train --example train_speed -- [--steps 5] [--lora 8] [--base bf16|q8|nf4] …`;
//! with `--features cuda` and `--device cuda` on a GPU, with `--device composed` by the same operations on the processor.

#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking")]
#![allow(clippy::print_stdout, reason = "its output is the measurement")]

use std::time::Instant;

use ilab_base::cancel::Cancel;
use ilab_kernels::matmul::Precision;
use ilab_text::sample::EncodedSample;
use ilab_train::device::Device;
use ilab_train::initialise;
use ilab_train::layer::Keep;
use ilab_train::method::{BaseFormat, LoraOptions, Method};
use ilab_train::optimiser::OptimiserKind;
use ilab_train::trainer::{TrainOptions, Trainer};
use ilab_weights::config::ModelConfig;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The value after a flag, or a default.
fn flag<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str, default: T) -> T {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments
        .nth(1)
        .map_or(default, |value| value.parse().unwrap())
}

fn config() -> ModelConfig {
    let config = json!({
        "model_type": "llama", "vocab_size": flag("--vocabulary", 32_000), "hidden_size": flag("--width", 768),
        "intermediate_size": flag("--feed-forward", 2048), "num_hidden_layers": flag("--layers", 12),
        "num_attention_heads": flag("--heads", 12), "num_key_value_heads": flag("--kv-heads", 12),
        "rms_norm_eps": 1e-6, "max_position_embeddings": 2048, "tie_word_embeddings": false,
    });
    serde_json::from_value(config).unwrap()
}

fn method() -> Method {
    match flag("--lora", 0) {
        0 => Method::Full,
        rank => {
            let base = match flag("--base", "bf16".to_owned()).as_str() {
                "f32" => BaseFormat::F32,
                "q8" => BaseFormat::Q8,
                "nf4" => BaseFormat::Nf4,
                _ => BaseFormat::Bf16,
            };
            Method::Lora(LoraOptions {
                dropout: 0.0,
                ..LoraOptions::new(rank, base)
            })
        }
    }
}

/// Random tokens that are the same every time.
fn samples(vocabulary: usize) -> Vec<EncodedSample> {
    let (n, length): (usize, usize) = (flag("--samples", 4), flag("--length", 512));
    let first_learned = (length as f64 * flag("--masked", 0.0)) as usize;
    let mut state = 1u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % vocabulary as u64) as u32
    };
    (0..n)
        .map(|_| EncodedSample {
            input_ids: (0..length).map(|_| next()).collect(),
            is_learned: (0..length)
                .map(|position| position >= first_learned)
                .collect(),
        })
        .collect()
}

/// The most memory this process ever had, in MiB.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(f64::NAN) / 1024.0
}

fn main() {
    let threads = flag("--threads", 2);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .unwrap();
    let config = config();
    let samples = samples(config.vocab_size);
    let n_tokens: usize = samples.iter().map(|sample| sample.input_ids.len()).sum();
    let n_steps: usize = flag("--steps", 5);
    let precision = match flag("--dtype", "bf16".to_owned()).as_str() {
        "f32" => Precision::F32,
        _ => Precision::Bf16,
    };
    let keep = match flag("--keep", "activations".to_owned()).as_str() {
        "input" => Keep::Input,
        _ => Keep::Activations,
    };
    let model = initialise::random(config, method(), 2048, 0).unwrap();
    let model = model.with_precision(precision).with_keep(keep);
    let device = match flag("--device", "cpu".to_owned()).as_str() {
        "composed" => Device::Composed,
        name => Device::parse(name).unwrap(),
    };
    let model = model.on_device(device).unwrap();
    let options = TrainOptions {
        num_epochs: n_steps,
        effective_batch_size: samples.len(),
        max_batch_len: flag("--max-batch-len", n_tokens),
        learning_rate: 1e-5,
        warmup_steps: 0,
        optimiser: match flag("--optimiser", "adamw".to_owned()).as_str() {
            "adamw8bit" => OptimiserKind::AdamW8Bit,
            "adafactor" => OptimiserKind::Adafactor,
            _ => OptimiserKind::AdamW,
        },
        ..TrainOptions::default()
    };
    let mut trainer = Trainer::new(model, samples, options);
    let (mut seconds, mut losses) = (Vec::new(), Vec::new());
    loop {
        let started = Instant::now();
        let Some(step) = trainer.step(&Cancel::new()).unwrap() else {
            break;
        };
        seconds.push(started.elapsed().as_secs_f64());
        losses.push(step.avg_loss);
    }
    let mut usual = seconds
        .get(1..)
        .filter(|later| !later.is_empty())
        .unwrap_or(&seconds)
        .to_vec();
    usual.sort_by(f64::total_cmp);
    let result = json!({
        "tokens_per_second": n_tokens as f64 / usual[usual.len() / 2], "peak_mib": peak_mib(),
        "seconds": seconds, "losses": losses, "n_parameters": trainer.model().n_parameters(),
        "device": device.to_string(),
    });
    println!("{result}");
}
