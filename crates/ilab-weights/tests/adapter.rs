//! Adapters of PEFT and MLX: read, merged as PEFT merges, written and read again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_weights::adapter::{Adapter, AdapterError, MLX_DEFAULT_SCALE, write, write_npz};
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::safetensors::FloatType;
use serde_json::{Value, json};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../goldens/weights")
        .join(name)
}

/// Every tensor of the model with the adapter merged into it, against PEFT's `merge_and_unload`.
fn check_merged(name: &str, adapter: &Adapter) {
    let base_folder = golden(name).join("base");
    let config = ModelConfig::from_dir(&base_folder).unwrap();
    let base = Checkpoint::open(&base_folder).unwrap();
    let merged = Checkpoint::open(&golden(name).join("merged.safetensors")).unwrap();
    let tensors = model_tensors(&config);
    adapter.check_model(&tensors).unwrap();
    let mut n_adapted = 0;
    for (name, shape) in tensors {
        let mut values = base.read_f32(&name, &shape).unwrap();
        if let Some(module) = adapter.module(name.strip_suffix(".weight").unwrap()) {
            let scale = adapter.scale(module);
            for (row, values) in values.chunks_exact_mut(module.n_inputs).enumerate() {
                module.add_row(scale, row, values);
            }
            n_adapted += 1;
        }
        let expected = merged.read_f32(&name, &shape).unwrap();
        for (ours, expected) in values.iter().zip(&expected) {
            // Sums of at most three products of numbers around 1, in another order.
            let is_close = (ours - expected).abs() <= 4.0 * f32::EPSILON;
            assert!(is_close, "{name}: {ours} and {expected}");
        }
    }
    assert_eq!(n_adapted, adapter.modules.len());
    assert_eq!(n_adapted, 6);
}

#[test]
fn an_adapter_is_merged_as_peft_merges_it() {
    for name in ["peft", "peft_rslora"] {
        let adapter = Adapter::open(&golden(name).join("adapter")).unwrap();
        check_merged(name, &adapter);
    }
}

