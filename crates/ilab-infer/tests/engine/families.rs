//! Models of every family, converted, against the logits that transformers gives for the Hugging Face folder.

use std::path::Path;

use futures::executor::block_on;
use ilab_infer::{Engine, EngineOptions};
use ilab_testkit::tiny_llama::{self, Family};
use ilab_testkit::tolerance::Tolerance;
use serde_json::Value;

use super::options;

/// `goldens/convert/gen.py MODELS LLAMA_CPP logits`.
fn golden(name: &str) -> Vec<f64> {
    let text = include_str!("../../../../goldens/convert/logits.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    let values = golden[name].as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn check(name: &str, write: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join(name);
    write(&source);
    let options = EngineOptions {
        model_path: tiny_llama::write_gguf_of(&source).unwrap(),
        ..options()
    };
    let engine = Engine::load(options).unwrap();
    let tokens: Vec<u32> = (0..60)
        .map(|position| (position * position + 3 * position) % 250)
        .collect();
    let logits = block_on(engine.logits(&tokens)).unwrap();
    let last: Vec<f64> = logits
        .last()
        .unwrap()
        .iter()
        .map(|logit| f64::from(*logit))
        .collect();
    // Two programs sum up to 256 products of numbers around 1 in another order, through two layers.
    Tolerance::new(1e-4, 1e-4).assert_close(&last, &golden(name), name);
}

#[test]
fn llama_cpp_computes_what_transformers_computes() {
    check("plain", |folder| tiny_llama::write_hf(folder, 0).unwrap());
    check("like_llama3", |folder| {
        tiny_llama::write_hf_like_llama3(folder, 0).unwrap();
    });
    for family in Family::ALL {
        check(family.name(), |folder| {
            tiny_llama::write_hf_of(family, folder, 0).unwrap();
        });
    }
}
