//! Whether a tokenizer, a model and a chat template belong together.

use crate::message::Message;
use crate::tokenizer::Tokenizer;

/// The tokenizer writes ids that the model has no row for.
#[derive(Debug, thiserror::Error)]
pub enum VocabularyError {
    /// A token is beyond the embedding.
    #[error(
        "the tokenizer has {n_tokens} tokens and the model embeds {n_rows}: `{token}` with id {id} is the first without a row"
    )]
    TooFewRows {
        /// Tokens of the tokenizer.
        n_tokens: usize,
        /// Rows of the embedding.
        n_rows: usize,
        /// The first token without a row.
        token: String,
        /// Its id.
        id: u32,
    },
    /// The token that ends answers is beyond the embedding.
    #[error("`{token}`, which ends answers, has id {id} and the model embeds {n_rows} tokens")]
    EndWithoutRow {
        /// The token.
        token: String,
        /// Its id.
        id: u32,
        /// Rows of the embedding.
        n_rows: usize,
    },
}

impl ilab_base::hint::Hint for VocabularyError {
    fn hints(&self) -> Vec<String> {
        vec![
            "use the tokenizer that belongs to the model: the one of the same folder or download"
                .to_owned(),
        ]
    }
}

/// Checks that every id of the tokenizer has a row in an embedding of `n_rows`.
///
/// # Errors
/// The first token without a row; the token that ends answers goes before all others.
pub fn check_rows(tokenizer: &Tokenizer, n_rows: usize) -> Result<(), VocabularyError> {
    let eos_id = tokenizer.eos_id();
    if eos_id as usize >= n_rows {
        return Err(VocabularyError::EndWithoutRow {
            token: tokenizer.eos_token().to_owned(),
            id: eos_id,
            n_rows,
        });
    }
    let limit = u32::try_from(n_rows).unwrap_or(u32::MAX);
    match tokenizer.first_id_from(limit) {
        None => Ok(()),
        Some(id) => Err(VocabularyError::TooFewRows {
            n_tokens: tokenizer.vocab_size(),
            n_rows,
            token: tokenizer.token_of(id).unwrap_or_default(),
            id,
        }),
    }
}

/// The tags that the chat template prints, such as `<|user|>`, and that are no tokens: the model sees them spelled out in
/// pieces. In the order of the text.
pub fn tags_without_token(tokenizer: &Tokenizer) -> Vec<String> {
    let [system, user, assistant] =
        ["system", "user", "assistant"].map(|role| Message::new(role, "-"));
    let with_system = [system, user.clone(), assistant.clone()];
    let template = tokenizer.template();
    // Some templates know no system; one that renders neither is told of where it is used.
    let text = template
        .render(&with_system, true)
        .or_else(|_| template.render(&[user, assistant], true))
        .unwrap_or_default();
    let mut missing: Vec<String> = Vec::new();
    for tag in tags(&text) {
        if tokenizer.id_of(tag).is_none() && !missing.iter().any(|known| known == tag) {
            missing.push(tag.to_owned());
        }
    }
    missing
}

/// Words in angle brackets.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('<').filter_map(|(start, _)| {
        let tag = &text[start..=start + text[start..].find('>')?];
        let inner = &tag[1..tag.len() - 1];
        let is_word = |c: char| c.is_alphanumeric() || "|_/-:".contains(c);
        (inner.chars().any(char::is_alphanumeric) && inner.chars().all(is_word)).then_some(tag)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_words_in_brackets() {
        let text = "a < b <|user|> <s>c</s><<think>> <> <|> <a b>";
        let found: Vec<_> = tags(text).collect();
        assert_eq!(found, ["<|user|>", "<s>", "</s>", "<think>"]);
    }
}
