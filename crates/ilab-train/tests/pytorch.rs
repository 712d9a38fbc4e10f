//! Logits, loss, every gradient and ten optimiser steps against PyTorch: see `goldens/train/gen.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use golden::{VOCAB_SIZE, assert_close, devices, model, samples, values, weight};
use ilab_base::cancel::Cancel;
use ilab_train::device::Device;
use ilab_train::layer::Keep;
use ilab_train::method::Method;
use ilab_train::model::Model;
use ilab_train::trainer::{TrainOptions, Trainer};
use ilab_weights::config::ModelConfig;

fn config(tied: bool, rope_scaling: &str) -> ModelConfig {
    let config = format!(
        r#"{{"model_type": "llama", "vocab_size": {VOCAB_SIZE}, "hidden_size": 16, "intermediate_size": 24,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "max_position_embeddings": 64, "tie_word_embeddings": {tied}, "rope_scaling": {rope_scaling}}}"#
    );
    serde_json::from_str(&config).unwrap()
}

#[test]
fn logits_loss_and_every_gradient_agree() {
    const LLAMA3: &str = r#"{"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 16}"#;
    for (case, tied, rope_scaling) in [
        ("untied", false, "null"),
        ("tied", true, "null"),
        ("llama3", true, LLAMA3),
    ] {
        for device in devices() {
            for keep in [Keep::Activations, Keep::Input] {
                let model = model(config(tied, rope_scaling), Method::Full).with_keep(keep);
                golden::check_case(case, model.on_device(device).unwrap());
            }
        }
    }
}

#[test]
fn ten_steps_agree() {
    for device in devices() {
        check_ten_steps(device);
    }
}

fn check_ten_steps(device: Device) {
    let golden = golden::golden();
    let options = TrainOptions {
        num_epochs: 10,
        effective_batch_size: 3,
        max_batch_len: 14,
        learning_rate: 0.01,
        warmup_steps: 25,
        weight_decay: 0.1,
        ..TrainOptions::default()
    };
    let model = model(config(true, "null"), Method::Full);
    let mut trainer = Trainer::new(model.on_device(device).unwrap(), samples(), options);
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
    for weight in trainer.model().parameters() {
        let expected = values(&golden, &format!("steps.weight.{}", weight.name()));
        assert_close(weight.name(), &weight.to_f32().unwrap(), &expected, 1e-3);
    }
}

#[test]
fn a_cancelled_step_changes_nothing() {
    for device in devices() {
        let model = model(config(true, "null"), Method::Full);
        let model = model.on_device(device).unwrap();
        let mut trainer = Trainer::new(model, samples(), TrainOptions::default());
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(trainer.step(&cancel).is_err());
        let name = "model.embed_tokens.weight";
        let found = trainer.model().parameter(name).unwrap().to_f32().unwrap();
        assert_eq!(*found, weight(name, &[VOCAB_SIZE, 16]));
    }
}

/// A model of finite loss whose attention, which `o_proj` hides, makes the gradient of `o_proj` overflow.
fn overflowing() -> Model {
    Model::new(config(false, "null"), Method::Full, 64, |name, shape| {
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
    for device in devices() {
        let model = overflowing().on_device(device).unwrap();
        let mut trainer = Trainer::new(model, samples(), TrainOptions::default());
        let name = "lm_head.weight";
        let error = trainer.step(&Cancel::new()).unwrap_err().to_string();
        assert!(
            error.starts_with("the gradient norm of step 1 is "),
            "{device}: {error}"
        );
        let found = trainer.model().parameter(name).unwrap().to_f32().unwrap();
        assert_eq!(*found, weight(name, &[VOCAB_SIZE, 16]));
    }
}
