//! One line to samples, or to the reason why it is none.

use std::path::Path;

use ilab_text::conversation::Conversation;
use ilab_text::sample::{EncodeError, EncodedSample, encode};
use ilab_text::tokenizer::Tokenizer;

use crate::dataset::document::blocks;
use crate::dataset::error::DatasetError;
use crate::dataset::left_out::Reason;
use crate::dataset::row::{Row, RowError, parse};

/// Encodes lines.
pub(super) struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    max_seq_len: usize,
    max_id: u32,
}

/// What a line becomes: usually one sample.
pub(super) type Samples = Vec<Result<EncodedSample, Reason>>;

/// A line cannot be used.
pub(super) enum LineError {
    Row(RowError),
    Encode(EncodeError),
}

impl From<RowError> for LineError {
    fn from(error: RowError) -> Self {
        Self::Row(error)
    }
}

impl From<EncodeError> for LineError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl<'a> Encoder<'a> {
    pub(super) fn new(tokenizer: &'a Tokenizer, max_seq_len: usize) -> Self {
        Self {
            tokenizer,
            max_seq_len,
            max_id: tokenizer.max_id(),
        }
    }

    pub(super) fn encode(&self, line: &[u8]) -> Result<Samples, LineError> {
        let sample = match parse(line)? {
            Row::Conversation(conversation) if is_empty(&conversation) => {
                return Ok(vec![Err(Reason::Empty)]);
            }
            Row::Conversation(conversation) => encode(self.tokenizer, &conversation)?,
            Row::Processed(row) => row.into_sample(self.max_id)?,
            Row::Document(text) => return self.document(&text),
        };
        Ok(vec![self.usable(sample)])
    }

    fn document(&self, text: &str) -> Result<Samples, LineError> {
        if text.trim().is_empty() {
            return Ok(vec![Err(Reason::Empty)]);
        }
        let ids = self.tokenizer.encode_document(text);
        let blocks = blocks(&ids.map_err(EncodeError::from)?, self.max_seq_len);
        Ok(blocks.into_iter().map(|block| self.usable(block)).collect())
    }

    fn usable(&self, sample: EncodedSample) -> Result<EncodedSample, Reason> {
        let n_tokens = sample.input_ids.len();
        if n_tokens > self.max_seq_len {
            return Err(Reason::TooLong {
                n_tokens,
                max_seq_len: self.max_seq_len,
            });
        }
        if sample.n_learned() == 0 {
            return Err(Reason::NothingToLearn { n_tokens });
        }
        Ok(sample)
    }
}

fn is_empty(conversation: &Conversation) -> bool {
    let says_nothing = |text: &str| text.trim().is_empty();
    conversation.messages.iter().all(|message| {
        !message.extra.contains_key("tool_calls") && message.texts().all(says_nothing)
    })
}

/// What becomes of a line that cannot be used: an error with its place, or a sample that is left out.
pub(super) fn settle(
    encoded: Result<Samples, LineError>,
    path: &Path,
    line: usize,
    skips_invalid: bool,
) -> Result<Samples, DatasetError> {
    let error = match encoded {
        Ok(samples) => return Ok(samples),
        Err(error) => error,
    };
    if skips_invalid {
        let message = match &error {
            LineError::Row(error) => chain(error),
            LineError::Encode(error) => chain(error),
        };
        return Ok(vec![Err(Reason::Invalid { message })]);
    }
    let path = path.to_owned();
    Err(match error {
        LineError::Row(source) => DatasetError::Line { path, line, source },
        LineError::Encode(source) => DatasetError::Encode { path, line, source },
    })
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
