//! A sample token by token, to be shown: what the model sees, and what of it is learned.

use ilab_text::sample::EncodedSample;
use ilab_text::tokenizer::{Tokenizer, TokenizerError};
use serde::Serialize;

use crate::dataset::Dataset;
use crate::dataset::processed::labels;

/// A sample to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Its line in the file, from 1.
    pub line: usize,
    /// The tokens in their order.
    pub tokens: Vec<Token>,
    /// The token where it is learned, -100 elsewhere.
    pub labels: Vec<i64>,
    /// How many tokens the model learns to produce.
    pub n_learned: usize,
}

/// A token of a sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// Its text; where several tokens make up one character, the last of them has it and the others have none.
    pub text: String,
    /// Whether the model learns to produce it.
    pub is_learned: bool,
    /// Whether it stands for something other than its text.
    pub is_special: bool,
}

impl Preview {
    /// Prepares a sample of `line`.
    ///
    /// # Errors
    /// Tokens that cannot be decoded.
    pub fn of(
        sample: &EncodedSample,
        line: usize,
        tokenizer: &Tokenizer,
    ) -> Result<Self, TokenizerError> {
        let texts = tokenizer.decode_each(&sample.input_ids)?;
        let tokens = sample.input_ids.iter().zip(texts).zip(&sample.is_learned);
        Ok(Self {
            line,
            tokens: tokens
                .map(|((id, text), is_learned)| Token {
                    id: *id,
                    text,
                    is_learned: *is_learned,
                    is_special: tokenizer.is_special(*id),
                })
                .collect(),
            labels: labels(sample),
            n_learned: sample.n_learned(),
        })
    }
}

impl Dataset {
    /// The first `n` samples, to be shown.
    ///
    /// # Errors
    /// Tokens that cannot be decoded.
    pub fn previews(
        &self,
        n: usize,
        tokenizer: &Tokenizer,
    ) -> Result<Vec<Preview>, TokenizerError> {
        let samples = self.samples.iter().zip(&self.source_lines).take(n);
        samples
            .map(|(sample, line)| Preview::of(sample, *line, tokenizer))
            .collect()
    }
}
