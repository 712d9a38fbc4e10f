//! Files that would end the process if llama.cpp saw them.

use std::path::Path;

use ilab_infer::{Engine, EngineError, EngineOptions};
use ilab_weights::gguf::{GgufFile, GgufWriter, Header, Metadata, Value};

use super::{MODEL, complete, request};

fn load(path: &Path) -> Result<Engine, EngineError> {
    Engine::load(EngineOptions::new(path))
}

/// The message with its causes; the folder is replaced by `…`.
fn message(path: &Path) -> String {
    let error = load(path).unwrap_err();
    let mut message = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        message += &format!(": {cause}");
        source = cause.source();
    }
    message.replace(&path.parent().unwrap().display().to_string(), "…")
}

fn load_bytes(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    message(&path)
}

/// The tiny model with other metadata.
fn load_with(change: impl FnOnce(&mut Metadata)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let original = GgufFile::open(&*MODEL).unwrap();
    let mut metadata = original.metadata().clone();
    change(&mut metadata);
    let mut writer = GgufWriter::new(metadata);
    for tensor in original.tensors() {
        writer.push(tensor.clone());
    }
    writer
        .write::<ilab_weights::gguf::GgufError>(&path, |tensor, sink| {
            sink.write(&original.read_tensor(&tensor.name)?)
        })
        .unwrap();
    match load(&path) {
        Ok(engine) => {
            // What the model answers, if anything, is of no interest: it must come back.
            let _ = complete(&engine, request("Hello", |_| {}));
            "loaded".to_owned()
        }
        Err(_) => message(&path),
    }
}

#[test]
fn what_is_not_a_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.gguf");
    assert_eq!(
        message(&missing),
        "cannot open `…/missing.gguf`: No such file or directory (os error 2)"
    );
    let directory = folder.path().join("directory.gguf");
    std::fs::create_dir(&directory).unwrap();
    assert_eq!(
        message(&directory),
        "the model `…/directory.gguf` is not a regular file"
    );
}

