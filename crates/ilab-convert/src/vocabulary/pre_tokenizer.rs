//! Which of llama.cpp's pre-tokenizers splits text as tokenizer.json does.
//!
//! A GGUF file cannot describe a pre-tokenizer, only name one that llama.cpp has built in (`tokenizer.ggml.pre`). Upstream
//! recognises models by a checksum of what their tokenizer does to a sample text, so it knows published models only. We
//! compare what tokenizer.json says with what llama.cpp implements (`llm_tokenizer_bpe` in `llama-vocab.cpp`), so
//! that a tokenizer trained today is recognised too, and everything else is refused instead of being nearly right.

use ilab_weights::pre_tokenizer::{GPT2, LLAMA3, QWEN2, Split};
use serde_json::Value;

use super::files::TokenizerFiles;
use crate::error::ConvertError;

const SUPPORTED: &str = "ByteLevel with GPT-2's expression, alone or after single digits, and the expressions of Llama 3 and Qwen 2";

/// The value of `tokenizer.ggml.pre`.
pub(super) fn identify(files: &TokenizerFiles) -> Result<&'static str, ConvertError> {
    let unsupported = |part, got: String, supported| ConvertError::UnsupportedTokenizer {
        path: files.tokenizer_path.clone(),
        part,
        got,
        supported,
    };
    let tokenizer = &files.tokenizer;
    if tokenizer.model.byte_fallback {
        let got = "SentencePiece-style BPE (byte_fallback)".to_owned();
        return Err(unsupported("the model", got, "byte-level BPE"));
    }
    // llama.cpp composes nothing, which changes no text that is composed already, as nearly all is.
    if !tokenizer.normalizer.is_null() && tokenizer.normalizer["type"] != "NFC" {
        let got = tokenizer.normalizer.to_string();
        return Err(unsupported("the normalizer", got, "none, NFC"));
    }
    let pre = match split_of(&tokenizer.pre_tokenizer) {
        Some(Split::Expression(GPT2)) => "gpt-2",
        Some(Split::DigitsThenGpt2) => "smollm",
        Some(Split::Expression(LLAMA3)) if tokenizer.model.ignore_merges => "llama-bpe",
        Some(Split::Expression(LLAMA3)) => "smaug-bpe",
        Some(Split::Expression(QWEN2)) => "qwen2",
        _ => {
            let got = tokenizer.pre_tokenizer.to_string();
            return Err(unsupported("the pre-tokenizer", got, SUPPORTED));
        }
    };
    if tokenizer.model.ignore_merges && pre != "llama-bpe" {
        let got = "ignore_merges".to_owned();
        return Err(unsupported(
            "the model option",
            got,
            "only with Llama 3's expression",
        ));
    }
    Ok(pre)
}

/// The split that a pre-tokenizer makes, if it is a byte-level one that adds no space.
fn split_of(pre_tokenizer: &Value) -> Option<Split<'_>> {
    let steps = match pre_tokenizer["type"].as_str()? {
        "Sequence" => pre_tokenizer["pretokenizers"].as_array()?.as_slice(),
        _ => std::slice::from_ref(pre_tokenizer),
    };
    let (last, before) = steps.split_last()?;
    if last["type"] != "ByteLevel" || last["add_prefix_space"] == true {
        return None;
    }
    // `use_regex` is true where a file from before its time does not say.
    let has_expression = last["use_regex"].as_bool().unwrap_or(true);
    match (before, has_expression) {
        ([], true) => Some(Split::Expression(GPT2)),
        ([digits], true) if digits["type"] == "Digits" && digits["individual_digits"] == true => {
            Some(Split::DigitsThenGpt2)
        }
        ([split], false)
            if split["type"] == "Split"
                && split["behavior"] == "Isolated"
                && split["invert"] != true =>
        {
            split["pattern"]["Regex"].as_str().map(Split::Expression)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn splits() {
        let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
        let sequence = |steps: Vec<Value>| json!({"type": "Sequence", "pretokenizers": steps});
        let split = json!({
            "type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": false
        });
        let digits = json!({"type": "Digits", "individual_digits": true});

        let check = |pre_tokenizer: Value, expected: Option<Split<'_>>| {
            assert_eq!(split_of(&pre_tokenizer), expected, "{pre_tokenizer}");
        };
        check(byte_level(true), Some(Split::Expression(GPT2)));
        check(
            sequence(vec![byte_level(true)]),
            Some(Split::Expression(GPT2)),
        );
        check(
            sequence(vec![digits.clone(), byte_level(true)]),
            Some(Split::DigitsThenGpt2),
        );
        check(
            sequence(vec![split.clone(), byte_level(false)]),
            Some(Split::Expression(LLAMA3)),
        );
        check(byte_level(false), None);
        check(sequence(vec![split, byte_level(true)]), None);
        check(sequence(vec![digits]), None);
        check(sequence(vec![]), None);
        check(json!({"type": "ByteLevel", "add_prefix_space": true}), None);
        check(json!({"type": "Metaspace"}), None);
        check(Value::Null, None);
    }
}
