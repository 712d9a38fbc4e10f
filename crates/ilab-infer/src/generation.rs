//! One answer that is being generated.

use std::cell::RefCell;
use std::rc::Rc;

use ilab_openai::completer::{CompletionError, FinishReason, Sampling, TokenLogprob};

use crate::answer_text::{AnswerText, Emitted};
use crate::constraint::Form;
use crate::delivery::Delivery;
use crate::log_probability::{greatest_n, log_sum_exp};
use crate::sampler::{Sampler, Scratch};
use crate::vocabulary::Vocabulary;

/// The state of one choice of one request.
#[derive(Debug)]
pub(crate) struct Generation {
    delivery: Rc<RefCell<Delivery>>,
    choice_idx: usize,
    sampler: Sampler,
    form: Option<Form>,
    answer: AnswerText,
    /// How many alternatives to report, when log-probabilities are asked for.
    n_alternatives: Option<usize>,
    /// Log-probabilities of tokens whose text is held back, with the byte where each token begins.
    held_logprobs: Vec<(usize, TokenLogprob)>,
    n_generated: u32,
    max_tokens: u32,
}

impl Generation {
    /// Choice `choice_idx` of a request; `max_tokens` is what fits into the context and the request allows, at least 1.
    pub(crate) fn new(
        delivery: Rc<RefCell<Delivery>>,
        choice_idx: u32,
        sampling: &Sampling,
        form: Option<Form>,
        seed: u64,
        max_tokens: u32,
    ) -> Self {
        Self {
            delivery,
            choice_idx: choice_idx as usize,
            sampler: Sampler::new(sampling, choice_idx, seed),
            form,
            answer: AnswerText::new(&sampling.stop),
            n_alternatives: sampling.logprobs.map(|n| n as usize),
            held_logprobs: Vec::new(),
            n_generated: 0,
            max_tokens,
        }
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.delivery.borrow().is_abandoned()
    }

    pub(crate) fn fail(&self, error: CompletionError) {
        self.delivery.borrow_mut().fail(error);
    }

    /// Draws the next token; `None` when the answer is complete.
    pub(crate) fn advance(
        &mut self,
        logits: &[f32],
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
    ) -> Option<u32> {
        let drawn = match &self.form {
            Some(form) => form.draw(&mut self.sampler, logits, vocabulary, scratch),
            None => self.sampler.draw(logits, scratch),
        };
        let token = match drawn {
            Ok(token) => token,
            Err(error) => {
                self.fail(CompletionError::Engine {
                    message: error.to_string(),
                });
                return None;
            }
        };
        if vocabulary.ends_generation(token) {
            self.finish(FinishReason::Stop);
            return None;
        }
        self.n_generated += 1;
        self.hold_logprob(token, logits, vocabulary);
        let piece = vocabulary.piece(token);
        let is_complete = self.form.as_mut().is_some_and(|form| {
            form.advance(piece);
            !form.may_go_on()
        });
        let emitted = self.answer.push(piece);
        let is_stopped = emitted.is_stopped;
        self.emit(emitted);
        if is_stopped {
            self.held_logprobs.clear();
            self.finish(FinishReason::Stop);
            None
        } else if is_complete {
            self.finish(FinishReason::Stop);
            None
        } else if self.n_generated >= self.max_tokens {
            self.finish(FinishReason::Length);
            None
        } else {
            Some(token)
        }
    }

    fn hold_logprob(&mut self, token: u32, logits: &[f32], vocabulary: &Vocabulary) {
        let Some(n_alternatives) = self.n_alternatives else {
            return;
        };
        let log_sum = log_sum_exp(logits);
        let logprob = |logit: f32| (f64::from(logit) - log_sum) as f32;
        let entry = TokenLogprob {
            token: vocabulary.text(token),
            logprob: logprob(logits[token as usize]),
            top: greatest_n(logits, n_alternatives)
                .into_iter()
                .map(|(token, logit)| (vocabulary.text(token), logprob(logit)))
                .collect(),
        };
        self.held_logprobs.push((self.answer.n_bytes(), entry));
    }

    /// Passes on a text with the tokens that begin in it.
    fn emit(&mut self, emitted: Emitted) {
        let n_begun = self
            .held_logprobs
            .partition_point(|(start, _)| *start < emitted.end);
        let logprobs = self
            .held_logprobs
            .drain(..n_begun)
            .map(|(_, logprob)| logprob)
            .collect();
        self.delivery
            .borrow_mut()
            .add(self.choice_idx, emitted.text, logprobs);
    }

    fn finish(&mut self, reason: FinishReason) {
        let rest = self.answer.finish();
        let logprobs = self
            .held_logprobs
            .drain(..)
            .map(|(_, logprob)| logprob)
            .collect();
        let mut delivery = self.delivery.borrow_mut();
        delivery.add(self.choice_idx, rest.text, logprobs);
        delivery.finish(self.choice_idx, reason, self.n_generated);
    }
}
