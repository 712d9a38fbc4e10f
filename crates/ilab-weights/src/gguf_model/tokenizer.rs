//! The tokenizer of a GGUF file as tokenizer.json and tokenizer_config.json.
//!
//! Possible for byte-level BPE, whose tokens, merges and special tokens are all in the file, where the pre-tokenizer is one that
//! tokenizer.json can describe. SentencePiece vocabularies lose their normaliser on the way to GGUF and are refused.

use std::path::{Path, PathBuf};

use ilab_base::atomic;
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, create_dir_all};
use serde_json::{Map, Value as Json, json};

use super::config::tokens;
use crate::gguf::{Array, GgufFile, Metadata, Value};
use crate::pre_tokenizer::{GPT2, QWEN2, Split, named};

/// `llama_token_type` of `llama.h`.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// The tokenizer of a GGUF file cannot be written as Hugging Face files.
#[derive(Debug, thiserror::Error)]
pub enum TokenizerError {
    /// The files cannot be written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// Another kind of tokenizer than byte-level BPE.
    #[error("the tokenizer of `{}` is `{model}`, which cannot be turned into tokenizer.json", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// `tokenizer.ggml.model`.
        model: String,
    },
    /// A pre-tokenizer that is not known here.
    #[error("`{}` splits text by `{pre}`, which cannot be turned into tokenizer.json", path.display())]
    PreTokenizer {
        /// The file.
        path: PathBuf,
        /// `tokenizer.ggml.pre`.
        pre: String,
    },
    /// A part of the tokenizer is absent or contradicts another.
    #[error("`{}` has no usable `{key}`", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
    },
}

impl Hint for TokenizerError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            _ => vec![
                "pass `--tokenizer-dir` with the folder of the model's Hugging Face files"
                    .to_owned(),
            ],
        }
    }
}

/// The files that describe a tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenizerFiles {
    /// tokenizer.json.
    pub tokenizer: Json,
    /// tokenizer_config.json, with the chat template where the file has one.
    pub config: Json,
}

/// Writes `tokenizer.json` and `tokenizer_config.json` into a folder.
///
/// # Errors
/// A tokenizer that these files cannot describe, or the operating system's.
pub fn write_tokenizer(file: &GgufFile, folder: &Path) -> Result<(), TokenizerError> {
    let files = tokenizer_files(file)?;
    create_dir_all(folder)?;
    for (name, value) in [
        ("tokenizer.json", &files.tokenizer),
        ("tokenizer_config.json", &files.config),
    ] {
        atomic::write(folder.join(name), format!("{value:#}\n").as_bytes())?;
    }
    Ok(())
}

/// The tokenizer as Hugging Face files.
///
/// # Errors
/// A tokenizer that they cannot describe.
pub fn tokenizer_files(file: &GgufFile) -> Result<TokenizerFiles, TokenizerError> {
    let metadata = file.metadata();
    let path = || file.path().to_owned();
    let key = |key| TokenizerError::Key { path: path(), key };
    let model = metadata.text("tokenizer.ggml.model").unwrap_or("none");
    if model != "gpt2" {
        return Err(TokenizerError::Model {
            path: path(),
            model: model.to_owned(),
        });
    }
    let pre = metadata.text("tokenizer.ggml.pre").unwrap_or("default");
    let (split, ignores_merges) = named(pre).ok_or_else(|| TokenizerError::PreTokenizer {
        path: path(),
        pre: pre.to_owned(),
    })?;
    let tokens = tokens(file).ok_or_else(|| key("tokenizer.ggml.tokens"))?;
    let types = match metadata.array("tokenizer.ggml.token_type") {
        Some(Array::I32(types)) if types.len() == tokens.len() => types.as_slice(),
        _ => return Err(key("tokenizer.ggml.token_type")),
    };
    let merges = metadata
        .array("tokenizer.ggml.merges")
        .and_then(Array::as_strings)
        .and_then(merges)
        .ok_or_else(|| key("tokenizer.ggml.merges"))?;
    let special = SpecialTokens { metadata, tokens };
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(tokens, types),
        "normalizer": normalizer(split),
        "pre_tokenizer": pre_tokenizer(split),
        "post_processor": special.post_processor(),
        "decoder": byte_level(true),
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": ignores_merges, "vocab": vocabulary(tokens, types), "merges": merges
        }
    });
    Ok(TokenizerFiles {
        tokenizer,
        config: special.config(file),
    })
}

