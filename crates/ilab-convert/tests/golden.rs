//! Every key and every tensor of tiny models against llama.cpp's own converter, in both directions.
//!
//! `goldens/convert/gen.py` made the file. Its sources' checksums are compared first, so that a change of the tiny models
//! shows as such.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;

use ilab_convert::{OutputType, convert};
use ilab_testkit::tiny_llama::{self, Family};
use ilab_testkit::tolerance::Tolerance;
use ilab_weights::gguf::{Array, GgufFile, Metadata, TensorType, Value, q8_0};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

fn families() -> Json {
    serde_json::from_str(include_str!("../../../goldens/convert/families.json")).unwrap()
}

fn golden() -> Json {
    serde_json::from_str(include_str!("../../../goldens/convert/tiny_llama.json")).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn check_sources(folder: &Path, golden: &Json) {
    let ours: BTreeMap<String, String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, sha256(&std::fs::read(entry.path()).unwrap()))
        })
        .collect();
    assert_eq!(json!(ours), *golden, "the tiny model changed: run gen.py");
}

/// A value as gen.py writes it.
fn described(value: &Value) -> Json {
    let (value_type, value) = match value {
        Value::U32(value) => ("UINT32", json!(value)),
        Value::F32(value) => ("FLOAT32", json!(f64::from(*value))),
        Value::Bool(value) => ("BOOL", json!(value)),
        Value::String(value) => ("STRING", json!(value)),
        Value::Array(Array::String(values)) => ("ARRAY/STRING", json!(values)),
        Value::Array(Array::I32(values)) => ("ARRAY/INT32", json!(values)),
        other => panic!("{other:?}"),
    };
    json!({"type": value_type, "value": value})
}

fn check_metadata(metadata: &Metadata, golden: &Json, file_type: &Json) {
    let mut ours: BTreeMap<&str, Json> = metadata
        .iter()
        .map(|(key, value)| (key, described(value)))
        .collect();
    assert!(ours.remove("general.name").is_some());
    let ours_file_type = ours.remove("general.file_type").unwrap();
    assert_eq!(&ours_file_type["value"], file_type);
    let golden: BTreeMap<&str, Json> = golden
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| (key.as_str(), value.clone()))
        .collect();
    let keys = |map: &BTreeMap<&str, Json>| map.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&golden));
    for (key, value) in &golden {
        assert_eq!(&ours[key], value, "{key}");
    }
}

fn check_tensors(file: &GgufFile, golden: &Json) {
    let golden = golden.as_object().unwrap();
    for (name, expected) in golden {
        let tensor = file
            .tensor(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(expected["type"], tensor.tensor_type.name(), "{name}");
        assert_eq!(expected["dimensions"], json!(tensor.dimensions), "{name}");
        let bytes = file.read_tensor(name).unwrap();
        if let Some(expected) = expected["values"].as_array() {
            check_values(&bytes, expected, name);
        } else {
            assert_eq!(expected["sha256"], sha256(&bytes), "{name}");
        }
    }
    assert_eq!(file.tensors().len(), golden.len());
}

fn check_values(bytes: &[u8], expected: &[Json], name: &str) {
    let (chunks, _) = bytes.as_chunks::<4>();
    let values: Vec<f64> = chunks
        .iter()
        .map(|chunk| f64::from(f32::from_le_bytes(*chunk)))
        .collect();
    let expected: Vec<f64> = expected
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect();
    // A power, two divisions and a blend, each rounded to f32: a few units in the last place.
    Tolerance::new(0.0, 4.0 * f64::from(f32::EPSILON)).assert_close(&values, &expected, name);
}

fn check_model(name: &str, write: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join(name);
    write(&source);
    let golden = &golden()["models"][name];
    check_sources(&source, &golden["sources"]);
    let types = golden["types"].as_object().unwrap();
    assert_eq!(types.len(), 4);
    for (type_name, expected) in types {
        let output_type = match type_name.as_str() {
            "f32" => OutputType::F32,
            "f16" => OutputType::F16,
            "bf16" => OutputType::Bf16,
            "q8_0" => OutputType::Q8_0,
            other => panic!("{other}"),
        };
        let path = folder.path().join(format!("{type_name}.gguf"));
        convert(&source, &path, output_type, &mut |_| Ok(())).unwrap();
        let file = GgufFile::open(path).unwrap();
        check_metadata(file.metadata(), &golden["metadata"], &expected["file_type"]);
        check_tensors(&file, &expected["tensors"]);
    }
}

#[test]
fn a_plain_model_becomes_what_upstream_makes_of_it() {
    check_model("plain", |folder| tiny_llama::write_hf(folder, 0).unwrap());
}

#[test]
fn a_model_like_llama3_becomes_what_upstream_makes_of_it() {
    check_model("like_llama3", |folder| {
        tiny_llama::write_hf_like_llama3(folder, 0).unwrap();
    });
}

/// What we write otherwise than upstream, taken out of a file's keys after a look at it: the window of a Mistral.
fn without_window(file: &GgufFile) -> Metadata {
    let mut metadata = Metadata::new();
    for (key, value) in file.metadata().iter() {
        match key {
            "llama.context_length" => {
                assert_eq!(*value, Value::U32(96));
                metadata.insert(key, Value::U32(512));
            }
            "llama.attention.sliding_window" => assert_eq!(*value, Value::U32(96)),
            _ => drop(metadata.insert(key, value.clone())),
        }
    }
    metadata
}

#[test]
fn every_family_becomes_what_upstream_makes_of_it() {
    let golden = families();
    for family in Family::ALL {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join(family.name());
        tiny_llama::write_hf_of(family, &source, 0).unwrap();
        let golden = &golden["models"][family.name()];
        check_sources(&source, &golden["sources"]);
        let path = folder.path().join("f16.gguf");
        convert(&source, &path, OutputType::F16, &mut |_| Ok(())).unwrap();
        let file = GgufFile::open(path).unwrap();
        let expected = &golden["types"]["f16"];
        let metadata = match family {
            Family::Mistral => without_window(&file),
            _ => file.metadata().clone(),
        };
        check_metadata(&metadata, &golden["metadata"], &expected["file_type"]);
        check_tensors(&file, &expected["tensors"]);
    }
}

#[test]
fn q8_0_blocks_are_those_of_upstream() {
    let golden = &golden()["q8_0"];
    let values: Vec<f32> = golden["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bits| f32::from_bits(u32::try_from(bits.as_u64().unwrap()).unwrap()))
        .collect();
    let mut blocks = Vec::new();
    q8_0::quantize(&values, &mut blocks);
    let hex: String = blocks.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, golden["blocks"].as_str().unwrap());
    assert_eq!(blocks.len() as u64 / TensorType::Q8_0.block_bytes(), 6);
    // A step is a 127th of the largest value; the outlier block has the coarsest.
    Tolerance::new(0.51 * 6e4 / 127.0, 0.0).assert_close(
        &q8_0::dequantize(&blocks),
        &values,
        "round trip",
    );
}
