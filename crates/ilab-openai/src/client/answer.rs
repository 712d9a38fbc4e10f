//! Between the traits' requests and answers and those of the wire.

use serde_json::{Map, Value, json};

use crate::client::endpoint::WireAnswer;
use crate::completer::{Choice, Completion, Prompt, Request, Sampling, TokenLogprob, Usage};
use crate::wire::chat::{ChatLogprobs, ChatRequest, ChatResponse, RequestMessage};
use crate::wire::completion::{CompletionLogprobs, CompletionRequest, CompletionResponse};
use crate::wire::sampling::SamplingFields;
use crate::wire::{finish_reason_name, parse_finish_reason};

/// The part of a request that goes over the wire.
pub(super) enum WireRequest {
    Chat(ChatRequest),
    Completion(CompletionRequest),
}

impl WireRequest {
    pub(super) fn new(model: &str, request: &Request) -> Self {
        let sampling = sampling_fields(&request.sampling);
        match &request.prompt {
            Prompt::Chat(messages) => Self::Chat(ChatRequest {
                model: Some(model.to_owned()),
                messages: messages
                    .iter()
                    .map(|message| RequestMessage {
                        role: message.role.clone(),
                        content: message.content.clone(),
                    })
                    .collect(),
                sampling,
                logprobs: request.sampling.logprobs.is_some(),
                top_logprobs: request.sampling.logprobs.map(i64::from),
                ..ChatRequest::default()
            }),
            Prompt::Text(prompt) => Self::Completion(CompletionRequest {
                model: Some(model.to_owned()),
                prompt: vec![prompt.clone()],
                sampling,
                logprobs: request.sampling.logprobs.map(i64::from),
                ..CompletionRequest::default()
            }),
        }
    }
}

impl WireAnswer for ChatResponse {
    fn n_choices(&self) -> usize {
        self.choices.len()
    }

    fn n_tokens(&self) -> Option<u32> {
        self.usage.as_ref().map(|usage| usage.total_tokens)
    }
}

impl WireAnswer for CompletionResponse {
    fn n_choices(&self) -> usize {
        self.choices.len()
    }

    fn n_tokens(&self) -> Option<u32> {
        self.usage.as_ref().map(|usage| usage.total_tokens)
    }
}

fn sampling_fields(sampling: &Sampling) -> SamplingFields {
    SamplingFields {
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k.map(i64::from),
        min_p: sampling.min_p,
        // The field is signed on the wire; the bits are kept, so that two seeds never become one.
        seed: sampling.seed.map(u64::cast_signed),
        stop: sampling.stop.clone(),
        max_tokens: sampling.max_tokens.map(i64::from),
        n: (sampling.n_choices() > 1).then(|| i64::from(sampling.n_choices())),
        extra: extra_fields(sampling),
        ..SamplingFields::default()
    }
}

/// A constraint goes by both names that vLLM has had for it; other servers pass over them or refuse them.
fn extra_fields(sampling: &Sampling) -> Map<String, Value> {
    let mut fields = sampling.extra.clone();
    if let Some(constraint) = &sampling.constraint {
        let (name, value) = (constraint.name(), constraint.value());
        fields.insert(format!("guided_{name}"), value.clone());
        fields.insert("structured_outputs".to_owned(), json!({name: value}));
    }
    fields
}

pub(super) fn from_chat(mut response: ChatResponse) -> Completion {
    response.choices.sort_by_key(|choice| choice.index);
    let choices = response.choices.into_iter().map(|choice| Choice {
        text: choice.message.content,
        finish_reason: finish_reason(choice.finish_reason.as_deref()),
        logprobs: choice.logprobs.map(chat_logprobs).unwrap_or_default(),
    });
    Completion {
        choices: choices.collect(),
        usage: response.usage.map(Usage::from).unwrap_or_default(),
    }
}

pub(super) fn from_completion(mut response: CompletionResponse) -> Completion {
    response.choices.sort_by_key(|choice| choice.index);
    let choices = response.choices.into_iter().map(|choice| Choice {
        text: choice.text,
        finish_reason: finish_reason(choice.finish_reason.as_deref()),
        logprobs: choice.logprobs.map(completion_logprobs).unwrap_or_default(),
    });
    Completion {
        choices: choices.collect(),
        usage: response.usage.map(Usage::from).unwrap_or_default(),
    }
}

fn finish_reason(name: Option<&str>) -> crate::completer::FinishReason {
    parse_finish_reason(name.unwrap_or(finish_reason_name(crate::completer::FinishReason::Stop)))
}

pub(super) fn chat_logprobs(logprobs: ChatLogprobs) -> Vec<TokenLogprob> {
    let tokens = logprobs.content.unwrap_or_default();
    tokens
        .into_iter()
        .map(|token| TokenLogprob {
            token: token.token,
            logprob: token.logprob,
            top: token
                .top_logprobs
                .into_iter()
                .map(|top| (top.token, top.logprob))
                .collect(),
        })
        .collect()
}

pub(super) fn completion_logprobs(logprobs: CompletionLogprobs) -> Vec<TokenLogprob> {
    let mut tops = logprobs.top_logprobs.unwrap_or_default().into_iter();
    logprobs
        .tokens
        .into_iter()
        .zip(logprobs.token_logprobs)
        .map(|(token, logprob)| TokenLogprob {
            token,
            logprob: logprob.unwrap_or(0.0),
            top: tops
                .next()
                .flatten()
                .unwrap_or_default()
                .into_iter()
                .filter_map(|(text, value)| Some((text, value.as_f64()? as f32)))
                .collect(),
        })
        .collect()
}
