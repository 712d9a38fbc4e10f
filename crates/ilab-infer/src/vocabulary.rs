//! Text to tokens and back, as the model file defines it.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

/// Whether the tokens that the model file asks for (usually one at the beginning) are added to a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecialTokens {
    /// Added: the text stands at the beginning.
    Add,
    /// Not added: the text goes on from somewhere, or a chat template has written them.
    Omit,
}

/// The model's tokens, read once so that generating asks llama.cpp for nothing.
#[derive(Debug)]
pub(crate) struct Vocabulary {
    /// The bytes of all tokens, one after the other; control tokens have none.
    bytes: Vec<u8>,
    /// Where the bytes of each token end.
    ends: Vec<usize>,
    ends_generation: Vec<bool>,
}

impl Vocabulary {
    pub(crate) fn new(model: &LlamaModel) -> Self {
        let vocab = model.vocab();
        let mut vocabulary = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            ends_generation: Vec::new(),
        };
        let mut piece = Vec::with_capacity(64);
        for token in vocab.tokens() {
            piece.clear();
            vocab.token_to_piece_into(token, &mut piece, false, None);
            vocabulary.bytes.extend_from_slice(&piece);
            vocabulary.ends.push(vocabulary.bytes.len());
            vocabulary.ends_generation.push(vocab.is_eog(token));
        }
        vocabulary
    }

    /// Tokens of these texts, none of which ends an answer.
    #[cfg(test)]
    pub(crate) fn of_pieces(pieces: &[&str]) -> Self {
        let mut vocabulary = Self {
            bytes: Vec::new(),
            ends: Vec::new(),
            ends_generation: vec![false; pieces.len()],
        };
        for piece in pieces {
            vocabulary.bytes.extend_from_slice(piece.as_bytes());
            vocabulary.ends.push(vocabulary.bytes.len());
        }
        vocabulary
    }

    /// How many tokens there are.
    pub(crate) fn n_tokens(&self) -> usize {
        self.ends.len()
    }

    /// The bytes of a token in an answer; empty for control tokens and for ids that do not exist.
    pub(crate) fn piece(&self, token: u32) -> &[u8] {
        let idx = token as usize;
        let Some(end) = self.ends.get(idx) else {
            return &[];
        };
        let start = if idx == 0 { 0 } else { self.ends[idx - 1] };
        &self.bytes[start..*end]
    }

    /// The text of a token; bytes that are no text become replacement characters.
    pub(crate) fn text(&self, token: u32) -> String {
        String::from_utf8_lossy(self.piece(token)).into_owned()
    }

    /// Whether the model ends its answer with this token.
    pub(crate) fn ends_generation(&self, token: u32) -> bool {
        self.ends_generation
            .get(token as usize)
            .copied()
            .unwrap_or(false)
    }
}

/// Encodes a text; control tokens that it spells out are recognised, as prompt templates need it.
pub(crate) fn tokenize(model: &LlamaModel, text: &str, special: SpecialTokens) -> Vec<u32> {
    model
        .vocab()
        .tokenize(text.as_bytes(), special == SpecialTokens::Add, true)
        .into_iter()
        .filter_map(|LlamaToken(id)| u32::try_from(id).ok())
        .collect()
}

/// The text that a control token is written as in prompts; empty when the model has no such token.
pub(crate) fn control_text(model: &LlamaModel, token: LlamaToken) -> String {
    if token.0 < 0 {
        return String::new();
    }
    let bytes = model.vocab().token_to_piece(token, true, None);
    String::from_utf8_lossy(&bytes).into_owned()
}
