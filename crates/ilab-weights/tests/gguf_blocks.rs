//! Blocks of every type that is read, against the values that gguf-py gives them: equal to the last bit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_weights::gguf::{GgufFile, TensorType, dequantize};

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
