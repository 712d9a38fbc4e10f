//! [`Completer`] and [`Streamer`] over HTTP.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::client::answer::{self, WireRequest};
use crate::client::endpoint::Endpoint;
use crate::client::frame::Frame;
use crate::client::stream;
use crate::completer::{
    ChatMessage, Completer, Completion, CompletionError, Prompt, Request, Sampling, StreamEvent,
    Streamer, Usage,
};
use crate::wire::chat::ChatResponse;
use crate::wire::completion::CompletionResponse;

/// A model behind an endpoint: `/chat/completions` for conversations, `/completions` for texts.
#[derive(Debug, Clone)]
pub struct HttpCompleter {
    endpoint: Endpoint,
    model: String,
    takes_one_choice_only: Arc<AtomicBool>,
    /// Forms that the endpoint has refused.
    refused_forms: Arc<Mutex<HashSet<String>>>,
    /// How chats are written out for an endpoint that only continues texts.
    frame: Frame,
    continues_texts_only: Arc<AtomicBool>,
    has_chatted: Arc<AtomicBool>,
}

impl HttpCompleter {
    /// The model named `model` behind `endpoint`.
    pub fn new(endpoint: Endpoint, model: impl Into<String>) -> Self {
        Self {
            endpoint,
            model: model.into(),
            takes_one_choice_only: Arc::default(),
            refused_forms: Arc::default(),
            frame: Frame::default(),
            continues_texts_only: Arc::default(),
            has_chatted: Arc::default(),
        }
    }

    /// How chats are written out where `/chat/completions` is missing.
    pub fn with_frame(mut self, frame: Frame) -> Self {
        self.frame = frame;
        self
    }

    /// Where the model is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks until there are as many answers as asked for: not every server knows `n`.
    async fn complete_all(&self, mut request: Request) -> Result<Completion, CompletionError> {
        let n_choices = request.sampling.n_choices();
        let seed = request.sampling.seed;
        let mut choices = Vec::new();
        let mut usage = Usage::default();
        while (choices.len() as u64) < u64::from(n_choices) {
            let n_found = u32::try_from(choices.len()).unwrap_or(u32::MAX);
            request.sampling.n = n_choices - n_found;
            // Choice `i` draws from `seed + i`, whichever request it comes from.
            request.sampling.seed = seed.map(|seed| seed.wrapping_add(u64::from(n_found)));
            let completion = self.complete_some(&request).await?;
            choices.extend(completion.choices);
            usage.prompt_tokens = usage
                .prompt_tokens
                .saturating_add(completion.usage.prompt_tokens);
            usage.completion_tokens = usage
                .completion_tokens
                .saturating_add(completion.usage.completion_tokens);
        }
        choices.truncate(n_choices as usize);
        Ok(Completion { choices, usage })
    }