/// Merges are two tokens with a space between; no token of byte-level BPE holds one.
fn merges(texts: &[String]) -> Option<Vec<Json>> {
    let pair = |text: &String| {
        let (left, right) = text.split_once(' ')?;
        Some(json!([left, right]))
    };
    texts.iter().map(pair).collect()
}

/// Every token but those that only fill the embedding.
fn vocabulary(tokens: &[String], types: &[i32]) -> Map<String, Json> {
    let used = tokens.iter().zip(types).enumerate();
    used.filter(|(_, (_, token_type))| **token_type != UNUSED)
        .map(|(id, (token, _))| (token.clone(), json!(id)))
        .collect()
}

fn added_tokens(tokens: &[String], types: &[i32]) -> Vec<Json> {
    let added = tokens.iter().zip(types).enumerate();
    added
        .filter(|(_, (_, token_type))| [CONTROL, USER_DEFINED].contains(token_type))
        .map(|(id, (token, token_type))| {
            json!({
                "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": *token_type == CONTROL
            })
        })
        .collect()
}

fn byte_level(use_regex: bool) -> Json {
    json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex
    })
}

fn pre_tokenizer(split: Split<'_>) -> Json {
    match split {
        Split::Expression(GPT2) => byte_level(true),
        Split::DigitsThenGpt2 => json!({
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": true}, byte_level(true)]
        }),
        Split::Expression(expression) => json!({
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated",
                    "invert": false
                },
                byte_level(false)
            ]
        }),
    }
}

/// Qwen's tokenizers compose text first; a GGUF file does not say so, but its pre-tokenizer names them.
fn normalizer(split: Split<'_>) -> Json {
    match split {
        Split::Expression(QWEN2) => json!({"type": "NFC"}),
        _ => Json::Null,
    }
}

struct SpecialTokens<'a> {
    metadata: &'a Metadata,
    tokens: &'a [String],
}

impl SpecialTokens<'_> {
    /// A special token's id and text.
    fn token(&self, role: &str) -> Option<(u64, &str)> {
        let key = format!("tokenizer.ggml.{role}_token_id");
        let id = self.metadata.unsigned(&key)?;
        let token = self.tokens.get(usize::try_from(id).ok()?)?;
        Some((id, token))
    }

    fn adds_bos(&self) -> bool {
        let flag = self.metadata.value("tokenizer.ggml.add_bos_token");
        flag.and_then(Value::as_bool).unwrap_or(false)
    }

    fn post_processor(&self) -> Json {
        let Some((id, bos)) = self.token("bos").filter(|_| self.adds_bos()) else {
            return byte_level(true);
        };
        let special = json!({"SpecialToken": {"id": bos, "type_id": 0}});
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        json!({
            "type": "TemplateProcessing",
            "single": [special.clone(), text.clone()],
            "pair": [special, text, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {bos: {"id": bos, "ids": [id], "tokens": [bos]}}
        })
    }

    fn config(&self, file: &GgufFile) -> Json {
        let mut config = Map::new();
        config.insert(
            "tokenizer_class".to_owned(),
            json!("PreTrainedTokenizerFast"),
        );
        for (role, gguf_role) in [
            ("bos", "bos"),
            ("eos", "eos"),
            ("unk", "unknown"),
            ("sep", "seperator"),
            ("pad", "padding"),
            ("cls", "cls"),
            ("mask", "mask"),
        ] {
            if let Some((_, token)) = self.token(gguf_role) {
                config.insert(format!("{role}_token"), json!(token));
            }
        }
        config.insert("add_bos_token".to_owned(), json!(self.adds_bos()));
        config.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
        let architecture = file.architecture().unwrap_or_default();
        let context = self
            .metadata
            .unsigned(&format!("{architecture}.context_length"));
        if let Some(context) = context {
            config.insert("model_max_length".to_owned(), json!(context));
        }
        if let Some(template) = self.metadata.text("tokenizer.chat_template") {
            config.insert("chat_template".to_owned(), json!(template));
        }
        Json::Object(config)
    }
}
