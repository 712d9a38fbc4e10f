//! `ilab model convert`.

use ilab_testkit::tiny_llama;
use ilab_weights::gguf::{GgufFile, TensorType};
use insta::assert_snapshot;

use crate::program::Program;

fn prepared() -> Program {
    let program = Program::new();
    tiny_llama::write_hf(&program.path("tiny"), 1).unwrap();
    program
}

fn type_of(program: &Program, file: &str, tensor: &str) -> TensorType {
    let file = GgufFile::open(program.path(file)).unwrap();
    file.tensor(tensor).unwrap().tensor_type
}

fn names(program: &Program) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(program.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn without_flags_the_file_is_quantized_and_beside_the_folder() {
    let program = prepared();
    let weights = std::fs::read(program.path("tiny/model.safetensors")).unwrap();
    assert_snapshot!(program.run(&["model", "convert", "--model-dir", "tiny/"]), @r"
    exit code: 0
    ----- stdout -----
    [FOLDER]/tiny-Q4_K_M.gguf
    ----- stderr -----
    quantizing 0.5 MB of F32 to Q4_K_M
    112960 parameters in 21 tensors: 0.1 MB as Q4_K_M
    ");
    assert_eq!(names(&program), ["tiny", "tiny-Q4_K_M.gguf"]);
    // Rows of 64 values are too short for Q4_K blocks, so llama.cpp takes the type beside it.
    assert_eq!(
        type_of(&program, "tiny-Q4_K_M.gguf", "blk.0.ffn_gate.weight"),
        TensorType::Q5_0
    );
    assert_eq!(
        std::fs::read(program.path("tiny/model.safetensors")).unwrap(),
        weights
    );
}

#[test]
fn each_type_is_written() {
    let program = prepared();
    for (name, expected) in [
        ("f32", TensorType::F32),
        ("F16", TensorType::F16),
        ("bf16", TensorType::BF16),
        ("q8_0", TensorType::Q8_0),
    ] {
        let arguments = [
            "model",
            "convert",
            "--model-dir",
            "tiny",
            "--type",
            name,
            "-o",
            "m.gguf",
            "--force",
        ];
        let shown = program.run(&arguments);
        assert!(
            shown.starts_with("exit code: 0\n----- stdout -----\nm.gguf\n"),
            "{shown}"
        );
        assert_eq!(type_of(&program, "m.gguf", "blk.1.attn_q.weight"), expected);
    }
    let shown = program.run(&["model", "convert", "--model-dir", "tiny", "-sq"]);
    assert!(shown.contains("tiny-F16.gguf"), "{shown}");
}

#[test]
fn an_existing_file_is_kept() {
    let program = prepared();
    program.write("m.gguf", "mine");
    let arguments = [
        "model",
        "convert",
        "--model-dir",
        "tiny",
        "--output",
        "m.gguf",
    ];
    assert_snapshot!(program.run(&arguments), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `m.gguf` exists already
    hint: pass `--force` to replace it, or another file with `--output`
    ");
    assert_eq!(std::fs::read(program.path("m.gguf")).unwrap(), b"mine");
}

#[test]
fn what_is_not_a_llama_is_refused_before_anything_is_written() {
    let program = prepared();
    assert_snapshot!(program.run(&["model", "convert", "--model-dir", "nowhere"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: cannot read `nowhere/config.json`
      caused by: No such file or directory (os error 2)
    hint: pass the folder of a Hugging Face model: one with config.json, tokenizer.json and *.safetensors
    ");
    let config = std::fs::read_to_string(program.path("tiny/config.json")).unwrap();
    program.write(
        "tiny/config.json",
        config.replace(r#""model_type": "llama""#, r#""model_type": "mamba""#),
    );
    assert_snapshot!(program.run(&["model", "convert", "--model-dir", "tiny"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `tiny/config.json`: `model_type` is `mamba`; supported: llama, mistral, granite, qwen2, qwen3
    hint: use a model of a supported architecture, such as Granite 3, Llama, Mistral or Qwen
    ");
    program.write("tiny/config.json", &config);

    let tokenizer = std::fs::read_to_string(program.path("tiny/tokenizer.json")).unwrap();
    program.write(
        "tiny/tokenizer.json",
        tokenizer.replace(r#""type": "BPE""#, r#""type": "Unigram""#),
    );
    assert_snapshot!(program.run(&["model", "convert", "--model-dir", "tiny"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `tiny/tokenizer.json`: the model `Unigram` cannot be expressed in GGUF; supported: byte-level BPE
    hint: use a model with a byte-level BPE tokenizer, or its published GGUF file
    ");
    program.write("tiny/tokenizer.json", &tokenizer);

    let weights = std::fs::read(program.path("tiny/model.safetensors")).unwrap();
    program.write("tiny/model.safetensors", &weights[..weights.len() / 2]);
    assert_snapshot!(program.run(&["model", "convert", "--model-dir", "tiny"]), @r"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `tiny/model.safetensors` is not a valid safetensors file
      caused by: incomplete metadata, file not fully covered
    hint: the file may be cut off or belong to another model: download or copy the folder again
    ");
    assert_eq!(names(&program), ["tiny"]);
}

#[test]
fn a_name_that_ends_as_a_folder_becomes_one() {
    let program = prepared();
    let arguments = [
        "model",
        "convert",
        "--model-dir",
        "tiny",
        "--output",
        "new/folder/",
    ];
    let shown = program.run(&arguments);
    assert!(
        shown.starts_with("exit code: 0\n----- stdout -----\nnew/folder/tiny-Q4_K_M.gguf\n"),
        "{shown}"
    );
    assert!(program.path("new/folder/tiny-Q4_K_M.gguf").is_file());
}
