//! Importance matrices in both formats: what they mean, what does not fit, and files that lie.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use ilab_weights::gguf::{GgufError, GgufFile, GgufWriter, Metadata, TensorInfo, TensorType};
use ilab_weights::importance::{ImportanceError, ImportanceMatrix};

const NAMES: [&str; 2] = ["blk.0.attn_q.weight", "blk.0.ffn_up.weight"];

fn write_gguf(path: &Path, tensors: &[(&str, &[u64], &[f32])]) {
    let mut writer = GgufWriter::new(Metadata::new());
    for (name, dimensions, _) in tensors {
        writer.push(TensorInfo::new(*name, dimensions, TensorType::F32));
    }
    let mut values = tensors.iter().map(|(_, _, values)| *values);
    writer
        .write::<GgufError>(path, |_, sink| {
            let bytes: Vec<u8> = values
                .next()
                .unwrap()
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            sink.write(&bytes)
        })
        .unwrap();
}

/// As `llama-imatrix --output-format dat` writes it, with the name of the text at the end.
fn legacy(entries: &[(&str, i32, &[f32])]) -> Vec<u8> {
    let mut bytes = (entries.len() as i32).to_le_bytes().to_vec();
    for (name, n_calls, values) in entries {
        bytes.extend((name.len() as i32).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(n_calls.to_le_bytes());
        bytes.extend((values.len() as i32).to_le_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes.extend(8_i32.to_le_bytes());
    bytes.extend(4_i32.to_le_bytes());
    bytes.extend(b"wiki");
    bytes
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn legacy(&self, entries: &[(&str, i32, &[f32])]) -> Result<ImportanceMatrix, ImportanceError> {
        let path = self.path("imatrix.dat");
        std::fs::write(&path, legacy(entries)).unwrap();
        ImportanceMatrix::open(&path)
    }

    fn gguf(
        &self,
        tensors: &[(&str, &[u64], &[f32])],
    ) -> Result<ImportanceMatrix, ImportanceError> {
        let path = self.path("imatrix.gguf");
        write_gguf(&path, tensors);
        ImportanceMatrix::open(&path)
    }
}

fn entries(matrix: &ImportanceMatrix) -> Vec<(&str, &[f32])> {
    matrix.iter().collect()
}

#[test]
fn both_formats_give_means() {
    let folder = Folder::new();
    let expected: Vec<(&str, &[f32])> = vec![(NAMES[0], &[0.5, 2.0]), (NAMES[1], &[1.0, 1.0, 1.0])];
    let matrix = folder
        .legacy(&[(NAMES[1], 0, &[1.0, 1.0, 1.0]), (NAMES[0], 4, &[2.0, 8.0])])
        .unwrap();
    assert_eq!(entries(&matrix), expected);
    let matrix = folder
        .gguf(&[
            ("blk.0.attn_q.weight.in_sum2", &[2, 1], &[2.0, 8.0]),
            ("blk.0.attn_q.weight.counts", &[1, 1], &[4.0]),
            // Never had an input.
            ("blk.0.ffn_up.weight.in_sum2", &[3, 1], &[0.0, 0.0, 0.0]),
            ("blk.0.ffn_up.weight.counts", &[1, 1], &[0.0]),
        ])
        .unwrap();
    assert_eq!(entries(&matrix), expected);
}

#[test]
fn a_matrix_of_another_model_is_refused() {
    let folder = Folder::new();
    let model = folder.path("model.gguf");
    write_gguf(
        &model,
        &[
            ("token_embd.weight", &[2, 2], &[0.0; 4]),
            (NAMES[0], &[2, 2], &[0.0; 4]),
            (NAMES[1], &[2, 3], &[0.0; 6]),
            ("blk.0.attn_norm.weight", &[2], &[0.0; 2]),
        ],
    );
    let model = GgufFile::open(model).unwrap();
    let check = |entries: &[(&str, i32, &[f32])]| -> Result<(), String> {
        let matrix = folder.legacy(entries).unwrap();
        matrix.check_model(&model).map_err(|error| {
            let path = folder.path("imatrix.dat").display().to_string();
            error.to_string().replace(&path, "i.dat")
        })
    };
    let fits: [(&str, i32, &[f32]); 2] = [(NAMES[0], 1, &[1.0, 2.0]), (NAMES[1], 1, &[1.0, 2.0])];
    assert_eq!(check(&fits), Ok(()));
    assert_eq!(
        check(&fits[..1]),
        Err("`i.dat` says nothing about `blk.0.ffn_up.weight` of the model".to_owned())
    );
    assert_eq!(
        check(&[fits[0], (NAMES[1], 1, &[1.0, 2.0, 3.0])]),
        Err("`i.dat` does not fit the model: `blk.0.ffn_up.weight` has 3 columns there, and 2 in the model".to_owned())
    );
    assert_eq!(
        check(&[fits[0], fits[1], ("blk.1.attn_q.weight", 1, &[1.0])]),
        Err("`i.dat` does not fit the model, which has no `blk.1.attn_q.weight`".to_owned())
    );
}

#[test]
fn what_lies_is_refused() {
    let folder = Folder::new();
    for values in [[f32::NAN, 1.0], [f32::INFINITY, 1.0], [-1.0, 1.0]] {
        let error = folder.legacy(&[(NAMES[0], 1, &values)]).unwrap_err();
        assert!(matches!(error, ImportanceError::NotFinite { .. }));
    }
    let without_counts = folder.gguf(&[("a.in_sum2", &[2], &[1.0, 2.0])]);
    assert!(matches!(
        without_counts,
        Err(ImportanceError::Counts { tensor, .. }) if tensor == "a"
    ));
    let no_matrix = folder.gguf(&[("a.weight", &[2], &[1.0, 2.0])]);
    assert!(matches!(no_matrix, Err(ImportanceError::Malformed { .. })));

    let good = legacy(&[(NAMES[0], 4, &[2.0, 8.0])]);
    let path = folder.path("imatrix.dat");
    let end_of_entries = good.len() - 12;
    for length in 0..end_of_entries {
        std::fs::write(&path, &good[..length]).unwrap();
        assert!(ImportanceMatrix::open(&path).is_err(), "{length}");
    }
    for at in 0..good.len() {
        for value in [0x7f, 0x80, 0xff] {
            let mut changed = good.clone();
            changed[at] = value;
            std::fs::write(&path, &changed).unwrap();
            // Other names and numbers are importances all the same.
            let _ = ImportanceMatrix::open(&path);
        }
    }
}
