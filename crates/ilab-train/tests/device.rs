//! What the golden values do not show of a model on a device: what it refuses, and that it does as the kernels do.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use golden::{VOCAB_SIZE, samples};
use ilab_base::cancel::Cancel;
use ilab_base::hint::Hint;
use ilab_kernels::matmul::Precision;
use ilab_text::sample::EncodedSample;
use ilab_train::checkpoint;
use ilab_train::device::Device;
use ilab_train::error::TrainError;
use ilab_train::method::{BaseFormat, LoraOptions, Method};
use ilab_train::packing::Batch;
use ilab_train::trainer::{TrainOptions, Trainer};
use ilab_weights::config::ModelConfig;
use ilab_weights::safetensors::FloatType;
use serde_json::Value;

fn config(case: &str) -> ModelConfig {
    let configs: serde_json::Map<String, Value> =
        serde_json::from_str(include_str!("../../../goldens/train/architectures.json")).unwrap();
    serde_json::from_value(configs[case].clone()).unwrap()
}

fn lora(base: BaseFormat) -> Method {
    Method::Lora(LoraOptions {
        rank: 2,
        alpha: 4.0,
        dropout: 0.3,
        target_modules: ["q_proj", "o_proj", "down_proj"]
            .map(str::to_owned)
            .to_vec(),
        base,
        random_seed: 3,
    })
}

fn trainer(device: Device, case: &str, method: Method, precision: Precision) -> Trainer {
    let model = golden::model(config(case), method).with_precision(precision);
    let options = TrainOptions {
        learning_rate: 0.01,
        warmup_steps: 0,
        ..TrainOptions::default()
    };
    Trainer::new(model.on_device(device).unwrap(), samples(), options)
}

/// Losses and gradient norms of three steps.
fn course(mut trainer: Trainer) -> Vec<[f64; 2]> {
    let steps = (0..3).map(|_| trainer.step(&Cancel::new()).unwrap().unwrap());
    steps.map(|step| [step.avg_loss, step.gradnorm]).collect()
}

fn assert_same_course(device: Device, found: &[[f64; 2]], expected: &[[f64; 2]], relative: f64) {
    for (found, expected) in found.as_flattened().iter().zip(expected.as_flattened()) {
        assert!(
            (found - expected).abs() <= relative * expected.abs(),
            "{found} on {device}, {expected} by the kernels"
        );
    }
}

#[test]
fn adapters_leave_out_the_same_numbers_on_every_device() {
    let run = |device| {
        let method = lora(BaseFormat::Bf16);
        course(trainer(device, "qwen2", method, Precision::F32))
    };
    let expected = run(Device::Cpu);
    for device in golden::devices() {
        // AdamW divides by the size of gradients near zero.
        assert_same_course(device, &run(device), &expected, 1e-3);
    }
}

#[test]
fn products_in_bf16_train_as_those_of_the_kernels() {
    for case in ["granite", "qwen3", "mistral"] {
        let run = |device| course(trainer(device, case, Method::Full, Precision::Bf16));
        let expected = run(Device::Cpu);
        for device in golden::devices() {
            // Bf16 has eight bits, and scores are rounded to them on a device.
            assert_same_course(device, &run(device), &expected, 0.02);
        }
    }
}

#[test]
fn a_base_in_blocks_is_refused_by_name() {
    for (base, name) in [(BaseFormat::Q8, "8-bit"), (BaseFormat::Nf4, "4-bit")] {
        let model = golden::model(config("lora"), lora(base));
        let error = model.on_device(Device::Composed).unwrap_err();
        assert_eq!(
            format!("{error}; {}", error.hints().join("; ")),
            format!(
                "the device `cpu, composed` keeps a frozen base in f32 or bf16, not in {name} blocks; pass \
                 `--lora-quantize-dtype none`, or train on the processor with `--device cpu`"
            )
        );
    }
}

#[test]
fn what_teaches_nothing_changes_nothing() {
    let untaught = EncodedSample {
        input_ids: vec![1, 2, 3],
        is_learned: vec![false; 3],
    };
    for device in golden::devices() {
        let mut trainer = trainer(device, "qwen3", Method::Full, Precision::F32);
        for batch in [Batch::pack([&untaught]), Batch::pack([])] {
            let batches = [batch];
            let loss = trainer.mean_loss(&batches, &Cancel::new()).unwrap();
            assert_eq!(loss, 0.0, "{device}");
            let loss = trainer
                .loss_and_gradients(&batches, &Cancel::new())
                .unwrap();
            assert_eq!(loss, 0.0, "{device}");
            for parameter in trainer.model().parameters() {
                let gradient = parameter.gradient().unwrap().unwrap();
                assert!(gradient.iter().all(|value| *value == 0.0), "{device}");
            }
        }
        let logits = trainer.model_mut().logits(&Batch::pack([])).unwrap();
        assert_eq!(logits, [0.0; 0]);
    }
}

#[test]
fn what_the_model_cannot_take_is_refused_before_it_reaches_the_device() {
    let sample = |input_ids: Vec<u32>| EncodedSample {
        is_learned: vec![true; input_ids.len()],
        input_ids,
    };
    for device in golden::devices() {
        let mut trainer = trainer(device, "qwen3", Method::Full, Precision::F32);
        let foreign = [Batch::pack([&sample(vec![1, VOCAB_SIZE as u32])])];
        let long = [Batch::pack([&sample(vec![1; 65])])];
        let error = trainer.mean_loss(&foreign, &Cancel::new()).unwrap_err();
        assert!(matches!(error, TrainError::Token { .. }), "{error}");
        let error = trainer
            .loss_and_gradients(&long, &Cancel::new())
            .unwrap_err();
        assert!(matches!(error, TrainError::Length { .. }), "{error}");
    }
}

#[test]
fn a_checkpoint_holds_the_weights_of_the_device() {
    let bytes = |device| {
        let folder = tempfile::tempdir().unwrap();
        let destination = folder.path().join("model");
        let trainer = trainer(device, "qwen2", Method::Full, Precision::F32);
        let staged =
            checkpoint::stage(trainer.model(), folder.path(), &destination, FloatType::F32);
        let written = staged.unwrap().commit().unwrap();
        std::fs::read(written.join("model.safetensors")).unwrap()
    };
    let expected = bytes(Device::Cpu);
    for device in golden::devices() {
        assert!(bytes(device) == expected, "{device}");
    }
}