#[test]
fn what_is_written_is_what_peft_reads_and_wrote() {
    for name in ["peft", "peft_rslora"] {
        let source = golden(name).join("adapter");
        let adapter = Adapter::open(&source).unwrap();
        let folder = tempfile::tempdir().unwrap();
        write(
            folder.path(),
            &adapter.config,
            &adapter.modules,
            FloatType::F32,
        )
        .unwrap();
        assert_eq!(Adapter::open(folder.path()).unwrap(), adapter);
        let json = |folder: &Path| -> Value {
            let path = folder.join("adapter_config.json");
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let (mut ours, mut theirs) = (json(folder.path()), json(&source));
        // PEFT's is a whole number, which JSON readers take for the same.
        assert_eq!(
            ours["lora_alpha"].take().as_f64(),
            theirs["lora_alpha"].take().as_f64()
        );
        assert_eq!(ours, theirs);
        let tensors = |folder: &Path| -> Vec<String> {
            let checkpoint = Checkpoint::open(&folder.join("adapter_model.safetensors")).unwrap();
            checkpoint.names().map(str::to_owned).collect()
        };
        assert_eq!(tensors(folder.path()), tensors(&source));
    }
}

#[test]
fn an_adapter_survives_the_way_through_mlx() {
    let adapter = Adapter::open(&golden("peft/adapter")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapters.npz");
    write_npz(&path, &adapter).unwrap();
    // The file itself, and the folder that it lies in.
    let again = Adapter::open(&path).unwrap();
    assert_eq!(Adapter::open(folder.path()).unwrap(), again);
    assert_eq!(again.config.scale(3), MLX_DEFAULT_SCALE as f32);
    check_merged("peft", &again);

    let ranks = Adapter::open(&golden("peft_rslora/adapter")).unwrap();
    write_npz(&path, &ranks).unwrap();
    assert!(matches!(
        Adapter::open(&path),
        Err(AdapterError::Shape { .. })
    ));
}

#[test]
fn arrays_of_numpy_are_read() {
    let adapter = Adapter::open(&golden("adapters.npz")).unwrap();
    let value = |index: usize| index as f32 / 8.0 - 1.0;
    let names: Vec<&str> = adapter.modules.iter().map(|module| &*module.name).collect();
    assert_eq!(
        names,
        [
            "model.layers.3.self_attn.q_proj",
            "model.layers.3.self_attn.v_proj"
        ]
    );
    for (module, n_outputs) in adapter.modules.iter().zip([4, 3]) {
        assert_eq!(
            (module.rank, module.n_inputs, module.n_outputs),
            (2, 6, n_outputs)
        );
        for row in 0..2 {
            for column in 0..6 {
                assert_eq!(module.a[row * 6 + column], value(column * 2 + row));
            }
        }
        for row in 0..n_outputs {
            for column in 0..2 {
                assert_eq!(module.b[row * 2 + column], value(column * n_outputs + row));
            }
        }
    }
}

/// The golden adapter with its configuration changed.
fn changed(change: Value) -> Result<Adapter, AdapterError> {
    let folder = tempfile::tempdir().unwrap();
    let source = golden("peft/adapter");
    let weights = "adapter_model.safetensors";
    std::fs::copy(source.join(weights), folder.path().join(weights)).unwrap();
    let text = std::fs::read_to_string(source.join("adapter_config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&text).unwrap();
    for (key, value) in change.as_object().unwrap() {
        config[key] = value.clone();
    }
    std::fs::write(
        folder.path().join("adapter_config.json"),
        config.to_string(),
    )
    .unwrap();
    Adapter::open(folder.path())
}

#[test]
fn what_is_not_plain_lora_is_refused() {
    for (change, expected) in [
        (json!({"peft_type": "IA3"}), "`peft_type` is IA3"),
        (json!({"use_dora": true}), "`use_dora` is true"),
        (json!({"bias": "all"}), "`bias` is all"),
        (
            json!({"modules_to_save": ["lm_head"]}),
            "`modules_to_save` is [\"lm_head\"]",
        ),
        (
            json!({"init_lora_weights": "pissa_niter_4"}),
            "`init_lora_weights` is pissa_niter_4",
        ),
        (
            json!({"alpha_pattern": {"q": 3}}),
            "`alpha_pattern` is {\"q\":3}",
        ),
        (json!({"lora_alpha": -1.0}), "`lora_alpha` is -1"),
        (json!({"r": 0}), "`r` is 0"),
    ] {
        let error = changed(change).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().ends_with("which is not plain LoRA"));
        assert_eq!(error.hints().len(), 1);
    }
    let error = changed(json!({"r": 4})).unwrap_err();
    assert!(
        error.to_string().ends_with("is no pair of rank 4"),
        "{error}"
    );
}

#[test]
fn an_adapter_of_another_model_is_refused() {
    let adapter = Adapter::open(&golden("peft/adapter")).unwrap();
    let mut config = ModelConfig::from_dir(&golden("peft/base")).unwrap();
    config.intermediate_size = 32;
    let error = adapter.check_model(&model_tensors(&config)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the adapter is for `model.layers.0.mlp.down_proj` of [16, 24], but the model has [16, 32]"
    );
    config.num_hidden_layers = 1;
    config.intermediate_size = 24;
    let error = adapter.check_model(&model_tensors(&config)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("but the model has no such layer")
    );
}

#[test]
fn no_cut_or_changed_byte_of_an_npz_makes_it_panic() {
    let original = std::fs::read(golden("adapters.npz")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapters.npz");
    for length in (0..original.len()).step_by(5) {
        std::fs::write(&path, &original[..length]).unwrap();
        assert!(Adapter::open(&path).is_err(), "{length}");
    }
    for at in (0..original.len()).step_by(2) {
        let mut bytes = original.clone();
        bytes[at] ^= 0x55;
        std::fs::write(&path, bytes).unwrap();
        // A changed value is an adapter all the same.
        let _ = Adapter::open(&path);
    }
}
