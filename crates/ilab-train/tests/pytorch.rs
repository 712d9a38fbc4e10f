//! Logits, loss, every gradient and ten optimiser steps against PyTorch: see `goldens/train/gen.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_base::cancel::Cancel;
use ilab_text::sample::EncodedSample;
use ilab_train::model::Model;
use ilab_train::packing::Batch;
use ilab_train::trainer::{TrainOptions, Trainer};
use ilab_weights::config::ModelConfig;
use ilab_weights::safetensors::Checkpoint;

/// Length of each sample and the position from which on its tokens are learned.
const SAMPLES: [(usize, usize); 3] = [(9, 3), (5, 1), (12, 7)];
const VOCAB_SIZE: usize = 48;

/// f32 sums over at most 48 terms in another order.
const RELATIVE: f32 = 2e-5;
const ABSOLUTE: f32 = 2e-6;

fn golden() -> Checkpoint {
    Checkpoint::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/train")).unwrap()
}

fn values(golden: &Checkpoint, name: &str) -> Vec<f32> {
    let shape = golden.tensor(name).unwrap().shape().to_vec();
    golden.read_f32(name, &shape).unwrap()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32], absolute: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let limit = absolute + RELATIVE * expected.abs();
        assert!(
            (found - expected).abs() <= limit,
            "{what}[{index}] is {found}, PyTorch has {expected}"
        );
    }
}

/// `weight` of the generating script.
fn weight(name: &str, shape: &[usize]) -> Vec<f32> {
    let seed = name
        .bytes()
        .enumerate()
        .map(|(index, byte)| (index as u64 + 1) * u64::from(byte))
        .sum::<u64>();
    let n: usize = shape.iter().product();
    (0..n as u64)
        .map(|index| {
            let hashed = ((index + 1) * 2_654_435_761 + seed * 40_503) & 0xffff_ffff;
            let hashed = ((hashed ^ (hashed >> 15)) * 2_246_822_519) & 0xffff_ffff;
            let value = (f64::from((hashed >> 8) as u32) / f64::from(1 << 24) - 0.5) as f32;
            if shape.len() > 1 {
                value * 0.5
            } else {
                value * 0.25 + 1.0
            }
        })
        .collect()
}

fn model(tied: bool, rope_scaling: &str) -> Model {
    Model::new(config(tied, rope_scaling), 64, |name, shape| {
        Ok(weight(name, shape))
    })
    .unwrap()
}

fn config(tied: bool, rope_scaling: &str) -> ModelConfig {
    let config = format!(
        r#"{{"model_type": "llama", "vocab_size": {VOCAB_SIZE}, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "max_position_embeddings": 64, "tie_word_embeddings": {tied}, "rope_scaling": {rope_scaling}}}"#
    );
    serde_json::from_str(&config).unwrap()
}

fn samples() -> Vec<EncodedSample> {
    SAMPLES
        .iter()
        .enumerate()
        .map(|(number, (length, first))| EncodedSample {
            input_ids: (0..*length)
                .map(|p| ((7 * number + 5 * p * p + 3) % VOCAB_SIZE) as u32)
                .collect(),
            is_learned: (0..*length).map(|p| p >= *first).collect(),
        })
        .collect()
}