    /// One request, answered with at least one choice; in any form where the endpoint knows no constraints.
    async fn complete_some(&self, request: &Request) -> Result<Completion, CompletionError> {
        let Some(constraint) = &request.sampling.constraint else {
            return self.complete_in_any_form(request).await;
        };
        let form = format!("{}: {}", constraint.name(), constraint.value());
        let refused = || {
            self.refused_forms
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let mut free = request.clone();
        free.sampling.constraint = None;
        if refused().contains(&form) {
            return self.complete_in_any_form(&free).await;
        }
        match self.complete_in_any_form(request).await {
            // Whether the constraint was the reason shows when the request is not refused without it.
            Err(refusal @ CompletionError::Refused { .. }) => {
                let completion = self
                    .complete_in_any_form(&free)
                    .await
                    .map_err(|_| refusal)?;
                tracing::warn!(
                    "the endpoint refuses the form {form}: it is asked without from now on"
                );
                refused().insert(form);
                Ok(completion)
            }
            outcome => outcome,
        }
    }

    async fn complete_in_any_form(&self, request: &Request) -> Result<Completion, CompletionError> {
        if request.sampling.n_choices() == 1 {
            return self.complete_once(request).await;
        }
        let mut single = request.clone();
        single.sampling.n = 1;
        if self.takes_one_choice_only.load(Ordering::Relaxed) {
            return self.complete_once(&single).await;
        }
        match self.complete_once(request).await {
            // Some servers refuse `n` above 1 outright; whether that was the reason shows when 1 is not refused.
            Err(refusal @ CompletionError::Refused { .. }) => {
                let completion = self.complete_once(&single).await.map_err(|_| refusal)?;
                self.takes_one_choice_only.store(true, Ordering::Relaxed);
                Ok(completion)
            }
            outcome => outcome,
        }
    }

    async fn complete_once(&self, request: &Request) -> Result<Completion, CompletionError> {
        let had_answered = self.endpoint.has_answered();
        let mut outcome = self.send(request).await;
        if !outcome.as_ref().is_err_and(may_be_at_fault) || !self.is_well(&request.prompt).await {
            return outcome;
        }
        if !had_answered && matches!(outcome, Err(CompletionError::InvalidResponse { .. })) {
            // Garbage before the first answer was no reason to try again; now it is known to be an exception.
            outcome = self.send(request).await;
        }
        match outcome {
            Err(error) if may_be_at_fault(&error) => Err(CompletionError::Unanswered {
                url: self.endpoint.url().to_owned(),
                message: error.to_string(),
            }),
            outcome => outcome,
        }
    }

    /// Whether the endpoint answers something simple: then a request that it fails at is at fault, not the endpoint.
    async fn is_well(&self, like: &Prompt) -> bool {
        let text = "Hello";
        let knows_texts_only = self.continues_texts_only.load(Ordering::Relaxed);
        let simple = Request {
            prompt: match like {
                Prompt::Chat(_) if !knows_texts_only => Prompt::Chat(vec![ChatMessage::user(text)]),
                Prompt::Chat(_) | Prompt::Text(_) => Prompt::Text(text.to_owned()),
            },
            sampling: Sampling {
                max_tokens: Some(1),
                ..Sampling::default()
            },
        };
        match WireRequest::new(&self.model, &simple) {
            WireRequest::Chat(body) => {
                let path = "chat/completions";
                self.endpoint.answers::<ChatResponse>(path, &body).await
            }
            WireRequest::Completion(body) => {
                self.endpoint
                    .answers::<CompletionResponse>("completions", &body)
                    .await
            }
        }
    }

    /// Sends a chat as a chat, or as a text to an endpoint that has shown to know texts only.
    async fn send(&self, request: &Request) -> Result<Completion, CompletionError> {
        let Prompt::Chat(messages) = &request.prompt else {
            return self.send_as_it_is(request).await;
        };
        let as_text = || Request {
            prompt: Prompt::Text(self.frame.text(messages)),
            sampling: request.sampling.clone(),
        };
        if self.continues_texts_only.load(Ordering::Relaxed) {
            return self.send_as_it_is(&as_text()).await;
        }
        match self.send_as_it_is(request).await {
            // No such address, or a server whose model has no chat template.
            Err(missing)
                if !self.has_chatted.load(Ordering::Relaxed) && self.may_lack_chats(&missing) =>
            {
                let completion = self.send_as_it_is(&as_text()).await.map_err(|_| missing)?;
                if !self.continues_texts_only.swap(true, Ordering::Relaxed) {
                    let (url, frame) = (self.endpoint.url(), self.frame.name());
                    tracing::warn!("`{url}` only continues texts: chats are written out {frame}");
                }
                Ok(completion)
            }
            outcome => {
                if outcome.is_ok() {
                    self.has_chatted.store(true, Ordering::Relaxed);
                }
                outcome
            }
        }
    }

    fn may_lack_chats(&self, error: &CompletionError) -> bool {
        match error {
            // With other models there, the model is what is missing.
            CompletionError::NotFound { served, .. } => {
                served.is_empty() || served.contains(&self.model)
            }
            CompletionError::Refused { message, .. } => message.contains("chat template"),
            CompletionError::Unavailable { status, .. } => *status == Some(501),
            _ => false,
        }
    }

    async fn send_as_it_is(&self, request: &Request) -> Result<Completion, CompletionError> {
        let n_tokens = estimated_tokens(request);
        Ok(match WireRequest::new(&self.model, request) {
            WireRequest::Chat(body) => {
                let path = "chat/completions";
                answer::from_chat(self.endpoint.post(path, &body, n_tokens).await?)
            }
            WireRequest::Completion(body) => {
                answer::from_completion(self.endpoint.post("completions", &body, n_tokens).await?)
            }
        })
    }
}

/// Whether the request may be to blame. Overload (503), a refused connection and a restart are the endpoint's own.
fn may_be_at_fault(error: &CompletionError) -> bool {
    match error {
        CompletionError::InvalidResponse { .. } => true,
        CompletionError::Unavailable { status, .. } => status.is_some_and(|status| status != 503),
        _ => false,
    }
}

/// What a request may cost: its prompt, at four bytes a token, and the longest answers that it allows.
fn estimated_tokens(request: &Request) -> u32 {
    let n_bytes: usize = match &request.prompt {
        Prompt::Chat(messages) => messages.iter().map(|message| message.content.len()).sum(),
        Prompt::Text(text) => text.len(),
    };
    let n_prompt = u32::try_from(n_bytes / 4).unwrap_or(u32::MAX);
    let longest = request.sampling.max_tokens.unwrap_or(0);
    let n_answers = request.sampling.n_choices().saturating_mul(longest);
    n_prompt.saturating_add(n_answers)
}

impl Completer for HttpCompleter {
    fn model_id(&self) -> &str {
        &self.model
    }

    fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        self.complete_all(request).boxed()
    }
}

impl Streamer for HttpCompleter {
    fn stream(&self, request: Request) -> BoxStream<'static, Result<StreamEvent, CompletionError>> {
        stream::events(
            self.endpoint.clone(),
            WireRequest::new(&self.model, &request),
        )
    }
}
