//! `ilab model convert`.

use std::path::Path;

use ilab_testkit::tiny_llama;
use ilab_weights::adapter::{Adapter, AdapterConfig, LoraModule, write as write_peft, write_npz};
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::gguf::{GgufFile, TensorType};
use ilab_weights::safetensors::FloatType;
use insta::assert_snapshot;
use serde_json::{Value, json};

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

/// What was measured differs a little from machine to machine; that it was said does not.
fn shown(program: &Program, arguments: &[&str]) -> String {
    let shown = program.run(arguments);
    let line = |line: &str| match line.split_once(": perplexity ") {
        Some((before, after)) => {
            let is_compared = after.contains("before quantizing");
            let rest = if is_compared { " and before" } else { "" };
            format!("{before}: perplexity{rest}")
        }
        None => line.to_owned(),
    };
    shown.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
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
    assert_snapshot!(shown(&program, &["model", "convert", "--model-dir", "tiny/"]), @r"
    exit code: 0
    ----- stdout -----
    [FOLDER]/tiny-Q4_K_M.gguf
    ----- stderr -----
    quantizing 0.5 MB of F32 to Q4_K_M
    checked on 160 tokens: perplexity and before
    112960 parameters in 21 tensors: 0.1 MB as Q4_K_M
    ");
    assert_eq!(
        names(&program),
        ["tiny", "tiny-Q4_K_M.Modelfile", "tiny-Q4_K_M.gguf"]
    );
    assert_snapshot!(std::fs::read_to_string(program.path("tiny-Q4_K_M.Modelfile")).unwrap(), @r#"
    FROM ./tiny-Q4_K_M.gguf
    TEMPLATE """{{ range $index, $_ := .Messages }}{{ if eq .Role "system" }}<|system|>
    {{ .Content }}
    {{ else }}{{ if eq .Role "user" }}<|user|>
    {{ .Content }}
    <|assistant|>
    {{ end }}{{ if eq .Role "assistant" }}{{ .Content }}<|endoftext|>
    {{ end }}{{ end }}{{ end }}"""
    PARAMETER stop "<|endoftext|>"
    "#);
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
        ("q5_k", TensorType::Q5_1),
        ("IQ4_NL", TensorType::IQ4_NL),
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

/// An adapter for two projections of the tiny model, in PEFT's layout.
fn write_adapter(folder: &Path) -> Adapter {
    let module = |name: &str, n_outputs: usize| LoraModule {
        name: format!("model.layers.1.self_attn.{name}"),
        rank: 2,
        n_inputs: 64,
        n_outputs,
        a: (0..128).map(|index| (index % 7) as f32 / 40.0).collect(),
        b: (0..2 * n_outputs)
            .map(|index| (index % 5) as f32 / 30.0)
            .collect(),
    };
    let adapter = Adapter {
        config: AdapterConfig::new(2, 4.0, vec!["k_proj".to_owned(), "q_proj".to_owned()]),
        modules: vec![module("k_proj", 32), module("q_proj", 64)],
    };
    write_peft(folder, &adapter.config, &adapter.modules, FloatType::F32).unwrap();
    adapter
}

#[test]
fn an_adapter_is_merged_into_the_folder_of_the_original() {
    let program = prepared();
    let adapter = write_adapter(&program.path("lora"));
    let arguments = [
        "model",
        "convert",
        "--model-dir",
        "tiny",
        "--adapter-file",
        "lora",
        "-sq",
        "-sd",
        "--hf-dir",
        "merged",
    ];
    assert_snapshot!(shown(&program, &arguments), @"
    exit code: 0
    ----- stdout -----
    tiny-trained/tiny.gguf
    ----- stderr -----
    adapter `lora` of 2 layers
    Hugging Face folder: `merged`
    checked on 160 tokens: perplexity
    112960 parameters in 21 tensors: 0.2 MB as F16
    ");
    assert_eq!(names(&program), ["lora", "merged", "tiny", "tiny-trained"]);
    assert!(program.path("tiny-trained/tiny.Modelfile").is_file());
    let merged = Checkpoint::open(&program.path("merged")).unwrap();
    let base = Checkpoint::open(&program.path("tiny")).unwrap();
    let name = "model.layers.1.self_attn.q_proj.weight";
    let mut expected = base.read_f32(name, &[64, 64]).unwrap();
    for (row, values) in expected.chunks_exact_mut(64).enumerate() {
        adapter.modules[1].add_row(2.0, row, values);
    }
    assert_eq!(merged.read_f32(name, &[64, 64]).unwrap(), expected);

    // MLX's adapter in the model's folder is found without a flag.
    write_npz(&program.path("tiny/adapters.npz"), &adapter).unwrap();
    let shown = program.run(&["model", "convert", "--model-dir", "tiny"]);
    assert!(
        shown.contains("\ntiny-trained/tiny-Q4_K_M.gguf\n"),
        "{shown}"
    );
    assert!(
        shown.contains("adapter `tiny/adapters.npz` of 2 layers"),
        "{shown}"
    );
}

#[test]
fn an_adapter_by_itself_takes_the_layout_of_its_name() {
    let program = prepared();
    let adapter = write_adapter(&program.path("lora"));
    let convert = |adapter: &str, output: &[&str]| {
        let mut arguments = vec![
            "model",
            "convert",
            "--model-dir",
            "tiny",
            "--adapter-only",
            "--adapter-file",
            adapter,
        ];
        arguments.extend(output);
        program.run(&arguments)
    };
    assert_snapshot!(convert("lora", &[]), @"
    exit code: 0
    ----- stdout -----
    tiny-trained/tiny-adapter.gguf
    ----- stderr -----
    adapter `lora` of 2 layers
    2 layers in the layout of GGUF
    ");
    let gguf = GgufFile::open(program.path("tiny-trained/tiny-adapter.gguf")).unwrap();
    assert_eq!(gguf.metadata().text("general.type"), Some("adapter"));
    assert_eq!(gguf.tensors().len(), 4);
    assert_snapshot!(convert("lora", &["-o", "adapters.npz", "--json"]), @r#"
    exit code: 0
    ----- stdout -----
    {"output":"adapters.npz","layout":"MLX","layers":2,"adapter":"lora"}
    ----- stderr -----
    adapter `lora` of 2 layers
    2 layers in the layout of MLX
    "#);
    assert_snapshot!(convert("adapters.npz", &["-o", "again"]), @"
    exit code: 0
    ----- stdout -----
    again
    ----- stderr -----
    adapter `adapters.npz` of 2 layers
    2 layers in the layout of PEFT
    ");
    let again = Adapter::open(&program.path("again")).unwrap();
    for (ours, original) in again.modules.iter().zip(&adapter.modules) {
        assert_eq!((&ours.name, &ours.a), (&original.name, &original.a));
    }
    assert_snapshot!(convert("lora", &["-o", "again"]), @"
    exit code: 0
    ----- stdout -----
    again/tiny-adapter.gguf
    ----- stderr -----
    adapter `lora` of 2 layers
    2 layers in the layout of GGUF
    ");
    assert_snapshot!(
        program.run(&["model", "convert", "--model-dir", "tiny", "--adapter-only"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: there is no adapter to convert
    hint: name it with `--adapter-file`
    "
    );
}

#[test]
fn adapters_and_matrices_of_other_models_are_refused() {
    let program = prepared();
    write_adapter(&program.path("lora"));
    let config = std::fs::read_to_string(program.path("tiny/config.json")).unwrap();
    program.write(
        "other/config.json",
        config.replace(r#""num_hidden_layers": 2"#, r#""num_hidden_layers": 1"#),
    );
    std::fs::copy(
        program.path("tiny/model.safetensors"),
        program.path("other/model.safetensors"),
    )
    .unwrap();
    assert_snapshot!(
        program.run(&["model", "convert", "--model-dir", "other", "--adapter-file", "lora"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    adapter `lora` of 2 layers
    error: the adapter is for `model.layers.1.self_attn.k_proj` of [32, 64], but the model has no such layer
    hint: pass the model that the adapter was trained on: `base_model_name_or_path` in adapter_config.json names it
    "
    );
    program.write(
        "i.dat",
        [
            1, 0, 0, 0, 1, 0, 0, 0, b'x', 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        ],
    );
    assert_snapshot!(
        program.run(&["model", "convert", "--model-dir", "tiny", "--imatrix", "i.dat"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `i.dat` does not fit the model, which has no `x`
    hint: make one for this model with `llama-imatrix -m MODEL.gguf -f TEXT`
    "
    );
    assert_snapshot!(
        program.run(&["model", "convert", "--model-dir", "tiny", "--quantize", "iq2_xs"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: IQ2_XS cannot be computed without an importance matrix
    hint: pass `--imatrix FILE`, made by `llama-imatrix -m MODEL.gguf -f TEXT`, or take Q3_K_M or Q2_K
    "
    );
    assert_snapshot!(
        program.run(&["model", "convert", "--model-dir", "tiny", "--quantize", "q9"]), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value 'q9' for '--quantize <TYPE>': unknown quantisation `q9`, expected one of F32, F16, BF16, Q8_0, Q6_K, Q5_K_M, Q5_K_S, Q5_1, Q5_0, Q4_K_M, Q4_K_S, Q4_1, Q4_0, IQ4_NL, IQ4_XS, Q3_K_L, Q3_K_M, Q3_K_S, IQ3_M, IQ3_S, IQ3_XS, IQ3_XXS, Q2_K, Q2_K_S, IQ2_M, IQ2_S, IQ2_XS, IQ2_XXS, IQ1_M, IQ1_S, Q2_0, Q1_0, TQ2_0, TQ1_0, MXFP4_MOE

    For more information, try '--help'.
    "
    );
    assert_eq!(names(&program), ["i.dat", "lora", "other", "tiny"]);
}

#[test]
fn a_gguf_file_is_a_model_too_and_is_never_written_over() {
    let program = prepared();
    program.run(&[
        "model",
        "convert",
        "--model-dir",
        "tiny",
        "-sq",
        "-o",
        "a.gguf",
    ]);
    let bytes = std::fs::read(program.path("a.gguf")).unwrap();
    let shown = program.run(&[
        "model",
        "convert",
        "--model-dir",
        "a.gguf",
        "--quantize",
        "Q8_0",
        "--json",
    ]);
    let line = shown.lines().find(|line| line.starts_with('{')).unwrap();
    let object: Value = serde_json::from_str(line).unwrap();
    assert!(object["output"].as_str().unwrap().ends_with("/a-Q8_0.gguf"));
    assert_eq!(
        (&object["type"], &object["parameters"]),
        (&json!("Q8_0"), &json!(112_960))
    );
    let check = &object["check"];
    let ratio =
        check["perplexity"].as_f64().unwrap() / check["reference_perplexity"].as_f64().unwrap();
    assert!((ratio - 1.0).abs() < 0.05, "{check}");
    assert!(check["mean_divergence"].as_f64().unwrap() < 0.02, "{check}");
    assert!(check["same_likeliest"].as_f64().unwrap() > 0.7, "{check}");
    assert_snapshot!(
        program.run(&["model", "convert", "--model-dir", "a.gguf", "-o", "a.gguf", "--force"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `a.gguf` is the model that is to be read
    hint: give another place
    "
    );
    assert_eq!(std::fs::read(program.path("a.gguf")).unwrap(), bytes);
}

#[test]
fn a_model_that_computes_no_numbers_is_refused() {
    let program = prepared();
    let mut weights = std::fs::read(program.path("tiny/model.safetensors")).unwrap();
    let last = weights.len() - 4;
    weights[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    program.write("tiny/model.safetensors", weights);
    assert_snapshot!(
        program.run(&["model", "convert", "--model-dir", "tiny", "--quantize", "F32"]), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the converted model computes numbers that are not finite
    hint: the weights may be damaged, or too large for 16 bits: try `--quantize BF16`, or `--skip-check` to keep the file
    "
    );
    assert_eq!(names(&program), ["tiny"]);
    let shown = program.run(&[
        "model",
        "convert",
        "--model-dir",
        "tiny",
        "--quantize",
        "F32",
        "--skip-check",
    ]);
    assert!(shown.starts_with("exit code: 0"), "{shown}");
}
