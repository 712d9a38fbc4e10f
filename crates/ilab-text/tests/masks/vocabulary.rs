//! Tokenizers, models and templates that do not belong together.

use ilab_text::vocabulary::{check_rows, tags_without_token};

use crate::family::{Family, GEMMA, GRANITE3, PHI3, QWEN2, QWEN3};

#[test]
fn the_first_token_without_a_row_is_named() {
    let tokenizer = QWEN2.tokenizer();
    let n_tokens = tokenizer.vocab_size();
    assert_eq!(n_tokens, 259);
    check_rows(&tokenizer, n_tokens).unwrap();
    let error = check_rows(&tokenizer, 200).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the tokenizer has 259 tokens and the model embeds 200: `Å` with id 200 is the first without a row"
    );
    let error = check_rows(&tokenizer, 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`<|im_end|>`, which ends answers, has id 1 and the model embeds 1 tokens"
    );
}

#[test]
fn tags_that_are_no_tokens_are_named() {
    for family in [GEMMA, GRANITE3, QWEN2] {
        assert_eq!(tags_without_token(&family.tokenizer()), [""; 0]);
    }
    assert_eq!(
        tags_without_token(&QWEN3.tokenizer()),
        ["<think>", "</think>"]
    );
    let foreign = Family {
        special: &["<|user|>", "<|end|>"],
        ..PHI3
    };
    assert_eq!(
        tags_without_token(&foreign.tokenizer()),
        ["<|system|>", "<|assistant|>"]
    );
}
