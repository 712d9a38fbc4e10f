//! Other sources than a folder of safetensors: GGUF files, PyTorch's files, adapters. What comes out is held against the direct way.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use ilab_convert::{OutputType, Source, convert, convert_source, lossless_type, write_folder};
use ilab_testkit::tiny_llama::{self, Family};
use ilab_weights::adapter::Adapter;
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::gguf::{GgufFile, GgufWriter, Metadata, Value};
use ilab_weights::gguf_model::{TokenizerError, write_tokenizer};
use serde_json::json;

fn gguf_of(folder: &Path, output_type: OutputType) -> PathBuf {
    let path = folder.with_extension("gguf");
    convert(folder, &path, output_type, &mut |_| Ok(())).unwrap();
    path
}

/// All models: plain, like Llama 3, and the families.
fn models(folder: &Path) -> Vec<PathBuf> {
    let plain = folder.join("plain");
    tiny_llama::write_hf(&plain, 3).unwrap();
    let llama3 = folder.join("llama3");
    tiny_llama::write_hf_like_llama3(&llama3, 3).unwrap();
    let mut models = vec![plain, llama3];
    for family in Family::ALL {
        let path = folder.join(family.name());
        tiny_llama::write_hf_of(family, &path, 3).unwrap();
        models.push(path);
    }
    models
}

fn assert_same_model(one: &Path, other: &Path) {
    let (one, other) = (GgufFile::open(one).unwrap(), GgufFile::open(other).unwrap());
    let keys = |file: &GgufFile| -> Vec<(String, Value)> {
        let named = file.metadata().iter();
        named
            .map(|(key, value)| (key.to_owned(), value.clone()))
            .collect()
    };
    let (ours, theirs) = (keys(&one), keys(&other));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(one.tensors(), other.tensors());
    for tensor in one.tensors() {
        assert_eq!(
            one.read_tensor(&tensor.name).unwrap(),
            other.read_tensor(&tensor.name).unwrap(),
            "{}",
            tensor.name
        );
    }
}

#[test]
fn a_gguf_file_gives_the_model_that_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    for model in models(folder.path()) {
        let gguf = gguf_of(&model, OutputType::F32);
        let (config, read) = (
            ModelConfig::from_dir(&model).unwrap(),
            ModelConfig::from_dir(&gguf).unwrap(),
        );
        assert_eq!(read.model_type, config.model_type);
        assert_eq!(
            read.architecture().sliding_window,
            config.architecture().sliding_window
        );
        assert_eq!(model_tensors(&read), model_tensors(&config));
        for (ours, theirs) in [
            (read.rms_norm_eps, config.rms_norm_eps),
            (read.rope_theta, config.rope_theta),
            (
                read.architecture().embedding_multiplier,
                config.architecture().embedding_multiplier,
            ),
            (
                read.architecture().attention_scale,
                config.architecture().attention_scale,
            ),
            (
                read.architecture().residual_multiplier,
                config.architecture().residual_multiplier,
            ),
            (
                read.architecture().logits_divisor,
                config.architecture().logits_divisor,
            ),
        ] {
            assert_eq!(ours, theirs, "{}", model.display());
        }
        assert_eq!(
            read.llama3_factors(&gguf).unwrap(),
            config.llama3_factors(&model).unwrap()
        );
        let (stored, direct) = (
            Checkpoint::open(&gguf).unwrap(),
            Checkpoint::open(&model).unwrap(),
        );
        for (name, shape) in model_tensors(&config) {
            assert_eq!(
                stored.read_f32(&name, &shape).unwrap(),
                direct.read_f32(&name, &shape).unwrap(),
                "{name}"
            );
        }
        // And once more: the file from the file is the file, and so is the one with the tokenizer written out between.
        assert_eq!(lossless_type(&gguf).unwrap(), OutputType::F32);
        let again = folder.path().join("again").join(gguf.file_name().unwrap());
        convert(&gguf, &again, OutputType::F32, &mut |_| Ok(())).unwrap();
        assert_same_model(&again, &gguf);
        let tokenizer = folder.path().join("tokenizer");
        write_tokenizer(&GgufFile::open(&gguf).unwrap(), &tokenizer).unwrap();
        let source = Source {
            tokenizer: Some(&tokenizer),
            ..Source::model(&gguf)
        };
        convert_source(&source, &again, OutputType::F32, &mut |_| Ok(())).unwrap();
        assert_same_model(&again, &gguf);
    }
}

