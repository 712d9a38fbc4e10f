//! Golden values of `goldens/train`, and the weights and samples that both sides compute from the same integers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::Path;

use ilab_base::cancel::Cancel;
use ilab_text::sample::EncodedSample;
use ilab_train::device::Device;
use ilab_train::method::Method;
use ilab_train::model::Model;
use ilab_train::packing::Batch;
use ilab_train::trainer::{TrainOptions, Trainer};
use ilab_weights::config::ModelConfig;
use ilab_weights::safetensors::Checkpoint;

/// Length of each sample and the position from which on its tokens are learned.
pub const SAMPLES: [(usize, usize); 3] = [(9, 3), (5, 1), (12, 7)];
pub const VOCAB_SIZE: usize = 48;

/// f32 sums over at most 48 terms in another order.
pub const RELATIVE: f32 = 2e-5;
pub const ABSOLUTE: f32 = 2e-6;

pub fn golden() -> Checkpoint {
    Checkpoint::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/train")).unwrap()
}

pub fn values(golden: &Checkpoint, name: &str) -> Vec<f32> {
    let shape = golden.tensor(name).unwrap().shape().to_vec();
    golden.read_f32(name, &shape).unwrap()
}

pub fn assert_close(what: &str, found: &[f32], expected: &[f32], absolute: f32) {
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
pub fn weight(name: &str, shape: &[usize]) -> Vec<f32> {
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

pub fn samples() -> Vec<EncodedSample> {
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

/// A model of a configuration, with the weights of the generating script.
pub fn model(config: ModelConfig, method: Method) -> Model {
    Model::new(config, method, 64, |name, shape| Ok(weight(name, shape))).unwrap()
}

/// Every device that this program was built for and this machine has; what it was built for and is absent is told on stderr,
/// and fails where `ILAB_REQUIRE_DEVICE` names it.
#[allow(clippy::print_stderr, reason = "what is not tested is told")]
pub fn devices() -> Vec<Device> {
    let required = std::env::var("ILAB_REQUIRE_DEVICE").unwrap_or_default();
    let all = [Device::Cpu, Device::Composed, Device::Cuda, Device::Mps];
    let is_present = |device: &Device| match device.check() {
        Ok(()) => true,
        Err(error) => {
            assert_ne!(required, device.to_string(), "{error}");
            if device.is_built() {
                eprintln!("not tested: {error}");
            }
            false
        }
    };
    all.into_iter().filter(is_present).collect()
}

/// Logits, loss and every gradient of a case, packed together and one by one.
pub fn check_case(case: &str, model: Model) -> Trainer {
    let golden = golden();
    let case = format!("{case} on {}", model.device());
    let (name, _) = case.split_once(' ').unwrap();
    let mut trainer = Trainer::new(model, samples(), TrainOptions::default());
    let packed = Batch::pack(&samples());
    let logits = trainer.model_mut().logits(&packed).unwrap();
    let expected = values(&golden, &format!("{name}.logits"));
    assert_close(&format!("{case} logits"), &logits, &expected, ABSOLUTE);
    let together = std::slice::from_ref(&packed);
    let loss_alone = trainer.mean_loss(together, &Cancel::new()).unwrap();
    let expected_loss = values(&golden, &format!("{name}.loss"));
    assert_close(&case, &[loss_alone as f32], &expected_loss, ABSOLUTE);

    let samples = samples();
    let alone: Vec<Batch> = samples.iter().map(|sample| Batch::pack([sample])).collect();
    for batches in [&[packed][..], &alone] {
        let loss = trainer.loss_and_gradients(batches, &Cancel::new()).unwrap();
        assert_close(&case, &[loss as f32], &expected_loss, ABSOLUTE);
        let prefix = format!("{name}.gradient.");
        let mut n_compared = 0;
        for name in golden.names().filter_map(|name| name.strip_prefix(&prefix)) {
            let parameter = trainer.model().parameter(name);
            let parameter = parameter.unwrap_or_else(|| panic!("{case} has no weight `{name}`"));
            let expected = values(&golden, &format!("{prefix}{name}"));
            let found = parameter.gradient().unwrap().unwrap();
            assert_close(&format!("{case} {name}"), &found, &expected, ABSOLUTE);
            n_compared += 1;
        }
        let trained = trainer
            .model()
            .parameters()
            .filter(|weight| weight.is_trained());
        assert_eq!(
            n_compared,
            trained.count(),
            "{case}: weights that PyTorch does not train"
        );
    }
    trainer
}
