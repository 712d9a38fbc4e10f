//! A run that is cut off after any step and goes on ends with the same weights, bit for bit, whatever it trains with.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::path::Path;

use golden::samples;
use ilab_base::cancel::Cancel;
use ilab_kernels::matmul::Precision;
use ilab_train::device::Device;
use ilab_train::identity::Identity;
use ilab_train::layer::Keep;
use ilab_train::method::{BaseFormat, LoraOptions, Method};
use ilab_train::model::Model;
use ilab_train::optimiser::OptimiserKind;
use ilab_train::resume;
use ilab_train::trainer::{TrainOptions, Trainer};
use ilab_weights::config::ModelConfig;
use serde_json::{Value, json};

fn config() -> ModelConfig {
    let configs: serde_json::Map<String, Value> =
        serde_json::from_str(include_str!("../../../goldens/train/architectures.json")).unwrap();
    serde_json::from_value(configs["qwen3"].clone()).unwrap()
}

fn lora(base: BaseFormat) -> Method {
    Method::Lora(LoraOptions {
        rank: 2,
        alpha: 4.0,
        dropout: 0.2,
        target_modules: vec!["q_proj".to_owned(), "up_proj".to_owned()],
        base,
        random_seed: 3,
    })
}

fn options(optimiser: OptimiserKind) -> TrainOptions {
    TrainOptions {
        num_epochs: 3,
        effective_batch_size: 2,
        max_batch_len: 14,
        learning_rate: 0.01,
        warmup_steps: 1,
        weight_decay: 0.1,
        optimiser,
        ..TrainOptions::default()
    }
}

fn trainer(method: &Method, optimiser: OptimiserKind) -> Trainer {
    trainer_on(Device::Cpu, method, optimiser)
}

fn trainer_on(device: Device, method: &Method, optimiser: OptimiserKind) -> Trainer {
    let model = golden::model(config(), method.clone()).with_precision(Precision::Bf16);
    let model = model.on_device(device).unwrap();
    Trainer::new(model, samples(), options(optimiser))
}

fn identity(trainer: &Trainer, optimiser: OptimiserKind) -> Identity {
    Identity::new(trainer.model(), &samples(), &options(optimiser)).unwrap()
}

fn trained(model: &Model) -> Vec<(String, Vec<f32>)> {
    let trained = model.parameters().filter(|weight| weight.is_trained());
    trained
        .map(|weight| {
            (
                weight.name().to_owned(),
                weight.to_f32().unwrap().into_owned(),
            )
        })
        .collect()
}

fn finish(mut trainer: Trainer) -> Vec<(String, Vec<f32>)> {
    while trainer.step(&Cancel::new()).unwrap().is_some() {}
    trained(trainer.model())
}

#[test]
fn every_method_goes_on_where_it_was_cut_off() {
    for device in golden::devices() {
        let blocks = match device {
            Device::Cpu => [BaseFormat::Q8, BaseFormat::Nf4],
            // The forms that a device keeps.
            _ => [BaseFormat::Bf16, BaseFormat::F32],
        };
        for (method, optimiser) in [
            (Method::Full, OptimiserKind::AdamW),
            (Method::Full, OptimiserKind::AdamW8Bit),
            (Method::Full, OptimiserKind::Adafactor),
            (Method::Full, OptimiserKind::Muon),
            (lora(BaseFormat::Bf16), OptimiserKind::AdamW),
            (lora(blocks[0]), OptimiserKind::AdamW8Bit),
            (lora(blocks[1]), OptimiserKind::AdamW),
        ] {
            check_every_cut(device, &method, optimiser);
        }
    }
}

fn check_every_cut(device: Device, method: &Method, optimiser: OptimiserKind) {
    let undisturbed = finish(trainer_on(device, method, optimiser));
    let n_steps = trainer_on(device, method, optimiser).n_steps();
    assert_eq!(n_steps, 6);
    for cut in 0..=n_steps {
        let folder = tempfile::tempdir().unwrap();
        let mut first = trainer_on(device, method, optimiser);
        let identity = identity(&first, optimiser);
        for _ in 0..cut {
            first.step(&Cancel::new()).unwrap();
        }
        resume::save(&first, &identity, &json!({"best": cut}), folder.path()).unwrap();
        drop(first);

        let mut second = trainer_on(device, method, optimiser);
        let notes = resume::restore(&mut second, &identity, folder.path()).unwrap();
        assert_eq!(notes, Some(json!({"best": cut})));
        assert_eq!(second.progress().step, cut);
        assert_eq!(
            finish(second),
            undisturbed,
            "{method:?} {optimiser:?} on {device} cut after {cut}"
        );
    }
}

