//! The tokenizer: tokens, merges, special tokens and the chat template, from the Hugging Face files to GGUF metadata.

mod files;
mod pre_tokenizer;
mod special;
mod tokens;

use std::path::Path;

use ilab_weights::config::ModelConfig;
use ilab_weights::gguf::{Array, Metadata};

use crate::error::ConvertError;
use files::TokenizerFiles;

/// Writes the `tokenizer.*` keys.
pub(crate) fn insert(
    metadata: &mut Metadata,
    folder: &Path,
    config: &ModelConfig,
) -> Result<(), ConvertError> {
    let files = TokenizerFiles::read(folder)?;
    let pre = pre_tokenizer::identify(&files)?;
    let tokens = tokens::collect(&files, config.vocab_size)?;
    metadata.insert("tokenizer.ggml.model", "gpt2");
    metadata.insert("tokenizer.ggml.pre", pre);
    metadata.insert("tokenizer.ggml.tokens", Array::String(tokens.texts));
    metadata.insert("tokenizer.ggml.token_type", Array::I32(tokens.types));
    metadata.insert(
        "tokenizer.ggml.merges",
        Array::String(tokens::merges(&files)),
    );
    special::insert(metadata, &files, config)?;
    if let Some(template) = files.chat_template() {
        metadata.insert("tokenizer.chat_template", template);
    }
    Ok(())
}
