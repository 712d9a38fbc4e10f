//! Tasks that read logits at known positions: scoring a continuation, and all logits of a text.

use futures::channel::oneshot;
use ilab_openai::completer::{CompletionError, Score};

use crate::log_probability::log_sum_exp;
use crate::sampler::{NonFiniteLogits, greatest};

/// The log-likelihood of the last tokens of a sequence.
#[derive(Debug)]
pub(crate) struct Scoring {
    reply: Option<oneshot::Sender<Result<Score, CompletionError>>>,
    /// The first token that is scored, at least 1.
    first_scored: usize,
    score: Score,
}

impl Scoring {
    pub(crate) fn new(
        reply: oneshot::Sender<Result<Score, CompletionError>>,
        first_scored: usize,
    ) -> Self {
        Self {
            reply: Some(reply),
            first_scored,
            score: Score {
                log_likelihood: 0.0,
                n_tokens: 0,
                is_greedy: true,
            },
        }
    }

    /// The first position whose logits are needed: those after the last token of the context.
    pub(crate) fn first_output(&self) -> usize {
        self.first_scored - 1
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_canceled)
    }

    pub(crate) fn fail(&mut self, error: CompletionError) {
        if let Some(reply) = self.reply.take() {
            // A send fails when the receiver is gone, and then nobody wants to know.
            drop(reply.send(Err(error)));
        }
    }

    /// Adds the log-probability of `token`, the one after the position of these logits.
    pub(crate) fn add(&mut self, logits: &[f32], token: u32) {
        let Ok((most_likely, _)) = greatest(logits) else {
            return self.fail_non_finite();
        };
        let logprob = f64::from(logits[token as usize]) - log_sum_exp(logits);
        if logprob.is_nan() {
            return self.fail_non_finite();
        }
        self.score.log_likelihood += logprob;
        self.score.n_tokens += 1;
        self.score.is_greedy &= most_likely == token;
    }

    fn fail_non_finite(&mut self) {
        self.fail(CompletionError::Engine {
            message: NonFiniteLogits.to_string(),
        });
    }

    /// Sends the score; called when all positions were added.
    pub(crate) fn finish(&mut self) {
        if let Some(reply) = self.reply.take() {
            drop(reply.send(Ok(self.score)));
        }
    }
}

/// What comes back for [`LogitsOfAll`].
pub(crate) type LogitsReply = Result<Vec<Vec<f32>>, CompletionError>;

/// The logits of every position of a sequence.
#[derive(Debug)]
pub(crate) struct LogitsOfAll {
    reply: Option<oneshot::Sender<LogitsReply>>,
    rows: Vec<Vec<f32>>,
}

impl LogitsOfAll {
    pub(crate) fn new(reply: oneshot::Sender<LogitsReply>) -> Self {
        Self {
            reply: Some(reply),
            rows: Vec::new(),
        }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_canceled)
    }

    pub(crate) fn fail(&mut self, error: CompletionError) {
        if let Some(reply) = self.reply.take() {
            drop(reply.send(Err(error)));
        }
    }

    pub(crate) fn add(&mut self, logits: &[f32]) {
        self.rows.push(logits.to_vec());
    }

    pub(crate) fn finish(&mut self) {
        if let Some(reply) = self.reply.take() {
            drop(reply.send(Ok(std::mem::take(&mut self.rows))));
        }
    }
}
