//! GGUF files that lie, files cut in half, and files that come back as they were written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ilab_base::hint::Hint;
use ilab_weights::gguf::{
    Array, Defect, DefectKind, GgufError, GgufFile, GgufWriter, Header, Metadata, TensorInfo,
    TensorType, Value,
};
use proptest::prelude::*;

/// A file written by hand, so that any part of it can be wrong.
struct Bytes(Vec<u8>);

impl Bytes {
    fn new(n_tensors: u64, n_entries: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(3).u64(n_tensors).u64(n_entries)
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn text(self, text: &str) -> Self {
        self.u64(text.len() as u64).raw(text.as_bytes())
    }

    fn tensor(self, name: &str, dimensions: &[u64], type_id: u32, offset: u64) -> Self {
        let mut this = self.text(name).u32(dimensions.len() as u32);
        for dimension in dimensions {
            this = this.u64(*dimension);
        }
        this.u32(type_id).u64(offset)
    }

    /// Pads to where data begins and appends `length` bytes of it.
    fn data(mut self, length: usize) -> Self {
        let begin = self.0.len().next_multiple_of(32);
        self.0.resize(begin + length, 0);
        self
    }

    fn defect(&self) -> Defect {
        Header::parse(&self.0).expect_err("the file is malformed")
    }
}

const F32: u32 = 0;
const U32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

#[track_caller]
fn check(bytes: &Bytes, expected: &str) {
    assert_eq!(bytes.defect().to_string(), expected);
}

#[test]
fn beginnings_that_are_wrong() {
    check(
        &Bytes(b"PK\x03\x04".to_vec()),
        r"at byte 0: expected the magic bytes `GGUF`, got `PK\x03\x04`",
    );
    check(
        &Bytes(b"GG".to_vec()),
        "at byte 0: magic needs 4 bytes, but the file has 2 left",
    );
    check(
        &Bytes(Vec::new()),
        "at byte 0: magic needs 4 bytes, but the file has 0 left",
    );
    check(
        &Bytes(b"GGUF".to_vec()).u32(1),
        "at byte 4: expected version 2 or 3, got 1",
    );
    let big_endian = Bytes(b"GGUF".to_vec()).raw(&3_u32.to_be_bytes());
    assert_eq!(big_endian.defect().kind, DefectKind::BigEndian);
}

impl Bytes {
    fn with_unused(self) -> Self {
        self.raw(&[0; 64])
    }
}

#[test]
fn counts_and_lengths_that_lie() {
    check(
        &Bytes::new(u64::MAX, 0).with_unused(),
        "at byte 8: number of tensors is 18446744073709551615, but the 72 bytes left hold at most 3",
    );
    check(
        &Bytes::new(0, 1 << 40).with_unused(),
        "at byte 16: number of metadata entries is 1099511627776, but the 64 bytes left hold at most 4",
    );
    check(
        &Bytes::new(0, 1).u64(u64::MAX).with_unused(),
        "at byte 32: key needs 18446744073709551615 bytes, but the file has 64 left",
    );
    check(
        &Bytes::new(0, 1)
            .text("k")
            .u32(ARRAY)
            .u32(U32)
            .u64(1 << 62)
            .with_unused(),
        "at byte 41: array length is 4611686018427387904, but the 64 bytes left hold at most 16",
    );
    check(
        &Bytes::new(0, 1)
            .text("k")
            .u32(ARRAY)
            .u32(STRING)
            .u64(2)
            .u64(1 << 50)
            .with_unused(),
        "at byte 57: string needs 1125899906842624 bytes, but the file has 64 left",
    );
    let long_key = "k".repeat(70_000);
    check(
        &Bytes::new(0, 1).text(&long_key).u32(BOOL).raw(&[1]),
        "at byte 24: key has 70000 bytes, the limit is 65535",
    );
    let long_name = "t".repeat(64);
    check(
        &Bytes::new(1, 0).tensor(&long_name, &[1], F32, 0).data(4),
        "at byte 24: tensor name has 64 bytes, the limit is 63",
    );
}

#[test]
fn values_that_are_wrong() {
    let one = || Bytes::new(0, 1).text("k");
    check(
        &one().u32(13).with_unused(),
        "at byte 33: unknown value type 13, expected 0 to 12",
    );
    check(
        &one().u32(BOOL).raw(&[7]),
        "at byte 37: expected a boolean (0 or 1), got 7",
    );
    check(
        &one().u32(ARRAY).u32(BOOL).u64(2).raw(&[1, 2]),
        "at byte 50: expected a boolean (0 or 1), got 2",
    );
    check(
        &one().u32(STRING).u64(2).raw(&[0xff, 0xfe]),
        "at byte 37: string is not valid UTF-8",
    );
    check(
        &Bytes::new(0, 1).text("").u32(BOOL).raw(&[1]).with_unused(),
        "at byte 24: key is empty",
    );
    check(
        &Bytes::new(0, 2)
            .text("k")
            .u32(BOOL)
            .raw(&[1])
            .text("k")
            .u32(BOOL)
            .raw(&[1]),
        "at byte 38: the key `k` occurs twice",
    );
    let mut nested = one().u32(ARRAY);
    for _ in 0..1000 {
        nested = nested.u32(ARRAY).u64(1);
    }
    check(&nested, "at byte 85: arrays are nested more than 4 deep");
    let alignment = |value| {
        Bytes::new(0, 1)
            .text("general.alignment")
            .u32(U32)
            .u32(value)
    };
    for value in [0, 3, u32::MAX] {
        assert_eq!(
            alignment(value).defect().kind.to_string(),
            format!("`general.alignment` must be a power of two as u32, got U32({value})")
        );
    }
    assert!(Header::parse(&alignment(1 << 31).0).is_ok());
}

#[test]
fn tensors_that_are_wrong() {
    let one = |name, dimensions: &[u64], type_id, offset| {
        Bytes::new(1, 0).tensor(name, dimensions, type_id, offset)
    };
    check(
        &one("t", &[1, 1, 1, 1, 1], F32, 0).data(64),
        "at byte 24: tensor `t` has 5 dimensions, the limit is 4",
    );
    check(
        &one("t", &[4], 4, 0).data(64),
        "at byte 24: tensor `t` has the unknown type 4",
    );
    check(
        &one("t", &[48], 8, 0).data(64),
        "at byte 24: tensor `t` has rows of 48 values, expected a multiple of 32 for its type",
    );
    check(
        &one("t", &[1 << 40, 1 << 40], F32, 0).data(64),
        "at byte 24: tensor `t` with dimensions [1099511627776, 1099511627776] is too large to be real",
    );
    check(
        &one("t", &[1 << 32, 1 << 30], F32, 0).data(64),
        "at byte 24: tensor `t` with dimensions [4294967296, 1073741824] is too large to be real",
    );
    check(
        &one("t", &[4], F32, 32).data(64),
        "at byte 24: tensor `t` begins at data offset 32, expected 0",
    );
    check(
        &one("t", &[16], F32, 0).data(60),
        "at byte 24: tensor `t` ends at byte 128, but the file has 124",
    );
    let two = |second: &str, offset| {
        Bytes::new(2, 0)
            .tensor("a", &[4], F32, 0)
            .tensor(second, &[4], F32, offset)
            .data(64)
    };
    check(&two("a", 32), "at byte 57: the tensor `a` occurs twice");
    check(
        &two("b", 16),
        "at byte 57: tensor `b` begins at data offset 16, expected 32",
    );
    assert!(Header::parse(&two("b", 32).0).is_ok());
}

fn sample() -> GgufWriter {
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", "llama");
    metadata.insert(
        "tokens",
        Array::String(vec!["a".to_owned(), "é".to_owned()]),
    );
    metadata.insert(
        "nested",
        Array::Array(vec![Array::F64(vec![1.5]), Array::Bool(vec![true])]),
    );
    metadata.insert("count", Value::U64(7));
    let mut writer = GgufWriter::new(metadata);
    writer.push(TensorInfo::new("a", &[3, 2], TensorType::F32));
    writer.push(TensorInfo::new("b", &[32], TensorType::Q8_0));
    writer
}

fn write_sample(path: &std::path::Path) -> Result<(), GgufError> {
    sample().write(path, |tensor, sink| {
        let size = tensor.size_bytes().unwrap();
        for index in 0..size {
            sink.write(&[index as u8])?;
        }
        Ok(())
    })
}

#[test]
fn every_cut_of_a_file_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("whole.gguf");
    write_sample(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let header = Header::parse(&bytes).unwrap();
    let end = header.data_offset + header.tensors[1].offset + 34;
    for length in 0..end as usize {
        assert!(Header::parse(&bytes[..length]).is_err(), "{length}");
    }
    let cut = folder.path().join("cut.gguf");
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    let error = GgufFile::open(&cut).unwrap_err();
    assert!(error.to_string().contains("cut.gguf"));
    assert_eq!(
        error.hints(),
        ["the file is probably cut short: download or convert it again"]
    );
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    write_sample(&path).unwrap();
    let file = GgufFile::open(&path).unwrap();
    assert_eq!(file.header().version, 3);
    assert_eq!(file.metadata().unsigned("count"), Some(7));
    assert_eq!(file.metadata().len(), 4);
    assert_eq!(file.tensor("b").unwrap().offset, 32);
    assert_eq!(file.read_tensor("b").unwrap(), (0..34).collect::<Vec<u8>>());
    assert!(matches!(
        file.read_tensor("c"),
        Err(GgufError::NoSuchTensor { .. })
    ));
    assert_eq!(std::fs::metadata(&path).unwrap().len() % 32, 0);
}

#[test]
fn a_failed_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let short = sample().write(&path, |_, sink| sink.write(&[0]));
    assert!(matches!(
        short,
        Err(GgufError::TensorSize {
            expected: 24,
            got: 1,
            ..
        })
    ));
    let long = sample().write(&path, |_, sink| sink.write(&[0; 25]));
    assert!(matches!(
        long,
        Err(GgufError::TensorSize {
            expected: 24,
            got: 25,
            ..
        })
    ));
    let mut twice = sample();
    twice.push(TensorInfo::new("a", &[1], TensorType::F32));
    let invalid: Result<(), GgufError> = twice.write(&path, |_, _| Ok(()));
    assert!(matches!(
        invalid,
        Err(GgufError::InvalidHeader {
            kind: DefectKind::DuplicateTensor { .. },
            ..
        })
    ));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

fn array(depth: u32) -> BoxedStrategy<Array> {
    let leaf = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..5).prop_map(Array::U8),
        prop::collection::vec(any::<i16>(), 0..5).prop_map(Array::I16),
        prop::collection::vec(-1e30_f32..1e30, 0..5).prop_map(Array::F32),
        prop::collection::vec(any::<bool>(), 0..5).prop_map(Array::Bool),
        prop::collection::vec(any::<u64>(), 0..5).prop_map(Array::U64),
        prop::collection::vec(".{0,5}", 0..5).prop_map(Array::String),
    ];
    if depth == 0 {
        leaf.boxed()
    } else {
        let nested = prop::collection::vec(array(depth - 1), 0..3).prop_map(Array::Array);
        prop_oneof![4 => leaf, 1 => nested].boxed()
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<i64>().prop_map(Value::I64),
        (-1e300_f64..1e300).prop_map(Value::F64),
        ".{0,9}".prop_map(Value::String),
        array(2).prop_map(Value::Array),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Header::parse(&bytes);
        let mut file = Bytes::new(2, 3).0;
        file.extend(&bytes);
        let _ = Header::parse(&file);
    }

    #[test]
    fn a_changed_byte_never_panics(place in 0_usize..1000, byte in any::<u8>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        write_sample(&path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let place = place % bytes.len();
        bytes[place] = byte;
        let _ = Header::parse(&bytes);
    }

    #[test]
    fn metadata_comes_back(values in prop::collection::btree_map("[a-z.]{1,20}", value(), 0..8)) {
        // `general.alignment` has a meaning and so rules of its own.
        prop_assume!(!values.contains_key("general.alignment"));
        let mut metadata = Metadata::new();
        for (key, value) in values {
            metadata.insert(key, value);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let written: Result<(), GgufError> =
            GgufWriter::new(metadata.clone()).write(&path, |_, _| Ok(()));
        written.unwrap();
        let file = GgufFile::open(path).unwrap();
        prop_assert_eq!(file.metadata(), &metadata);
    }
}
