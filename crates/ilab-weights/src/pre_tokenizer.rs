//! llama.cpp's pre-tokenizers and the expressions by which tokenizer.json says the same.
//!
//! # Source
//! `llm_tokenizer_bpe` and `tokenizer_pre` in `src/llama-vocab.cpp` of llama.cpp.

/// The regular expression of GPT-2, which `ByteLevel` with `use_regex` applies.
pub const GPT2: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3: digits in groups of three.
pub const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 2 and 3: digits one by one.
pub const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How text is split before pieces are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split<'a> {
    /// By one expression, every match a piece.
    Expression(&'a str),
    /// Every digit apart, the rest by GPT-2's expression.
    DigitsThenGpt2,
}

/// The split that a value of `tokenizer.ggml.pre` names, and whether whole words of the vocabulary are taken unmerged.
pub fn named(pre: &str) -> Option<(Split<'static>, bool)> {
    match pre {
        "gpt-2" | "phi-2" | "mpt" | "olmo" | "jais" | "trillion" => {
            Some((Split::Expression(GPT2), false))
        }
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" => {
            Some((Split::DigitsThenGpt2, false))
        }
        "llama3" | "llama-v3" | "llama-bpe" | "falcon3" => Some((Split::Expression(LLAMA3), true)),
        "smaug-bpe" => Some((Split::Expression(LLAMA3), false)),
        "qwen2" | "stablelm2" | "deepseek-r1-qwen" => Some((Split::Expression(QWEN2), false)),
        _ => None,
    }
}
