//! Quantised files as the source of weights: blocks of every type against the values that gguf-py gives them, equal to the last bit;
//! files that are cut or changed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::config::ModelConfig;
use ilab_weights::gguf::{
    GgufError, GgufFile, GgufWriter, Metadata, TensorInfo, TensorType, Value, dequantize,
};

#[test]
fn blocks_stand_for_what_upstream_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/weights/blocks.gguf");
    let file = GgufFile::open(path).unwrap();
    let quantised: Vec<_> = file
        .tensors()
        .iter()
        .filter(|tensor| tensor.tensor_type != TensorType::F32)
        .collect();
    assert_eq!(quantised.len(), 10);
    for tensor in quantised {
        assert_eq!(tensor.name, tensor.tensor_type.name());
        assert!(dequantize::is_supported(tensor.tensor_type));
        let mut values = Vec::new();
        dequantize::append(
            tensor.tensor_type,
            &file.read_tensor(&tensor.name).unwrap(),
            &mut values,
        );
        let expected = file
            .read_tensor(&format!("{}.values", tensor.name))
            .unwrap();
        let (expected, _) = expected.as_chunks();
        assert_eq!(values.len(), expected.len(), "{}", tensor.name);
        for (index, (value, expected)) in values.iter().zip(expected).enumerate() {
            let expected = f32::from_le_bytes(*expected);
            assert_eq!(*value, expected, "{} value {index}", tensor.name);
        }
    }
}

/// A small model of one layer whose matrices are Q4_0.
fn quantised_model(path: &Path) {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", "llama");
    for (key, value) in [
        ("block_count", 1),
        ("context_length", 32),
        ("embedding_length", 32),
        ("feed_forward_length", 32),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
    ] {
        metadata.insert(format!("llama.{key}"), Value::U32(value));
    }
    metadata.insert("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5));
    let mut writer = GgufWriter::new(metadata);
    for (name, rows, tensor_type) in [
        ("token_embd.weight", 5, TensorType::Q4_0),
        ("output_norm.weight", 0, TensorType::F32),
        ("blk.0.attn_q.weight", 32, TensorType::Q4_0),
        ("blk.0.attn_k.weight", 16, TensorType::Q4_0),
    ] {
        let dimensions = [32, rows];
        let rank = if rows == 0 { 1 } else { 2 };
        writer.push(TensorInfo::new(name, &dimensions[..rank], tensor_type));
    }
    let mut byte = 0_u8;
    writer
        .write::<GgufError>(path, |tensor, sink| {
            let n_bytes = tensor.size_bytes().unwrap_or_default();
            let bytes = (0..n_bytes).map(|_| {
                byte = byte.wrapping_mul(5).wrapping_add(7);
                // Half-precision numbers of all kinds, but neither infinite nor NaN.
                byte & 0x3f
            });
            sink.write(&bytes.collect::<Vec<u8>>())
        })
        .unwrap();
}

#[test]
fn rows_of_queries_come_back_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    quantised_model(&path);
    let config = ModelConfig::from_dir(&path).unwrap();
    assert_eq!((config.head_dim(), config.n_kv_heads()), (8, 2));
    assert!(config.tie_word_embeddings);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let name = "model.layers.0.self_attn.k_proj.weight";
    let values = checkpoint.read_f32(name, &[16, 32]).unwrap();
    let file = GgufFile::open(&path).unwrap();
    let mut stored = Vec::new();
    let bytes = file.read_tensor("blk.0.attn_k.weight").unwrap();
    dequantize::append(TensorType::Q4_0, &bytes, &mut stored);
    // Heads of 8 rows: the first half's alternate with the second half's.
    let order = [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15];
    for (row, stored_row) in order.into_iter().enumerate() {
        assert_eq!(
            values[row * 32..][..32],
            stored[stored_row * 32..][..32],
            "{row}"
        );
    }
}

#[test]
fn cuts_are_refused_and_no_changed_byte_makes_it_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    quantised_model(&path);
    let original = std::fs::read(&path).unwrap();
    let header = original.len() - 800;
    for length in (0..original.len() - 32).step_by(11) {
        std::fs::write(&path, &original[..length]).unwrap();
        assert!(Checkpoint::open(&path).is_err(), "{length}");
    }
    for at in 0..header {
        for value in [1, 0xff] {
            let mut bytes = original.clone();
            bytes[at] = value;
            std::fs::write(&path, bytes).unwrap();
            // Other sizes and names may make another model; what counts is that an answer comes.
            let _ = ModelConfig::from_dir(&path);
            let Ok(checkpoint) = Checkpoint::open(&path) else {
                continue;
            };
            for name in checkpoint.names() {
                let _ = checkpoint.tensor(name).unwrap().to_f32();
            }
        }
    }
}
