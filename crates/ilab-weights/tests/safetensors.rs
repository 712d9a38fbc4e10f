//! Safetensors files whose headers lie: an error, never a panic or an allocation of the size that they claim.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ilab_weights::safetensors::{Checkpoint, CheckpointError};
use proptest::prelude::*;

/// A file of a length, a header and data.
fn file(length: u64, header: &str, n_bytes: usize) -> Vec<u8> {
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + n_bytes, 0);
    bytes
}

fn honest(header: &str, n_bytes: usize) -> Vec<u8> {
    file(header.len() as u64, header, n_bytes)
}

fn open(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
    Checkpoint::open(folder.path())
}

const GOOD: &str = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#;

#[test]
fn headers_that_lie_are_refused() {
    let checkpoint = open(&honest(GOOD, 12)).unwrap();
    assert_eq!(checkpoint.read_f32("a", &[2]).unwrap(), [0.0, 0.0]);

    let changed = |from: &str, to: &str| {
        assert!(GOOD.contains(from));
        honest(&GOOD.replace(from, to), 12)
    };
    for (what, bytes) in [
        ("an empty file", Vec::new()),
        ("no header", vec![1, 2, 3]),
        (
            "a header beyond the file",
            file(GOOD.len() as u64 + 13, GOOD, 12),
        ),
        ("a header of half the memory", file(1 << 40, GOOD, 12)),
        ("the longest header there is", file(u64::MAX, GOOD, 12)),
        (
            "a header that is cut off",
            file(GOOD.len() as u64 - 1, GOOD, 12),
        ),
        ("overlapping tensors", changed("[8,12]", "[4,8]")),
        ("a gap", honest(&GOOD.replace("[8,12]", "[12,16]"), 16)),
        ("a shape of more bytes", changed("[2]", "[3]")),
        ("a shape of fewer bytes", changed("[2]", "[1]")),
        (
            "a type of fewer bytes",
            changed(r#""F32","shape":[1]"#, r#""F16","shape":[1]"#),
        ),
        (
            "a product that overflows",
            changed("[2]", "[4294967296,4294967296,4294967296]"),
        ),
        ("offsets that run backwards", changed("[8,12]", "[12,8]")),
        (
            "offsets beyond the file",
            changed("[8,12]", "[8,1099511627776]"),
        ),
        ("a negative offset", changed("[8,12]", "[-8,12]")),
        (
            "a type that does not exist",
            changed(r#""F32","shape":[1]"#, r#""F33","shape":[1]"#),
        ),
        ("less data", honest(GOOD, 11)),
        ("more data", honest(GOOD, 13)),
    ] {
        let error = open(&bytes).expect_err(what);
        assert!(
            matches!(
                error,
                CheckpointError::Malformed { .. } | CheckpointError::Io(_)
            ),
            "{what}: {error}"
        );
    }
}

proptest! {
    #[test]
    fn no_change_of_bytes_makes_it_panic(
        changes in prop::collection::vec((0..GOOD.len() + 8, any::<u8>()), 1..6), length in 0..GOOD.len() + 20,
    ) {
        let mut bytes = honest(GOOD, 12);
        for (index, byte) in changes {
            bytes[index] = byte;
        }
        bytes.truncate(length);
        if let Ok(checkpoint) = open(&bytes) {
            let names: Vec<String> = checkpoint.names().map(str::to_owned).collect();
            for name in names {
                // Any shape may be asked for; what counts is that an answer comes.
                prop_assert!(checkpoint.read_f32(&name, &[usize::MAX]).is_err());
            }
        }
    }
}