#[test]
fn a_folder_written_from_a_gguf_file_is_the_model_again() {
    let folder = tempfile::tempdir().unwrap();
    for model in models(folder.path()) {
        let gguf = gguf_of(&model, OutputType::Bf16);
        let written = folder
            .path()
            .join("written")
            .join(model.file_name().unwrap());
        write_folder(&Source::model(&gguf), &written, &mut |_| Ok(())).unwrap();
        // Named as before, so that the GGUF file made of it has the same name inside.
        let again = folder.path().join("again.gguf");
        convert(&written, &again, OutputType::Bf16, &mut |_| Ok(())).unwrap();
        assert_same_model(&again, &gguf);
        assert_eq!(lossless_type(&written).unwrap(), OutputType::Bf16);
    }
}

#[test]
fn what_was_quantised_becomes_f16_and_a_folder_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("tiny");
    tiny_llama::write_hf(&model, 3).unwrap();
    std::fs::write(model.join("generation_config.json"), "{}").unwrap();
    let gguf = gguf_of(&model, OutputType::Q8_0);
    let written = folder.path().join("written");
    write_folder(&Source::model(&gguf), &written, &mut |_| Ok(())).unwrap();
    assert_eq!(lossless_type(&written).unwrap(), OutputType::F16);

    write_folder(&Source::model(&model), &written, &mut |_| Ok(())).unwrap();
    let names = |folder: &Path| -> Vec<String> {
        let entries = ilab_base::io::read_dir_sorted(folder).unwrap();
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        entries.into_iter().map(name).collect()
    };
    assert_eq!(names(&written), names(&model));
    for name in ["config.json", "tokenizer.json", "generation_config.json"] {
        let content = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
        assert_eq!(content(&written), content(&model), "{name}");
    }
    let (one, other) = (
        Checkpoint::open(&written).unwrap(),
        Checkpoint::open(&model).unwrap(),
    );
    for (name, shape) in model_tensors(&ModelConfig::from_dir(&model).unwrap()) {
        let values = |checkpoint: &Checkpoint| checkpoint.read_f32(&name, &shape).unwrap();
        assert_eq!(values(&one), values(&other), "{name}");
    }
}

