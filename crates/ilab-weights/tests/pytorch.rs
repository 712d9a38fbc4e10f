//! PyTorch's files: what torch.save wrote is read as PyTorch reads it; what would run code, or lies, is refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use half::bf16;
use ilab_base::hint::Hint;
use ilab_weights::checkpoint::{Checkpoint, CheckpointError};
use ilab_weights::pytorch::{PickleDefect, TorchDefect};
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../goldens/weights/torch")
        .join(name)
}

fn values(group: &str) -> Value {
    let text = std::fs::read_to_string(golden("values.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[group].clone()
}

fn numbers(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().unwrap().iter();
    numbers
        .map(|number| number.as_f64().unwrap() as f32)
        .collect()
}

fn check(file: &str, group: &str, n_others: usize) {
    let checkpoint = Checkpoint::open(&golden(file)).unwrap();
    let expected = values(group);
    let expected = expected.as_object().unwrap();
    for (name, tensor) in expected {
        let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
        let read = checkpoint.read_f32(name, &shape).unwrap();
        assert_eq!(read, numbers(&tensor["values"]), "{name}");
    }
    assert_eq!(checkpoint.names().count(), expected.len() + n_others);
}

#[test]
fn every_layout_gives_the_values_that_pytorch_gives() {
    check("layouts.bin", "layouts", 1);
    check("module.bin", "module", 0);
}

#[test]
fn whole_numbers_are_refused_only_when_they_are_asked_for() {
    let checkpoint = Checkpoint::open(&golden("layouts.bin")).unwrap();
    let error = checkpoint.read_f32("whole_numbers", &[3]).unwrap_err();
    assert!(error.to_string().contains("of type I64"), "{error}");
}

#[test]
fn brain_floats_are_not_copied() {
    let checkpoint = Checkpoint::open(&golden("layouts.bin")).unwrap();
    let expected = values("layouts");
    for (name, shape, is_borrowed) in [
        ("brain", &[4, 6][..], true),
        ("brain_row", &[6], true),
        ("plain", &[4, 6], false),
        ("transposed", &[6, 4], false),
    ] {
        let read = checkpoint.read_bf16(name, shape).unwrap();
        assert_eq!(matches!(read, std::borrow::Cow::Borrowed(_)), is_borrowed);
        let rounded: Vec<bf16> = numbers(&expected[name]["values"])
            .into_iter()
            .map(bf16::from_f32)
            .collect();
        assert_eq!(read, rounded, "{name}");
    }
}

fn defect(path: &Path) -> TorchDefect {
    match Checkpoint::open(path).unwrap_err() {
        CheckpointError::Torch { source, .. } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn what_is_no_state_dictionary_is_refused_by_name() {
    let nested = defect(&golden("nested.bin"));
    assert_eq!(
        nested.to_string(),
        "it holds a dictionary where a tensor is expected"
    );
    let module = defect(&golden("whole_module.bin"));
    assert_eq!(
        module.to_string(),
        "at byte 2 of data.pkl: it names `torch.nn.modules.container.Sequential`, which is no part of a state dictionary \
         and is not run"
    );
    let legacy = defect(&golden("legacy.bin"));
    assert_eq!(legacy.to_string(), "it was written by PyTorch before 1.6");
    assert!(legacy.hints()[0].contains("save the state dictionary again"));
}

/// A file with something changed in it.
fn changed(file: &str, change: impl FnOnce(&mut Vec<u8>)) -> Result<Checkpoint, CheckpointError> {
    let mut bytes = std::fs::read(golden(file)).unwrap();
    change(&mut bytes);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    std::fs::write(&path, bytes).unwrap();
    Checkpoint::open(folder.path())
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from);
    bytes[at.unwrap()..][..to.len()].copy_from_slice(to);
}

#[test]
fn a_name_that_would_be_run_is_refused() {
    let error = changed("module.bin", |bytes| {
        replace(
            bytes,
            b"collections\nOrderedDict",
            b"os\nsystem##############",
        );
    });
    let Err(CheckpointError::Torch { source, .. }) = error else {
        panic!("{error:?}");
    };
    assert!(
        matches!(&source, TorchDefect::Pickle(PickleDefect::Global { name, .. }) if name.starts_with("os.system")),
        "{source}"
    );
    assert!(source.hints()[0].contains("do not load it in Python either"));
}

#[test]
fn shapes_beyond_their_storage_are_refused() {
    // plain: offset 0, shape (4, 6), strides (6, 1), as BININT1 instructions.
    let tensor = b"K\x00K\x04K\x06\x86q";
    for (to, what) in [
        (b"K\x01K\x04K\x06\x86q", "an offset too far"),
        (b"K\x00K\x05K\x06\x86q", "a row too many"),
        (b"K\x00K\xffK\xff\x86q", "sizes far beyond"),
    ] {
        let error = changed("layouts.bin", |bytes| replace(bytes, tensor, to));
        assert!(
            matches!(
                error,
                Err(CheckpointError::Torch {
                    source: TorchDefect::Outside { .. },
                    ..
                })
            ),
            "{what}"
        );
    }
    let endless = changed("layouts.bin", |bytes| {
        replace(bytes, b"K\x06K\x01\x86q", b"K\x00K\x00\x86q");
        replace(bytes, tensor, b"K\x00K\xffK\xff\x86q");
    });
    assert!(endless.is_err(), "strides of zero repeat without end");
}

#[test]
fn cuts_are_refused_and_no_changed_byte_makes_it_panic() {
    let original = std::fs::read(golden("module.bin")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.bin");
    for length in (0..original.len()).step_by(13) {
        std::fs::write(&path, &original[..length]).unwrap();
        assert!(Checkpoint::open(&path).is_err(), "{length}");
    }
    for at in (0..original.len()).step_by(3) {
        for value in [b'(', 0xff] {
            let mut bytes = original.clone();
            bytes[at] = value;
            std::fs::write(&path, bytes).unwrap();
            let Ok(checkpoint) = Checkpoint::open(&path) else {
                continue;
            };
            for name in checkpoint.names() {
                let tensor = checkpoint.tensor(name).unwrap();
                // A value may have changed, or the type to one that is not read.
                let _ = tensor.to_f32();
            }
        }
    }
}

#[test]
fn an_index_names_the_files_and_every_tensor_has_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |from: &str, to: &str| {
        std::fs::copy(golden(from), folder.path().join(to)).unwrap();
    };
    copy("layouts.bin", "pytorch_model-00001-of-00002.bin");
    copy("module.bin", "pytorch_model-00002-of-00002.bin");
    copy("module.bin", "optimizer.bin");
    let write_index = |map: Value| {
        let index = serde_json::json!({"metadata": {}, "weight_map": map});
        let path = folder.path().join("pytorch_model.bin.index.json");
        std::fs::write(path, index.to_string()).unwrap();
    };
    write_index(serde_json::json!({
        "plain": "pytorch_model-00001-of-00002.bin", "0.weight": "pytorch_model-00002-of-00002.bin"
    }));
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.names().count(), 11 + 4);

    write_index(serde_json::json!({"gone": "pytorch_model-00001-of-00002.bin"}));
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(matches!(&error, CheckpointError::MissingTensor { name, .. } if name == "gone"));

    write_index(serde_json::json!({"plain": "../elsewhere.bin"}));
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(matches!(error, CheckpointError::IndexOutside { .. }));

    write_index(serde_json::json!({
        "plain": "pytorch_model-00002-of-00002.bin", "0.weight": "optimizer.bin"
    }));
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(matches!(error, CheckpointError::Twice { .. }), "{error}");
}
