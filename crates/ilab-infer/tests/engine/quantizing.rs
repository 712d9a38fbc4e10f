#[cfg(unix)]
use std::process::Command;

use std::path::{Path, PathBuf};

use futures::executor::block_on;
use ilab_base::hint::Hint;
use ilab_infer::quantize::{QuantKind, QuantizeError, QuantizeOptions, quantize, quantize_with};
use ilab_infer::{Engine, EngineOptions, SpecialTokens};
use ilab_testkit::tiny_llama;
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::config::{ModelConfig, model_tensors};
use ilab_weights::gguf::GgufFile;
use ilab_weights::importance::ImportanceMatrix;
use ilab_weights::safetensors::FloatType;
use serde_json::Value;

use super::{MODEL, engine, long_text, options};

#[test]
fn usual_kinds_load_and_stay_near_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let original = engine();
    // Several batches: a miscompiled matrix unit of the CPU crashes or errs on prompts, not on single tokens.
    let tokens = original.tokenize(&long_text(30), SpecialTokens::Add);
    assert!(tokens.len() > 128);
    let expect = block_on(original.logits(&tokens)).unwrap();
    let mut sizes = Vec::new();
    for (kind, limit) in [
        (QuantKind::F32, 1e-6),
        (QuantKind::F16, 0.005),
        (QuantKind::Bf16, 0.03),
        (QuantKind::Q8_0, 0.05),
        (QuantKind::Q4KM, 0.4),
    ] {
        let output = folder.path().join(format!("model-{kind}.gguf"));
        quantize(&MODEL, &output, kind, 2).unwrap();
        sizes.push(std::fs::metadata(&output).unwrap().len());
        let mut options = options();
        options.model_path = output;
        options.n_batch_tokens = 64;
        let got = block_on(Engine::load(options).unwrap().logits(&tokens)).unwrap();
        let error = relative_error(&got, &expect);
        assert!(error <= limit, "{kind}: {error}");
    }
    assert!(
        sizes[0] > sizes[1] && sizes[1] == sizes[2] && sizes[2] > sizes[3] && sizes[3] > sizes[4]
    );
    // No temporary files are left.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
}

/// A model whose rows are as long as the blocks of the smallest kinds: one layer, 256 wide.
fn wide_model(folder: &Path) -> PathBuf {
    let hf = folder.join("wide");
    tiny_llama::write_hf(&hf, 0).unwrap();
    let path = hf.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for (key, value) in [
        ("hidden_size", 256),
        ("intermediate_size", 256),
        ("num_hidden_layers", 1),
    ] {
        config[key] = value.into();
    }
    std::fs::write(&path, config.to_string()).unwrap();
    let config = ModelConfig::from_dir(&hf).unwrap();
    let mut state = 1_u32;
    let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = model_tensors(&config)
        .into_iter()
        .map(|(name, shape)| {
            let mut value = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 24) as f32 - 0.5
            };
            let values = match shape.as_slice() {
                [_] => vec![1.0; shape[0]],
                _ => (0..shape.iter().product()).map(|_| value() * 0.2).collect(),
            };
            (name, shape, values)
        })
        .collect();
    let views: Vec<(String, Vec<usize>, &[f32])> = tensors
        .iter()
        .map(|(name, shape, values)| (name.clone(), shape.clone(), &values[..]))
        .collect();
    let weights = hf.join("model.safetensors");
    ilab_weights::safetensors::write(&weights, &views, FloatType::F32).unwrap();
    tiny_llama::write_gguf_of(&hf).unwrap()
}

/// An importance matrix for all layers of a model, in the older format.
fn importance_of(model: &Path, folder: &Path) -> ImportanceMatrix {
    let model = GgufFile::open(model).unwrap();
    let matrices: Vec<_> = model
        .tensors()
        .iter()
        .filter(|tensor| tensor.name.starts_with("blk.") && tensor.dimensions.len() == 2)
        .collect();
    let mut bytes = (matrices.len() as i32).to_le_bytes().to_vec();
    for matrix in matrices {
        let columns = matrix.dimensions[0] as i32;
        bytes.extend((matrix.name.len() as i32).to_le_bytes());
        bytes.extend(matrix.name.as_bytes());
        bytes.extend(1_i32.to_le_bytes());
        bytes.extend(columns.to_le_bytes());
        let value = |column: i32| if column % 16 == 0 { 400.0_f32 } else { 1.0 };
        bytes.extend((0..columns).flat_map(|column| value(column).to_le_bytes()));
    }
    let path = folder.join("imatrix.dat");
    std::fs::write(&path, bytes).unwrap();
    ImportanceMatrix::open(&path).unwrap()
}

