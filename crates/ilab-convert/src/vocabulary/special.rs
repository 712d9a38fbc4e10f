//! Which tokens begin, end and fill a sequence.

use ilab_weights::config::ModelConfig;
use ilab_weights::gguf::{Metadata, Value};

use crate::error::ConvertError;

use super::files::TokenizerFiles;

/// Role in the Hugging Face files, key in GGUF (whose spelling is its own).
const ROLES: &[(&str, &str)] = &[
    ("bos", "tokenizer.ggml.bos_token_id"),
    ("eos", "tokenizer.ggml.eos_token_id"),
    ("unk", "tokenizer.ggml.unknown_token_id"),
    ("sep", "tokenizer.ggml.seperator_token_id"),
    ("pad", "tokenizer.ggml.padding_token_id"),
    ("cls", "tokenizer.ggml.cls_token_id"),
    ("mask", "tokenizer.ggml.mask_token_id"),
];

/// Writes the special tokens' ids and whether a sequence starts with `bos`.
pub(super) fn insert(
    metadata: &mut Metadata,
    files: &TokenizerFiles,
    config: &ModelConfig,
) -> Result<(), ConvertError> {
    for (role, key) in ROLES {
        let named = token_text(files, role).and_then(|text| token_id(files, text));
        let id = named.or_else(|| configured_id(config, role));
        if let Some(id) = id {
            metadata.insert(*key, Value::U32(id));
        } else if *role == "eos" {
            return Err(ConvertError::NoEndOfSequence {
                path: files.config_path.clone(),
            });
        }
    }
    let add_bos = adds_bos(files);
    metadata.insert("tokenizer.ggml.add_bos_token", Value::Bool(add_bos));
    Ok(())
}

/// A token is named as a string or as an object with `content`.
fn token_text<'a>(files: &'a TokenizerFiles, role: &str) -> Option<&'a str> {
    let value = &files.config[format!("{role}_token")];
    value.as_str().or_else(|| value["content"].as_str())
}

fn token_id(files: &TokenizerFiles, text: &str) -> Option<u32> {
    let tokenizer = &files.tokenizer;
    let added = tokenizer
        .added_tokens
        .iter()
        .find(|token| token.content == text)
        .map(|token| token.id);
    added
        .or_else(|| tokenizer.model.vocab.get(text).copied())
        .and_then(|id| u32::try_from(id).ok())
}

/// What config.json says; the first where it lists several.
fn configured_id(config: &ModelConfig, role: &str) -> Option<u32> {
    let value = config.rest.get(&format!("{role}_token_id"))?;
    value
        .as_u64()
        .or_else(|| value[0].as_u64())
        .and_then(|id| u32::try_from(id).ok())
        .filter(|id| (*id as usize) < config.vocab_size)
}

/// The post-processor is what the tokenizer library runs, so it decides; the configuration where there is none.
fn adds_bos(files: &TokenizerFiles) -> bool {
    let post_processor = &files.tokenizer.post_processor;
    let steps = match post_processor["processors"].as_array() {
        Some(steps) => steps.as_slice(),
        None => std::slice::from_ref(post_processor),
    };
    let template = steps
        .iter()
        .find(|step| step["type"] == "TemplateProcessing");
    match (template, token_text(files, "bos")) {
        (Some(template), Some(bos)) => template["single"][0]["SpecialToken"]["id"] == bos,
        (Some(_), None) => false,
        (None, _) => files.config["add_bos_token"].as_bool().unwrap_or(false),
    }
}
