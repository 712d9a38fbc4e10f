//! Every supported architecture, and adapters, against transformers and PEFT: see `goldens/train/architectures.py`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod golden;

use std::collections::BTreeMap;

use golden::{ABSOLUTE, assert_close, values};
use ilab_train::layer::Keep;
use ilab_train::method::{BaseFormat, LoraOptions, Method};
use ilab_weights::config::ModelConfig;

fn configs() -> BTreeMap<String, ModelConfig> {
    serde_json::from_str(include_str!("../../../goldens/train/architectures.json")).unwrap()
}

#[test]
fn logits_loss_and_every_gradient_agree() {
    for (case, config) in configs() {
        if case == "lora" {
            continue;
        }
        for device in golden::devices() {
            for keep in [Keep::Activations, Keep::Input] {
                let model = golden::model(config.clone(), Method::Full).with_keep(keep);
                golden::check_case(&case, model.on_device(device).unwrap());
            }
        }
    }
}

fn lora(base: BaseFormat) -> Method {
    Method::Lora(LoraOptions {
        rank: 3,
        alpha: 6.0,
        dropout: 0.0,
        target_modules: ["q_proj", "v_proj", "o_proj", "down_proj"]
            .map(str::to_owned)
            .to_vec(),
        base,
        random_seed: 1,
    })
}

/// A model whose adapters have the weights of the generating script.
fn adapted(base: BaseFormat) -> ilab_train::model::Model {
    let mut model = golden::model(configs()["lora"].clone(), lora(base));
    for parameter in model.parameters_mut() {
        let value = golden::weight(parameter.name(), parameter.shape());
        if parameter.is_trained() {
            parameter.set(&value).unwrap();
        }
    }
    model
}

#[test]
fn adapters_agree() {
    for (device, keep) in golden::devices()
        .into_iter()
        .flat_map(|device| [(device, Keep::Activations), (device, Keep::Input)])
    {
        let model = adapted(BaseFormat::F32).with_keep(keep);
        let trainer = golden::check_case("lora", model.on_device(device).unwrap());
        let golden = golden::golden();
        for name in [
            "model.layers.0.self_attn.q_proj.weight",
            "model.layers.1.mlp.down_proj.weight",
        ] {
            let expected = values(&golden, &format!("lora.merged.{name}"));
            let merged = trainer.model().merged(name).unwrap().unwrap();
            assert_close(name, &merged, &expected, ABSOLUTE);
        }
    }
}
