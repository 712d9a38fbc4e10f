//! One tokenizer, two programs: tokenizer.json and llama.cpp on the exported GGUF split the same text into the same tokens.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_infer::{Engine, EngineOptions, SpecialTokens};
use ilab_testkit::tiny_llama;
use ilab_text::tokenizer::Tokenizer;
use serde_json::{Value, json};

/// Merges that reach across every border where the pre-tokenizers differ: digits, letters after digits, apostrophes,
/// punctuation, spaces and line ends (`Ġ` and `Ċ`).
const MERGES: &str = "1 2|12 3|123 4|1234 5|Ġ 1|Ġ Ġ|ĠĠ ĠĠ|Ċ Ċ|Ġ Ċ|! !|!! Ċ|' s|' S|t '|a 1|. .|.. .|Ġ .|- -|h e|t he|Ġ the|Ã ©|e Ã|, Ġ|( a";

const TEXTS: &[&str] = &[
    "",
    "the cat's hat, (and) the CAT'S",
    "12345 123456789 1 12 3.12 a1b2 x12345y",
    "  two  spaces   and\ttabs \t end  ",
    "line\n\nline\r\n\r\n  indented\n \n",
    "what?!! !!\n...\n ... --- ,, '' '",
    "don't DON'T I'll we'RE 'tis",
    "é café naïve Ünïcode ß 你好 привет 🦙🦙 \u{200d}\u{a0}x",
    "<|user|>\nhi<|assistant|>\n<|endoftext|>",
    "\u{0}\u{7f}\u{1f}control",
];

fn edit_tokenizer(folder: &Path, pre_tokenizer: Value, ignore_merges: bool) {
    let path = folder.join("tokenizer.json");
    let mut tokenizer: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let merges: Vec<(&str, &str)> = MERGES
        .split('|')
        .map(|pair| pair.split_once(' ').unwrap())
        .collect();
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    vocabulary.retain(|_, id| id.as_u64().unwrap() < 260);
    for (id, (left, right)) in (260..).zip(&merges) {
        vocabulary.insert(format!("{left}{right}"), json!(id));
    }
    tokenizer["model"]["merges"] = json!(merges);
    tokenizer["model"]["ignore_merges"] = json!(ignore_merges);
    tokenizer["pre_tokenizer"] = pre_tokenizer;
    std::fs::write(path, tokenizer.to_string()).unwrap();
}

#[track_caller]
fn check(pre_tokenizer: Value, ignore_merges: bool) {
    let folder = tempfile::tempdir().unwrap();
    tiny_llama::write_hf(folder.path(), 3).unwrap();
    edit_tokenizer(folder.path(), pre_tokenizer, ignore_merges);
    let gguf = folder.path().join("tiny.gguf");
    let plain = ilab_convert::OutputType::F32;
    ilab_convert::convert(folder.path(), &gguf, plain, &mut |_| Ok(())).unwrap();

    let tokenizer = Tokenizer::from_dir(folder.path()).unwrap();
    let engine = Engine::load(EngineOptions::new(gguf)).unwrap();
    for text in TEXTS {
        let expected = tokenizer.encode(text).unwrap().ids;
        let got = engine.tokenize(text, SpecialTokens::Omit);
        assert_eq!(got, expected, "{text:?}");
    }
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

fn after(first: Value, use_regex: bool) -> Value {
    json!({"type": "Sequence", "pretokenizers": [first, byte_level(use_regex)]})
}

fn split(expression: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": false})
}

#[test]
fn every_pre_tokenizer_splits_alike() {
    check(byte_level(true), false);
    let digits = json!({"type": "Digits", "individual_digits": true});
    check(after(digits, true), false);
    let llama3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    check(after(split(llama3), false), true);
    check(after(split(llama3), false), false);
    let qwen2 = llama3.replace("{1,3}", "");
    check(after(split(&qwen2), false), false);
}