#[test]
fn other_formats_are_refused() {
    for (bytes, expect) in [
        (&b""[..], "needs 4 bytes, but the file has 0 left"),
        (b"GGUF", "needs 4 bytes"),
        (b"PK\x03\x04 and more of a zip archive", "magic"),
        (b"GGUF\x63\0\0\0 and more of the future", "version"),
    ] {
        let got = load_bytes(bytes);
        assert!(
            got.starts_with("`…/model.gguf` is not a usable GGUF file: ") && got.contains(expect),
            "{got}"
        );
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let bytes = std::fs::read(&*MODEL).unwrap();
    let n_header = usize::try_from(Header::parse(&bytes).unwrap().data_offset).unwrap();
    let cuts =
        (0..16)
            .map(|idx| idx * n_header / 16)
            .chain([n_header, bytes.len() / 2, bytes.len() - 1]);
    for cut in cuts {
        let got = load_bytes(&bytes[..cut]);
        assert!(got.contains("is not a usable GGUF file"), "{cut}: {got}");
    }
}

#[test]
fn absurd_counts_are_an_error() {
    let bytes = std::fs::read(&*MODEL).unwrap();
    // The counts of tensors and of metadata entries stand at bytes 8 and 16.
    for start in [8, 16] {
        for count in [u64::MAX, 1 << 40, 1 << 31] {
            let mut bytes = bytes.clone();
            bytes[start..start + 8].copy_from_slice(&count.to_le_bytes());
            let got = load_bytes(&bytes);
            assert!(got.contains("is not a usable GGUF file"), "{count}: {got}");
        }
    }
}

#[test]
fn bytes_changed_anywhere_in_the_header_never_end_the_process() {
    let bytes = std::fs::read(&*MODEL).unwrap();
    let n_header = usize::try_from(Header::parse(&bytes).unwrap().data_offset).unwrap();
    for step in 0..200 {
        let mut bytes = bytes.clone();
        let place = step * 7919 % n_header;
        bytes[place] ^= [0x01, 0x80, 0xFF, 0x10][step % 4];
        // Most changes make a text wrong that nobody reads; what counts is that this test comes to its end.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        std::fs::write(&path, &bytes).unwrap();
        let _ = load(&path).map(|_| ());
    }
}

/// Makes a metadata value from a number.
type OfType = fn(u32) -> Value;

/// Numbers that the tiny model does not have and others do.
const OPTIONAL_NUMBERS: [(&str, OfType); 19] = [
    ("llama.attention.causal", flag),
    ("llama.attention.clamp_kqv", fraction),
    ("llama.attention.scale", fraction),
    ("llama.attention.sliding_window", Value::U32),
    ("llama.embedding_length_out", Value::U32),
    ("llama.embedding_scale", fraction),
    ("llama.expert_count", Value::U32),
    ("llama.expert_group_count", Value::U32),
    ("llama.expert_group_used_count", Value::U32),
    ("llama.expert_used_count", Value::U32),
    ("llama.nextn_predict_layers", Value::U32),
    ("llama.pooling_type", Value::U32),
    ("llama.residual_scale", fraction),
    ("llama.rope.scaling.factor", fraction),
    ("llama.rope.scaling.original_context_length", Value::U32),
    ("tokenizer.ggml.add_eos_token", flag),
    ("tokenizer.ggml.eot_token_id", Value::U32),
    ("tokenizer.ggml.token_type_count", Value::U32),
    ("tokenizer.ggml.unknown_token_id", Value::U32),
];

fn flag(number: u32) -> Value {
    Value::Bool(number.is_multiple_of(2))
}

fn fraction(number: u32) -> Value {
    Value::F32(f32::from_bits(number))
}

#[test]
fn numbers_changed_anywhere_never_end_the_process() {
    let original = GgufFile::open(&*MODEL).unwrap();
    let numbers = original.metadata().iter().filter_map(|(key, value)| {
        let of_same_type: OfType = match value {
            Value::U32(_) => Value::U32,
            Value::F32(_) => fraction,
            Value::Bool(_) => flag,
            _ => return None,
        };
        Some((key, of_same_type))
    });
    let numbers: Vec<_> = numbers.chain(OPTIONAL_NUMBERS).collect();
    assert!(numbers.len() > 10 + OPTIONAL_NUMBERS.len());
    for (key, of_type) in numbers {
        for number in [0, 1, 3, 48, 1 << 16, 0x7FFF_FFFF, 0x8000_0000, u32::MAX] {
            println!("{key} {number}");
            load_with(|metadata| {
                metadata.insert(key, of_type(number));
            });
        }
    }
}

#[test]
fn asserted_properties_are_checked_before() {
    assert_eq!(load_with(|_| {}), "loaded");
    let prefix = "`…/model.gguf` is not a usable language model: ";
    let cases: [(&str, Value, &str); 8] = [
        (
            "llama.block_count",
            Value::U32(100_000),
            "`llama.block_count` is 100000, expected 1 to 512",
        ),
        (
            "llama.block_count",
            Value::U32(0),
            "`llama.block_count` is 0, expected 1 to 512",
        ),
        (
            "llama.expert_count",
            Value::U32(5000),
            "`llama.expert_count` is 5000, expected 0 to 1024",
        ),
        (
            "llama.expert_used_count",
            Value::U32(2),
            "`llama.expert_used_count` is 2, expected 0 to 0",
        ),
        (
            "llama.expert_count",
            Value::U32(8),
            "the metadata has no usable `llama.expert_used_count`",
        ),
        (
            "llama.attention.layer_norm_rms_epsilon",
            Value::F32(f32::NAN),
            "`llama.attention.layer_norm_rms_epsilon` is NaN, \
             expected a finite number, and for an epsilon one that is not negative",
        ),
        (
            "llama.rope.scaling.type",
            Value::String("bent".to_owned()),
            "`llama.rope.scaling.type` is `bent`, expected one of none, linear, yarn, longrope",
        ),
        (
            "tokenizer.ggml.model",
            Value::String("none".to_owned()),
            "the file has no vocabulary",
        ),
    ];
    for (key, value, expect) in cases {
        let got = load_with(|metadata| {
            metadata.insert(key, value);
        });
        assert_eq!(got, format!("{prefix}{expect}"));
    }
}

#[test]
fn vocabularies_that_cannot_be_are_refused() {
    use ilab_weights::gguf::Array;
    let with_tokens = |change: fn(&mut Vec<String>)| {
        load_with(|metadata| {
            let tokens = metadata.array("tokenizer.ggml.tokens");
            let mut tokens = tokens.and_then(Array::as_strings).unwrap().to_vec();
            change(&mut tokens);
            let tokens = Value::Array(Array::String(tokens));
            metadata.insert("tokenizer.ggml.tokens", tokens);
        })
    };
    let prefix = "`…/model.gguf` is not a usable language model: ";
    let twice = with_tokens(|tokens| tokens[7] = tokens[6].clone());
    assert!(
        twice.starts_with(&format!("{prefix}the vocabulary has the token `")),
        "{twice}"
    );
    let none = with_tokens(Vec::clear);
    assert_eq!(none, format!("{prefix}the file has no vocabulary"));
    // One token fewer than the embedding has rows: llama.cpp's own check.
    let fewer = with_tokens(|tokens| drop(tokens.pop()));
    assert!(
        fewer.starts_with("llama.cpp cannot load `…/model.gguf`: "),
        "{fewer}"
    );
}

#[test]
fn options_outside_their_range_are_refused() {
    let error = Engine::load(EngineOptions {
        n_parallel_sequences: 1000,
        ..EngineOptions::new(MODEL.clone())
    })
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "`n_parallel_sequences` is 1000, expected 1 to 256"
    );
}
