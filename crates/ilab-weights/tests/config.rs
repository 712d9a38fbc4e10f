//! `config.json`: both spellings of rope, and what is refused by name.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ilab_weights::config::{ConfigError, ModelConfig};
use serde_json::{Value, json};

/// A small model with some keys changed; `null` takes a key out.
fn config(changes: Value) -> Value {
    let mut config = json!({
        "model_type": "llama", "vocab_size": 8, "hidden_size": 64, "intermediate_size": 8, "num_hidden_layers": 1,
        "num_attention_heads": 4, "head_dim": 32, "rms_norm_eps": 1e-5, "max_position_embeddings": 64,
        "tie_word_embeddings": true
    });
    let keys = config.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => keys.remove(key),
            value => keys.insert(key.clone(), value.clone()),
        };
    }
    config
}

fn read(config: &Value) -> Result<ModelConfig, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    ModelConfig::from_dir(folder.path())
}

fn llama3(name: &str) -> Value {
    json!({
        name: "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192
    })
}

/// What is refused, without the folder's name.
fn refused(changes: Value) -> String {
    let error = read(&config(changes)).unwrap_err().to_string();
    let (_, message) = error.split_once("config.json`: ").unwrap();
    message.to_owned()
}

#[test]
fn rope_parameters_of_transformers_5_are_read_and_written_back() {
    let mut parameters = llama3("rope_type");
    parameters["rope_theta"] = json!(500_000.0);
    let written = config(json!({"rope_parameters": parameters}));
    let read_config = read(&written).unwrap();
    assert_eq!(read_config.rope_theta, 500_000.0);
    assert_eq!(read_config.rope_type(), "llama3");
    assert_eq!(read_config.rope_scaling.as_ref().unwrap().factor, Some(8.0));
    assert_eq!(serde_json::to_value(&read_config).unwrap(), written);
}

#[test]
fn the_old_base_holds_where_rope_parameters_have_none() {
    let written =
        config(json!({"rope_theta": 1234.0, "rope_parameters": {"rope_type": "default"}}));
    let read_config = read(&written).unwrap();
    assert_eq!(read_config.rope_theta, 1234.0);
    assert_eq!(read_config.rope_type(), "default");
    assert_eq!(serde_json::to_value(&read_config).unwrap(), written);
}

#[test]
fn rope_scaling_is_written_as_it_was_read() {
    let mut both = llama3("rope_type");
    both["type"] = json!("llama3");
    both["attention_factor"] = json!(1.5);
    for scaling in [llama3("type"), llama3("rope_type"), both] {
        let written = config(json!({"rope_theta": 1e4, "rope_scaling": scaling}));
        let read_config = read(&written).unwrap();
        assert_eq!(read_config.rope_type(), "llama3");
        assert_eq!(serde_json::to_value(&read_config).unwrap(), written);
    }
}

#[test]
fn ropes_that_cannot_be_computed_are_refused() {
    for (changes, expected) in [
        (
            json!({"rope_parameters": {"rope_type": "yarn", "factor": 4.0}}),
            "`rope_type` is `yarn`; supported: default, llama3",
        ),
        (
            json!({"rope_scaling": {"rope_type": "llama3", "type": "linear", "factor": 2.0}}),
            "`rope_type` is llama3, expected what `type` is: linear",
        ),
        (
            json!({"rope_scaling": {"factor": 2.0}}),
            "`rope_type` is `null`; supported: default, llama3",
        ),
        (
            json!({"rope_parameters": {"full_attention": {"rope_theta": 1e6}}}),
            "`rope_type` is `null`; supported: default, llama3",
        ),
        (
            json!({"rope_theta": 0.0}),
            "`rope_theta` is 0, expected a finite number above 0",
        ),
    ] {
        assert_eq!(refused(changes), expected);
    }
}

#[test]
fn other_activations_are_refused_by_name() {
    assert_eq!(
        refused(json!({"hidden_act": "gelu"})),
        "`hidden_act` is `gelu`; supported: silu"
    );
    read(&config(json!({"hidden_act": "silu"}))).unwrap();
}

