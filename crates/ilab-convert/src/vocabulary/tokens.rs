//! Tokens in the order of their ids, with their types, and the merges.

use crate::error::ConvertError;

use super::files::{AddedToken, Merge, TokenizerFiles};

/// `llama_token_type` of `llama.h`.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// One entry for each row of the embedding.
#[derive(Debug, PartialEq)]
pub(super) struct Tokens {
    pub(super) texts: Vec<String>,
    pub(super) types: Vec<i32>,
}

/// The tokens of the model and the added ones; rows of the embedding without a token are filled with unused ones.
pub(super) fn collect(files: &TokenizerFiles, vocab_size: usize) -> Result<Tokens, ConvertError> {
    let tokenizer = &files.tokenizer;
    let model = tokenizer
        .model
        .vocab
        .iter()
        .map(|(text, id)| (text, *id, NORMAL));
    let added = tokenizer
        .added_tokens
        .iter()
        .map(|token| (&token.content, token.id, added_type(token)));
    let mut tokens: Vec<Option<(&String, i32)>> = vec![None; vocab_size];
    for (text, id, token_type) in model.chain(added) {
        let slot = usize::try_from(id).ok().and_then(|id| tokens.get_mut(id));
        match slot {
            None => {
                return Err(ConvertError::TokenOutsideModel {
                    path: files.tokenizer_path.clone(),
                    token: text.clone(),
                    id,
                    vocab_size,
                });
            }
            Some(Some((first, _))) if *first != text => {
                return Err(ConvertError::DuplicateToken {
                    path: files.tokenizer_path.clone(),
                    id,
                    first: (*first).clone(),
                    second: text.clone(),
                });
            }
            // An added token usually stands in the model's vocabulary too; what it is added as counts.
            Some(slot) => *slot = Some((text, token_type)),
        }
    }
    let (texts, types) = tokens
        .into_iter()
        .enumerate()
        .map(|(id, token)| match token {
            Some((text, token_type)) => (text.clone(), token_type),
            None => (format!("[PAD{id}]"), UNUSED),
        })
        .unzip();
    Ok(Tokens { texts, types })
}

/// Chat markers are control tokens even where the tokenizer forgets to call them special: as text they could be typed.
fn added_type(token: &AddedToken) -> i32 {
    let looks_special = token.content.starts_with("<|") && token.content.ends_with("|>");
    if token.special || looks_special {
        CONTROL
    } else {
        USER_DEFINED
    }
}

/// Merges as two tokens with a space between. In byte-level BPE no token holds a space, so this is unambiguous.
pub(super) fn merges(files: &TokenizerFiles) -> Vec<String> {
    let merges = files.tokenizer.model.merges.iter();
    merges
        .map(|merge| match merge {
            Merge::Text(text) => text.clone(),
            Merge::Pair(left, right) => format!("{left} {right}"),
        })
        .collect()
}