#[test]
fn logits_loss_and_every_gradient_agree() {
    const LLAMA3: &str = r#"{"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16}"#;
    let golden = golden();
    for (case, tied, rope_scaling) in [
        ("untied", false, "null"),
        ("tied", true, "null"),
        ("llama3", true, LLAMA3),
    ] {
        let model = model(tied, rope_scaling);
        let packed = Batch::pack(&samples());
        let logits: Vec<f32> = model
            .logits(&packed)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        assert_close(
            case,
            &logits,
            &values(&golden, &format!("{case}.logits")),
            ABSOLUTE,
        );

        // Packed together and one by one: the same loss and gradients, in both directions of the comparison.
        let trainer = Trainer::new(model, samples(), TrainOptions::default());
        let alone: Vec<Batch> = samples()
            .iter()
            .map(|sample| Batch::pack([sample]))
            .collect();
        for batches in [&[packed][..], &alone] {
            let (loss, gradients) = trainer.loss_and_gradients(batches, &Cancel::new()).unwrap();
            assert_close(
                case,
                &[loss as f32],
                &values(&golden, &format!("{case}.loss")),
                ABSOLUTE,
            );
            for name in trainer.model().weights().keys() {
                let expected = values(&golden, &format!("{case}.gradient.{name}"));
                assert_close(
                    &format!("{case} {name}"),
                    gradients.of(name).unwrap(),
                    &expected,
                    ABSOLUTE,
                );
            }
        }
        let prefix = format!("{case}.gradient.");
        assert!(
            golden
                .names()
                .filter_map(|name| name.strip_prefix(&prefix))
                .all(|name| { trainer.model().weights().contains_key(name) })
        );
    }
}

#[test]
fn ten_steps_agree() {
    let golden = golden();
    let options = TrainOptions {
        num_epochs: 10,
        effective_batch_size: 3,
        max_batch_len: 14,
        learning_rate: 0.01,
        warmup_steps: 25,
        weight_decay: 0.1,
        ..TrainOptions::default()
    };
    let mut trainer = Trainer::new(model(true, "null"), samples(), options);
    let (mut losses, mut norms, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(step) = trainer.step(&Cancel::new()).unwrap() {
        losses.push(step.avg_loss as f32);
        norms.push(step.gradnorm as f32);
        rates.push(step.lr as f32);
    }
    assert_close(
        "learning rates",
        &rates,
        &values(&golden, "steps.rates"),
        1e-9,
    );
    // Rounding is amplified where a gradient is near zero: AdamW divides by its size.
    assert_close("losses", &losses, &values(&golden, "steps.losses"), 2e-4);
    assert_close(
        "gradient norms",
        &norms,
        &values(&golden, "steps.norms"),
        2e-3,
    );
    for (name, weight) in trainer.model().weights() {
        let found: Vec<f32> = weight.flatten_all().unwrap().to_vec1().unwrap();
        assert_close(
            name,
            &found,
            &values(&golden, &format!("steps.weight.{name}")),
            1e-3,
        );
    }
}

#[test]
fn a_cancelled_step_changes_nothing() {
    let mut trainer = Trainer::new(model(true, "null"), samples(), TrainOptions::default());
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(trainer.step(&cancel).is_err());
    let name = "model.embed_tokens.weight";
    let found: Vec<f32> = trainer.model().weights()[name]
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert_eq!(found, weight(name, &[VOCAB_SIZE, 16]));
}

/// A model of finite loss whose attention, which `o_proj` hides, makes the gradient of `o_proj` overflow.
fn overflowing() -> Model {
    Model::new(config(false, "null"), 64, |name, shape| {
        let factor: f32 = match name {
            "model.embed_tokens.weight" => 1e-20,
            "model.norm.weight" => 1e20,
            _ if name.ends_with("v_proj.weight") => 1e38,
            _ if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") => 0.0,
            _ => 1.0,
        };
        Ok(weight(name, shape)
            .iter()
            .map(|value| value * factor)
            .collect())
    })
    .unwrap()
}

#[test]
fn a_gradient_that_is_not_finite_is_refused_before_it_spoils_the_weights() {
    let mut trainer = Trainer::new(overflowing(), samples(), TrainOptions::default());
    let name = "lm_head.weight";
    let values = |trainer: &Trainer| -> Vec<f32> {
        let weight = &trainer.model().weights()[name];
        weight.flatten_all().unwrap().to_vec1().unwrap()
    };
    let error = trainer.step(&Cancel::new()).unwrap_err().to_string();
    assert!(
        error.starts_with("the gradient norm of step 1 is "),
        "{error}"
    );
    assert_eq!(values(&trainer), weight(name, &[VOCAB_SIZE, 16]));
}