#[test]
fn absurd_sizes_are_refused_with_their_limit() {
    for (changes, expected) in [
        (
            json!({"num_hidden_layers": 5000}),
            "`num_hidden_layers` is 5000, expected a number from 1 to 4096",
        ),
        (
            json!({"head_dim": 1_000_000}),
            "`head_dim` is 1000000, expected a number from 1 to 65536",
        ),
        (
            json!({"vocab_size": u64::MAX}),
            "`vocab_size` is 18446744073709551615, expected a number from 1 to 16777216",
        ),
        (
            json!({"max_position_embeddings": 1_u64 << 40}),
            "`max_position_embeddings` is 1099511627776, expected a number from 1 to 1073741824",
        ),
        (
            json!({"num_key_value_heads": 3}),
            "`num_key_value_heads` is 3, expected a divisor of num_attention_heads",
        ),
        (
            json!({"head_dim": 7}),
            "`head_dim` is 7, expected an even number",
        ),
    ] {
        assert_eq!(refused(changes), expected);
    }
}

#[test]
fn architectures_differ_where_their_configurations_say_so() {
    let of = |changes: Value| read(&config(changes)).unwrap().architecture();
    let llama = of(json!({"embedding_multiplier": 12.0}));
    assert_eq!(llama.embedding_multiplier, 1.0);
    assert!((llama.attention_scale - 1.0 / 32f64.sqrt()).abs() < 1e-12);
    assert_eq!(
        (
            llama.has_query_key_value_bias,
            llama.has_head_norms,
            llama.sliding_window
        ),
        (false, false, None)
    );

    let granite = of(json!({
        "model_type": "granite", "embedding_multiplier": 12.0, "attention_multiplier": 0.0078125,
        "residual_multiplier": 0.22, "logits_scaling": 16.0
    }));
    assert_eq!(granite.embedding_multiplier, 12.0);
    assert_eq!(granite.attention_scale, 0.007_812_5);
    assert_eq!(granite.residual_multiplier, 0.22);
    assert_eq!(granite.logits_divisor, 16.0);

    assert_eq!(
        of(json!({"model_type": "mistral"})).sliding_window,
        Some(4096)
    );
    assert_eq!(
        of(json!({"model_type": "mistral", "sliding_window": 7})).sliding_window,
        Some(7)
    );
    assert!(of(json!({"model_type": "qwen2"})).has_query_key_value_bias);
    assert!(of(json!({"model_type": "qwen3"})).has_head_norms);
    let wide = read(&config(json!({"model_type": "qwen3", "head_dim": null}))).unwrap();
    assert_eq!(wide.head_dim(), 128);
}

#[test]
fn tensors_of_an_architecture_are_named() {
    let names = |model_type: &str| -> Vec<String> {
        let config = read(&config(json!({"model_type": model_type}))).unwrap();
        let tensors = ilab_weights::config::model_tensors(&config);
        tensors
            .into_iter()
            .map(|(name, shape)| format!("{name} {shape:?}"))
            .collect()
    };
    let plain = names("llama");
    assert_eq!(plain.len(), 11);
    let added = |model_type| -> Vec<String> {
        names(model_type)
            .into_iter()
            .filter(|name| !plain.contains(name))
            .collect()
    };
    assert_eq!(added("granite"), [""; 0]);
    assert_eq!(
        added("qwen2"),
        [
            "model.layers.0.self_attn.q_proj.bias [128]",
            "model.layers.0.self_attn.k_proj.bias [128]",
            "model.layers.0.self_attn.v_proj.bias [128]"
        ]
    );
    assert_eq!(
        added("qwen3"),
        [
            "model.layers.0.self_attn.q_norm.weight [32]",
            "model.layers.0.self_attn.k_norm.weight [32]"
        ]
    );
}

#[test]
fn what_an_architecture_would_compute_otherwise_is_refused() {
    for (changes, expected) in [
        (
            json!({"model_type": "mamba"}),
            "`model_type` is `mamba`; supported: llama, mistral, granite, qwen2, qwen3",
        ),
        (
            json!({"model_type": "qwen2", "use_sliding_window": true}),
            "`use_sliding_window` is `true`; supported: false",
        ),
        (
            json!({"model_type": "granite", "logits_scaling": 0.0}),
            "`logits_scaling` is 0.0, expected a finite number above 0",
        ),
        (
            json!({"model_type": "granite", "residual_multiplier": "x"}),
            "`residual_multiplier` is \"x\", expected a finite number above 0",
        ),
        (
            json!({"model_type": "mistral", "sliding_window": 0}),
            "`sliding_window` is 0, expected a number above 0, or null",
        ),
    ] {
        assert_eq!(refused(changes), expected);
    }
}
