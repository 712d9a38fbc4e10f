//! Its tokenizer: the 256 bytes in GPT-2's spelling, some merges, four special tokens.

use serde_json::{Map, Value, json};

/// The special tokens; their ids are 0 to 3.
pub const SPECIAL_TOKENS: [&str; 4] = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>"];

/// The chat template.
pub const CHAT_TEMPLATE: &str = "{% for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] }}\
{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}\
{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}";

/// Pairs that are joined, first pair first; `Ġ` is a space.
const MERGES: &str = "h e|Ġ t|Ġ a|i n|r e|o n|Ġt he|e r|Ġ s|a t|Ġ w|Ġ o|n d|Ġ c|i t|i s|e s|Ġ b|Ġ f|o u|in g|e d|\
o r|a n|Ġa nd|Ġo f|Ġ in|Ġt o|Ġ is|a l|Ġ p|Ġ m|Ġ d|l l|e n|a r|Ġw h|Ġwh at|Ġ h|a s|Ġ l|l e|Ġ re|i c";

fn merges() -> impl Iterator<Item = (&'static str, &'static str)> {
    MERGES.split('|').filter_map(|pair| pair.split_once(' '))
}

/// How many tokens there are.
pub fn vocabulary_size() -> usize {
    SPECIAL_TOKENS.len() + 256 + merges().count()
}

/// The characters that stand for the 256 bytes: printable ones for themselves, the rest from U+0100 upwards, as in
/// `bytes_to_unicode` of GPT-2's encoder.py; sorted, as tokenizer trainers number them.
fn byte_characters() -> Vec<char> {
    let is_printable = |byte: u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let printable = (0..=u8::MAX)
        .filter(|byte| is_printable(*byte))
        .map(char::from);
    let n_others = (0..=u8::MAX).filter(|byte| !is_printable(*byte)).count();
    printable.chain(('\u{100}'..).take(n_others)).collect()
}

pub(super) fn tokenizer_json() -> Value {
    let tokens = SPECIAL_TOKENS
        .iter()
        .map(|token| (*token).to_owned())
        .chain(byte_characters().into_iter().map(String::from))
        .chain(merges().map(|(left, right)| format!("{left}{right}")));
    let vocabulary: Map<String, Value> = tokens
        .zip(0..)
        .map(|(token, id)| (token, json!(id)))
        .collect();
    let added: Vec<Value> = (0..)
        .zip(SPECIAL_TOKENS)
        .map(|(id, token): (u32, _)| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true
            })
        })
        .collect();
    let merges: Vec<Value> = merges().map(|(left, right)| json!([left, right])).collect();
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true
    });
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": byte_level.clone(),
        "post_processor": null,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges
        }
    })
}

/// A post-processor that puts `bos` before every text.
pub(super) fn adding_bos() -> Value {
    let bos = SPECIAL_TOKENS[0];
    let special = json!({"SpecialToken": {"id": bos, "type_id": 0}});
    let text = json!({"Sequence": {"id": "A", "type_id": 0}});
    json!({
        "type": "TemplateProcessing",
        "single": [special.clone(), text.clone()],
        "pair": [special, text, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {bos: {"id": bos, "ids": [0], "tokens": [bos]}}
    })
}

pub(super) fn tokenizer_config_json(context_length: usize) -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL_TOKENS[0],
        "eos_token": SPECIAL_TOKENS[0],
        "pad_token": SPECIAL_TOKENS[0],
        "clean_up_tokenization_spaces": false,
        "model_max_length": context_length,
        "chat_template": CHAT_TEMPLATE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_distinct_and_every_merge_joins_tokens() {
        let tokenizer = tokenizer_json();
        let vocabulary = tokenizer["model"]["vocab"].as_object().unwrap();
        assert_eq!(vocabulary.len(), vocabulary_size());
        for (left, right) in merges() {
            for token in [left.to_owned(), right.to_owned(), format!("{left}{right}")] {
                assert!(vocabulary.contains_key(&token), "{token}");
            }
        }
    }
}
