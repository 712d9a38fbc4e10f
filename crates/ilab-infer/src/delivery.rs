//! How the answers of one request reach the caller.

use futures::channel::{mpsc, oneshot};
use ilab_openai::completer::{
    Choice, Completion, CompletionError, FinishReason, StreamEvent, TokenLogprob, Usage,
};

/// Where a request's answers go. A receiver that was dropped cancels the request.
#[derive(Debug)]
pub(crate) enum Sink {
    /// All answers at once.
    Whole(oneshot::Sender<Result<Completion, CompletionError>>),
    /// Piece by piece.
    Stream(mpsc::UnboundedSender<Result<StreamEvent, CompletionError>>),
}

/// The answers of one request, shared by its choices.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// `None` after the last answer or an error.
    sink: Option<Sink>,
    choices: Vec<Choice>,
    n_unfinished: usize,
    usage: Usage,
}

impl Delivery {
    pub(crate) fn new(sink: Sink, n_choices: usize, n_prompt_tokens: usize) -> Self {
        let empty = Choice {
            text: String::new(),
            finish_reason: FinishReason::Length,
            logprobs: Vec::new(),
        };
        Self {
            sink: Some(sink),
            choices: vec![empty; n_choices],
            n_unfinished: n_choices,
            usage: Usage {
                prompt_tokens: u32::try_from(n_prompt_tokens).unwrap_or(u32::MAX),
                completion_tokens: 0,
            },
        }
    }

    /// Whether nobody waits for the answers any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match &self.sink {
            None => true,
            Some(Sink::Whole(sender)) => sender.is_canceled(),
            Some(Sink::Stream(sender)) => sender.is_closed(),
        }
    }

    /// More of one choice.
    pub(crate) fn add(&mut self, choice_idx: usize, text: String, logprobs: Vec<TokenLogprob>) {
        if text.is_empty() && logprobs.is_empty() {
            return;
        }
        match &self.sink {
            Some(Sink::Stream(_)) => self.send(StreamEvent::Text {
                choice_idx,
                text,
                logprobs,
            }),
            _ => {
                let choice = &mut self.choices[choice_idx];
                choice.text.push_str(&text);
                choice.logprobs.extend(logprobs);
            }
        }
    }

    /// One choice is complete after `n_tokens` tokens.
    pub(crate) fn finish(&mut self, choice_idx: usize, finish_reason: FinishReason, n_tokens: u32) {
        self.usage.completion_tokens = self.usage.completion_tokens.saturating_add(n_tokens);
        self.choices[choice_idx].finish_reason = finish_reason;
        self.n_unfinished = self.n_unfinished.saturating_sub(1);
        if matches!(self.sink, Some(Sink::Stream(_))) {
            self.send(StreamEvent::Finished {
                choice_idx,
                finish_reason,
            });
        }
        if self.n_unfinished == 0 {
            self.deliver();
        }
    }

    /// The request failed; its other choices count as abandoned.
    pub(crate) fn fail(&mut self, error: CompletionError) {
        // A send fails when the receiver is gone, and then nobody wants to know.
        match self.sink.take() {
            Some(Sink::Whole(sender)) => drop(sender.send(Err(error))),
            Some(Sink::Stream(sender)) => drop(sender.unbounded_send(Err(error))),
            None => {}
        }
    }

    fn deliver(&mut self) {
        match self.sink.take() {
            Some(Sink::Whole(sender)) => {
                let completion = Completion {
                    choices: std::mem::take(&mut self.choices),
                    usage: self.usage,
                };
                drop(sender.send(Ok(completion)));
            }
            Some(Sink::Stream(sender)) => {
                drop(sender.unbounded_send(Ok(StreamEvent::Done(self.usage))));
            }
            None => {}
        }
    }

    fn send(&self, event: StreamEvent) {
        if let Some(Sink::Stream(sender)) = &self.sink {
            drop(sender.unbounded_send(Ok(event)));
        }
    }
}
