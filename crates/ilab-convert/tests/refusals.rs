//! What cannot be converted is refused by name, before anything is written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_base::cancel::Cancelled;
use ilab_convert::{ConvertError, OutputType, check, convert, lossless_type};
use ilab_testkit::tiny_llama;
use ilab_weights::config::ConfigError;
use ilab_weights::gguf::{GgufFile, TensorType};
use ilab_weights::safetensors::{Checkpoint, CheckpointError, FloatType, write};
use serde_json::{Value, json};

fn model() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama::write_hf(folder.path(), 0).unwrap();
    folder
}

fn edit(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

type Change = fn(&mut Value);

/// The error after a change to one of the files; nothing may have been written.
fn refused(file: &str, change: impl FnOnce(&mut Value)) -> ConvertError {
    let folder = model();
    edit(folder.path(), file, change);
    let out = tempfile::tempdir().unwrap();
    let result = convert(
        folder.path(),
        &out.path().join("m.gguf"),
        OutputType::F16,
        &mut |_| Ok(()),
    );
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
    result.unwrap_err()
}

#[test]
fn tokenizers_that_llama_cpp_cannot_run() {
    let changes: [(&str, Change); 5] = [
        ("the model", |tokenizer| {
            tokenizer["model"]["type"] = json!("WordPiece");
        }),
        ("the model", |tokenizer| {
            tokenizer["model"]["byte_fallback"] = json!(true);
        }),
        ("the normalizer", |tokenizer| {
            tokenizer["normalizer"] = json!({"type": "Lowercase"});
        }),
        ("the pre-tokenizer", |tokenizer| {
            tokenizer["pre_tokenizer"]["add_prefix_space"] = json!(true);
        }),
        ("the model option", |tokenizer| {
            tokenizer["model"]["ignore_merges"] = json!(true);
        }),
    ];
    for (expected, change) in changes {
        let error = refused("tokenizer.json", change);
        assert!(
            matches!(&error, ConvertError::UnsupportedTokenizer { part, .. } if *part == expected),
            "{error}"
        );
    }
}

#[test]
fn vocabularies_that_contradict_themselves() {
    let error = refused("tokenizer.json", |tokenizer| {
        tokenizer["model"]["vocab"]["new"] = json!(7);
    });
    assert!(
        matches!(error, ConvertError::DuplicateToken { id: 7, .. }),
        "{error}"
    );
    let error = refused("tokenizer.json", |tokenizer| {
        tokenizer["added_tokens"][0]["id"] = json!(u64::MAX);
    });
    assert!(
        matches!(error, ConvertError::TokenOutsideModel { id: u64::MAX, .. }),
        "{error}"
    );
    let error = refused("tokenizer.json", |tokenizer| {
        tokenizer["model"]["merges"] = json!([["a"]]);
    });
    assert!(matches!(error, ConvertError::Json { .. }), "{error}");
}

#[test]
fn a_model_that_would_never_stop() {
    let folder = model();
    edit(folder.path(), "tokenizer_config.json", |config| {
        config["eos_token"] = json!("nowhere")
    });
    let path = folder.path().join("m.gguf");
    let convert_again = || convert(folder.path(), &path, OutputType::F16, &mut |_| Ok(()));
    // config.json still names one.
    convert_again().unwrap();
    edit(folder.path(), "config.json", |config| {
        config["eos_token_id"] = json!(4_000_000)
    });
    assert!(matches!(
        convert_again(),
        Err(ConvertError::NoEndOfSequence { .. })
    ));
}

#[test]
fn architectures_and_tensors_that_are_not_llama() {
    let error = refused("config.json", |config| {
        config["model_type"] = json!("mamba");
    });
    assert!(
        matches!(error, ConvertError::Config(ConfigError::Unsupported { .. })),
        "{error}"
    );
    // One layer fewer: the second layer's tensors have no place.
    let error = refused("config.json", |config| {
        config["num_hidden_layers"] = json!(1)
    });
    assert!(
        matches!(error, ConvertError::UnknownTensor { .. }),
        "{error}"
    );
    let error = refused("config.json", |config| {
        config["num_hidden_layers"] = json!(3)
    });
    assert!(
        matches!(
            error,
            ConvertError::Checkpoint(CheckpointError::MissingTensor { .. })
        ),
        "{error}"
    );
    let error = refused("config.json", |config| {
        config["intermediate_size"] = json!(64)
    });
    assert!(
        matches!(
            error,
            ConvertError::Checkpoint(CheckpointError::Shape { .. })
        ),
        "{error}"
    );
}

/// Before weights exist, as before a training, the other files are checked alone.
#[test]
fn everything_but_the_weights_is_checked_without_them() {
    let folder = model();
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    check(folder.path()).unwrap();
    edit(folder.path(), "config.json", |config| {
        config["rope_scaling"] = json!({"rope_type": "llama3", "factor": 8.0});
    });
    assert!(matches!(
        check(folder.path()),
        Err(ConvertError::Config(ConfigError::Invalid {
            key: "low_freq_factor",
            ..
        }))
    ));
    edit(folder.path(), "config.json", |config| {
        config["rope_scaling"] = Value::Null;
    });
    edit(folder.path(), "tokenizer.json", |tokenizer| {
        tokenizer["normalizer"] = json!({"type": "Lowercase"});
    });
    assert!(matches!(
        check(folder.path()),
        Err(ConvertError::UnsupportedTokenizer { .. })
    ));
}

#[test]
fn a_cancelled_conversion_leaves_nothing() {
    let folder = model();
    let out = tempfile::tempdir().unwrap();
    let mut n_calls = 0;
    let result = convert(
        folder.path(),
        &out.path().join("m.gguf"),
        OutputType::F32,
        &mut |step| {
            assert_eq!(step.n_written, n_calls);
            n_calls += 1;
            if step.n_written == 5 {
                Err(Cancelled)
            } else {
                Ok(())
            }
        },
    );
    assert!(matches!(result, Err(ConvertError::Cancelled(_))));
    assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn a_bf16_checkpoint_keeps_every_weight() {
    let folder = model();
    assert_eq!(lossless_type(folder.path()).unwrap(), OutputType::F32);
    let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = {
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let names: Vec<String> = checkpoint.names().map(str::to_owned).collect();
        let read = |name: String| {
            let view = checkpoint.tensor(&name).unwrap();
            let values = view.to_f32().unwrap();
            (name.clone(), view.shape().to_vec(), values)
        };
        names.into_iter().map(read).collect()
    };
    let views: Vec<(String, Vec<usize>, &[f32])> = tensors
        .iter()
        .map(|(name, shape, values)| (name.clone(), shape.clone(), values.as_slice()))
        .collect();
    write(
        &folder.path().join("model.safetensors"),
        &views,
        FloatType::Bf16,
    )
    .unwrap();
    assert_eq!(lossless_type(folder.path()).unwrap(), OutputType::Bf16);

    let path = folder.path().join("m.gguf");
    convert(folder.path(), &path, OutputType::Bf16, &mut |_| Ok(())).unwrap();
    let file = GgufFile::open(path).unwrap();
    let name = "token_embd.weight";
    assert_eq!(file.tensor(name).unwrap().tensor_type, TensorType::BF16);
    let (_, _, values) = &tensors[tensors
        .iter()
        .position(|(name, _, _)| name == "model.embed_tokens.weight")
        .unwrap()];
    assert_eq!(
        file.read_tensor(name).unwrap(),
        FloatType::Bf16.encode(values)
    );
}