/// A copy of a GGUF file's header with one key changed; tensors are left out.
fn with_key(gguf: &Path, key: &str, value: Option<Value>) -> tempfile::TempDir {
    let file = GgufFile::open(gguf).unwrap();
    let mut metadata = Metadata::new();
    for (name, old) in file.metadata().iter() {
        match (name == key, &value) {
            (true, None) => {}
            (true, Some(new)) => drop(metadata.insert(name, new.clone())),
            (false, _) => drop(metadata.insert(name, old.clone())),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let mut writer = GgufWriter::new(metadata);
    for tensor in file.tensors() {
        writer.push(tensor.clone());
    }
    writer
        .write::<ilab_weights::gguf::GgufError>(&folder.path().join("m.gguf"), |tensor, sink| {
            sink.write(&file.read_tensor(&tensor.name)?)
        })
        .unwrap();
    folder
}

#[test]
fn a_gguf_file_that_says_too_little_is_refused_by_key() {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama::write_hf_like_llama3(&folder.path().join("tiny"), 3).unwrap();
    let gguf = gguf_of(&folder.path().join("tiny"), OutputType::F32);
    let refused = |key, value| -> String {
        let changed = with_key(&gguf, key, value);
        let path = changed.path().join("m.gguf");
        let error = ModelConfig::from_dir(&path).unwrap_err().to_string();
        error.replace(&path.display().to_string(), "m.gguf")
    };
    assert_eq!(
        refused("llama.embedding_length", None),
        "`m.gguf` says nothing usable under `llama.embedding_length`"
    );
    assert_eq!(
        refused("general.architecture", Some(Value::from("mamba"))),
        "`m.gguf` says nothing usable under `mamba.attention.head_count`"
    );
    assert_eq!(
        refused("llama.block_count", Some(Value::U32(u32::MAX))),
        "`m.gguf`: `num_hidden_layers` is 4294967295, expected a number from 1 to 4096"
    );
    assert_eq!(
        refused("llama.rope.dimension_count", Some(Value::U32(16))),
        "`m.gguf`: `rope.dimension_count` is `16`; supported: the width of a head"
    );
    assert_eq!(
        refused("llama.rope.freq_base", Some(Value::F32(1e4))),
        "`m.gguf`: `rope_freqs.weight` is `[1.0, 1.0, 1.0, 1.0], …`; supported: the scaling of Llama 3.1 to 3.3"
    );
}

#[test]
fn tokenizers_that_tokenizer_json_cannot_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama::write_hf(&folder.path().join("tiny"), 3).unwrap();
    let gguf = gguf_of(&folder.path().join("tiny"), OutputType::F32);
    let refused = |key, value| {
        let changed = with_key(&gguf, key, value);
        let file = GgufFile::open(changed.path().join("m.gguf")).unwrap();
        let error = write_tokenizer(&file, changed.path()).unwrap_err();
        assert_eq!(ilab_base::hint::Hint::hints(&error).len(), 1);
        assert!(!changed.path().join("tokenizer.json").exists());
        error
    };
    assert!(matches!(
        refused("tokenizer.ggml.model", Some(Value::from("llama"))),
        TokenizerError::Model { model, .. } if model == "llama"
    ));
    assert!(matches!(
        refused("tokenizer.ggml.pre", Some(Value::from("tekken"))),
        TokenizerError::PreTokenizer { pre, .. } if pre == "tekken"
    ));
    for key in [
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.token_type",
        "tokenizer.ggml.merges",
    ] {
        assert!(matches!(
            refused(key, None),
            TokenizerError::Key { key: named, .. } if named == key
        ));
    }
}

#[test]
fn an_adapter_is_merged_on_the_way() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/weights/peft");
    let folder = tempfile::tempdir().unwrap();
    // The golden model has no tokenizer; the tiny one's tokens do not matter here.
    let model = folder.path().join("model");
    std::fs::create_dir(&model).unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(golden.join("base").join(name), model.join(name)).unwrap();
    }
    let merged = folder.path().join("merged");
    std::fs::create_dir(&merged).unwrap();
    std::fs::copy(model.join("config.json"), merged.join("config.json")).unwrap();
    std::fs::copy(
        golden.join("merged.safetensors"),
        merged.join("model.safetensors"),
    )
    .unwrap();
    let tokenizer = json!({
        "added_tokens": [{"id": 2, "content": "</s>", "special": true}],
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
        "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}
    });
    for folder in [&model, &merged] {
        std::fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        let config = json!({"eos_token": "</s>"}).to_string();
        std::fs::write(folder.join("tokenizer_config.json"), config).unwrap();
    }
    let adapter = Adapter::open(&golden.join("adapter")).unwrap();
    let path = folder.path().join("ours.gguf");
    let source = Source {
        adapter: Some(&adapter),
        ..Source::model(&model)
    };
    convert_source(&source, &path, OutputType::F32, &mut |_| Ok(())).unwrap();
    let expected = GgufFile::open(gguf_of(&merged, OutputType::F32)).unwrap();
    let ours = GgufFile::open(path).unwrap();
    let mut n_differing = 0;
    for tensor in expected.tensors() {
        let values = |file: &GgufFile| -> Vec<f32> {
            let bytes = file.read_tensor(&tensor.name).unwrap();
            let (chunks, _) = bytes.as_chunks();
            chunks
                .iter()
                .map(|chunk| f32::from_le_bytes(*chunk))
                .collect()
        };
        for (ours, expected) in values(&ours).iter().zip(values(&expected)) {
            let is_close = (ours - expected).abs() <= 4.0 * f32::EPSILON;
            assert!(is_close, "{}: {ours} and {expected}", tensor.name);
            n_differing += usize::from(*ours != 0.0);
        }
    }
    assert!(n_differing > 1000);
}