#[test]
fn a_run_goes_on_on_another_device() {
    for method in [Method::Full, lora(BaseFormat::Bf16)] {
        for device in golden::devices() {
            let folder = tempfile::tempdir().unwrap();
            let mut first = trainer(&method, OptimiserKind::AdamW);
            let identity = identity(&first, OptimiserKind::AdamW);
            for _ in 0..3 {
                first.step(&Cancel::new()).unwrap();
            }
            resume::save(&first, &identity, &Value::Null, folder.path()).unwrap();
            let mut second = trainer_on(device, &method, OptimiserKind::AdamW);
            let own = Identity::new(second.model(), &samples(), &options(OptimiserKind::AdamW));
            assert_eq!(own.unwrap(), identity, "the fingerprint on {device}");
            resume::restore(&mut second, &identity, folder.path()).unwrap();
            let [one, other] = [first, second].map(|mut trainer| {
                let step = trainer.step(&Cancel::new()).unwrap().unwrap();
                [step.avg_loss, step.gradnorm]
            });
            for (one, other) in one.iter().zip(other) {
                // Products in bf16, whose factors differ by their last bit here and there.
                assert!(
                    (one - other).abs() <= 0.01 * one.abs(),
                    "{one} and {other} on {device}"
                );
            }
        }
    }
}

#[test]
fn only_the_newest_state_is_kept_and_a_finished_run_leaves_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = trainer(&Method::Full, OptimiserKind::AdamW);
    let identity = identity(&run, OptimiserKind::AdamW);
    for _ in 0..3 {
        run.step(&Cancel::new()).unwrap();
        resume::save(&run, &identity, &Value::Null, folder.path()).unwrap();
    }
    let names: Vec<_> = std::fs::read_dir(folder.path().join("full_state"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 1);
    assert!(resume::exists(folder.path()).unwrap());
    resume::clear(folder.path()).unwrap();
    assert!(!resume::exists(folder.path()).unwrap());
    let mut fresh = trainer(&Method::Full, OptimiserKind::AdamW);
    assert_eq!(
        resume::restore(&mut fresh, &identity, folder.path()).unwrap(),
        None
    );
}

/// The reason for which a state of another run is refused.
fn refused(folder: &Path, now: &Identity) -> String {
    let mut run = trainer(&Method::Full, OptimiserKind::AdamW);
    let error = resume::restore(&mut run, now, folder)
        .unwrap_err()
        .to_string();
    let (_, reason) = error.split_once("run of ").unwrap();
    reason.to_owned()
}

#[test]
fn the_state_of_another_run_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let run = trainer(&Method::Full, OptimiserKind::AdamW);
    let own = identity(&run, OptimiserKind::AdamW);
    resume::save(&run, &own, &Value::Null, folder.path()).unwrap();

    let options = options(OptimiserKind::AdamW);
    let slower = TrainOptions {
        learning_rate: 0.005,
        num_epochs: 4,
        ..options.clone()
    };
    let other_settings = Identity::new(run.model(), &samples(), &slower).unwrap();
    assert_eq!(
        refused(folder.path(), &other_settings),
        "another learning_rate (0.01 then, 0.005 now), another num_epochs (3 then, 4 now)"
    );
    let other_data = Identity::new(run.model(), &samples()[..2], &options).unwrap();
    assert_eq!(refused(folder.path(), &other_data), "another data set");
    let mut changed = golden::model(config(), Method::Full);
    let weight = changed.parameters_mut().next().unwrap();
    let mut values = weight.to_f32().unwrap().into_owned();
    values[0] += 1.0;
    weight.set(&values).unwrap();
    let other_model = Identity::new(&changed, &samples(), &options).unwrap();
    assert_eq!(refused(folder.path(), &other_model), "another model");
}

#[test]
fn what_is_kept_of_the_forward_pass_changes_no_bit() {
    let run = |device, keep| {
        let model = golden::model(config(), Method::Full).with_keep(keep);
        finish(Trainer::new(
            model.on_device(device).unwrap(),
            samples(),
            options(OptimiserKind::AdamW),
        ))
    };
    for device in golden::devices() {
        assert_eq!(
            run(device, Keep::Activations),
            run(device, Keep::Input),
            "{device}"
        );
    }
}

#[test]
fn a_damaged_state_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = trainer(&Method::Full, OptimiserKind::AdamW);
    let identity = identity(&run, OptimiserKind::AdamW);
    let state = resume::save(&run, &identity, &Value::Null, folder.path()).unwrap();
    let restore = || {
        let mut run = trainer(&Method::Full, OptimiserKind::AdamW);
        resume::restore(&mut run, &identity, folder.path())
    };
    for name in [
        "training_state.json",
        "weights.safetensors",
        "optimiser.safetensors",
    ] {
        let path = state.join(name);
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 7, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(restore().is_err(), "{name} cut to {length}");
        }
        std::fs::write(&path, &whole).unwrap();
    }
    let path = state.join("training_state.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"version\": 1", "\"version\": 9")).unwrap();
    let error = restore().unwrap_err().to_string();
    assert!(
        error.ends_with("has layout 9, and this program reads 1"),
        "{error}"
    );
}