#[test]
fn every_kind_is_written_and_loads() {
    let folder = tempfile::tempdir().unwrap();
    let model = wide_model(folder.path());
    let importance = importance_of(&model, folder.path());
    let mut types = Vec::new();
    for kind in QuantKind::all() {
        let output = folder.path().join(format!("{kind}.gguf"));
        let mut how = QuantizeOptions {
            kind,
            n_threads: 2,
            importance: None,
        };
        if kind.needs_importance() {
            let error = quantize_with(&model, &output, &how).unwrap_err();
            assert!(matches!(error, QuantizeError::NeedsImportance { .. }));
            how.importance = Some(&importance);
        }
        quantize_with(&model, &output, &how).unwrap();
        let file = GgufFile::open(&output).unwrap();
        let stored = file.tensor("blk.0.ffn_gate.weight").unwrap();
        types.push(format!("{kind} {}", stored.tensor_type));
        let options = EngineOptions {
            model_path: output.clone(),
            ..options()
        };
        let logits = block_on(Engine::load(options).unwrap().logits(&[5, 77, 140])).unwrap();
        assert!(
            logits.iter().flatten().all(|logit| logit.is_finite()),
            "{kind}"
        );
        std::fs::remove_file(output).unwrap();
    }
    // Most matrices have the type of the kind's name, but llama.cpp's mixtures have their own rules.
    let expected = "F32 F32, F16 F16, BF16 BF16, Q8_0 Q8_0, Q6_K Q6_K, Q5_K_M Q5_K, Q5_K_S Q5_K, Q5_1 Q5_1, \
        Q5_0 Q5_0, Q4_K_M Q4_K, Q4_K_S Q4_K, Q4_1 Q4_1, Q4_0 Q4_0, IQ4_NL IQ4_NL, IQ4_XS IQ4_XS, Q3_K_L Q3_K, \
        Q3_K_M Q3_K, Q3_K_S Q3_K, IQ3_M IQ3_S, IQ3_S IQ3_S, IQ3_XS IQ3_S, IQ3_XXS IQ3_XXS, Q2_K Q2_K, Q2_K_S Q2_K, \
        IQ2_M IQ2_S, IQ2_S IQ2_XS, IQ2_XS IQ2_XS, IQ2_XXS IQ2_XXS, IQ1_M IQ1_M, IQ1_S IQ1_S, Q2_0 Q2_0, Q1_0 Q1_0, \
        TQ2_0 TQ2_0, TQ1_0 TQ1_0, MXFP4_MOE Q8_0";
    assert_eq!(types.join(", "), expected);
}

#[test]
fn important_columns_are_kept_better() {
    let folder = tempfile::tempdir().unwrap();
    let model = wide_model(folder.path());
    let importance = importance_of(&model, folder.path());
    let errors = |importance: Option<&ImportanceMatrix>| -> [f64; 2] {
        let output = folder.path().join("q.gguf");
        let options = QuantizeOptions {
            kind: QuantKind::Q4KS,
            n_threads: 2,
            importance,
        };
        quantize_with(&model, &output, &options).unwrap();
        let name = "model.layers.0.mlp.gate_proj.weight";
        let (original, quantised) = (
            Checkpoint::open(&model)
                .unwrap()
                .read_f32(name, &[256, 256])
                .unwrap(),
            Checkpoint::open(&output)
                .unwrap()
                .read_f32(name, &[256, 256])
                .unwrap(),
        );
        let mut sums = [0.0, 0.0];
        for (index, (original, quantised)) in original.iter().zip(&quantised).enumerate() {
            let is_important = usize::from(index % 256 % 16 == 0);
            sums[is_important] += f64::from(original - quantised).powi(2);
        }
        sums
    };
    let (plain, weighed) = (errors(None), errors(Some(&importance)));
    assert!(weighed[1] < 0.8 * plain[1], "{weighed:?} {plain:?}");
    assert!(weighed[0] > plain[0], "{weighed:?} {plain:?}");
}

#[test]
fn an_importance_matrix_of_another_model_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let importance = importance_of(&wide_model(folder.path()), folder.path());
    let output = folder.path().join("q.gguf");
    let options = QuantizeOptions {
        kind: QuantKind::Q4KM,
        n_threads: 1,
        importance: Some(&importance),
    };
    let error = quantize_with(&MODEL, &output, &options).unwrap_err();
    assert!(matches!(error, QuantizeError::Importance(_)), "{error}");
    assert!(!output.exists());
}

/// The length of the difference over the length of the expected values.
fn relative_error(got: &[Vec<f32>], expect: &[Vec<f32>]) -> f64 {
    let pairs = || got.iter().flatten().zip(expect.iter().flatten());
    let difference: f64 = pairs().map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let length: f64 = pairs().map(|(_, b)| f64::from(*b).powi(2)).sum();
    (difference / length).sqrt()
}

#[test]
fn failures_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.gguf");
    let bytes = std::fs::read(&*MODEL).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let output = folder.path().join("out.gguf");
    let error = quantize(&broken, &output, QuantKind::Q8_0, 1).unwrap_err();
    assert!(matches!(error, QuantizeError::Preflight(_)), "{error:?}");

    // Already quantised: llama.cpp refuses to do it again.
    let small = folder.path().join("small.gguf");
    quantize(&MODEL, &small, QuantKind::Q8_0, 1).unwrap();
    let error = quantize(&small, &output, QuantKind::Q4KM, 1).unwrap_err();
    assert!(matches!(error, QuantizeError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("requantizing"), "{error}");
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["broken.gguf", "small.gguf"]);
}

/// Names the folder to work in when this test runs itself with a limit on the size of files.
#[cfg(unix)]
const LIMITED: &str = "ILAB_TEST_LIMITED_FOLDER";

/// A limit on the size of files stands for a full disk: both let a write fail half way.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_is_suspected() {
    if let Some(folder) = std::env::var_os(LIMITED) {
        let folder = Path::new(&folder);
        let output = folder.join("large.gguf");
        let error = quantize(&folder.join("small.gguf"), &output, QuantKind::F32, 1).unwrap_err();
        let expected = format!("llama.cpp cannot write `{}`: ", output.display());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.hints()[0].starts_with("the disk may be full"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    quantize(&MODEL, &folder.path().join("small.gguf"), QuantKind::F16, 1).unwrap();
    let limited = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 200; exec "$@""#, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "quantizing::a_disk_that_is_full_is_suspected"])
        .env(LIMITED, folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success(), "{told}");
    assert!(told.contains("1 passed"), "{told}");
    // Nothing half written is left.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
