#[cfg(unix)]
use std::{path::Path, process::Command};

use futures::executor::block_on;
use ilab_base::hint::Hint;
use ilab_infer::quantize::{QuantKind, QuantizeError, quantize};
use ilab_infer::{Engine, SpecialTokens};

use super::{MODEL, engine, long_text, options};

#[test]
fn every_kind_loads_and_stays_near_the_original() {
    let folder = tempfile::tempdir().unwrap();
    let original = engine();
    // Several batches: a miscompiled matrix unit of the CPU crashes or errs on prompts, not on single tokens.
    let tokens = original.tokenize(&long_text(30), SpecialTokens::Add);
    assert!(tokens.len() > 128);
    let expect = block_on(original.logits(&tokens)).unwrap();
    let mut sizes = Vec::new();
    for kind in QuantKind::ALL {
        let output = folder.path().join(format!("model-{kind}.gguf"));
        quantize(&MODEL, &output, kind, 2).unwrap();
        sizes.push(std::fs::metadata(&output).unwrap().len());
        let mut options = options();
        options.model_path = output;
        options.n_batch_tokens = 64;
        let got = block_on(Engine::load(options).unwrap().logits(&tokens)).unwrap();
        let error = relative_error(&got, &expect);
        let limit = match kind {
            QuantKind::F32 => 1e-6,
            QuantKind::F16 => 0.005,
            QuantKind::Bf16 => 0.03,
            QuantKind::Q8_0 => 0.05,
            QuantKind::Q4KM => 0.4,
        };
        assert!(error <= limit, "{kind}: {error}");
    }
    assert!(
        sizes[0] > sizes[1] && sizes[1] == sizes[2] && sizes[2] > sizes[3] && sizes[3] > sizes[4]
    );
    // No temporary files are left.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
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

#[test]
fn kinds_are_known_by_name() {
    for kind in QuantKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    assert_eq!("q4_k_m".parse(), Ok(QuantKind::Q4KM));
    assert_eq!(
        "Q9".parse::<QuantKind>().unwrap_err().to_string(),
        "unknown quantisation `Q9`, expected F32, F16, BF16, Q8_0 or Q4_K_M"
    );
}
