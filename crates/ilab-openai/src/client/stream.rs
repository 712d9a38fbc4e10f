//! An answer that comes piece by piece.

use std::collections::VecDeque;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use reqwest::Response;

use crate::client::answer::{self, WireRequest};
use crate::client::endpoint::Endpoint;
use crate::completer::{CompletionError, StreamEvent, Usage};
use crate::sse::{self, Decoder};
use crate::wire::chat::ChatChunk;
use crate::wire::completion::CompletionResponse;
use crate::wire::sampling::StreamOptions;
use crate::wire::{error, parse_finish_reason};

type Events = BoxStream<'static, Result<StreamEvent, CompletionError>>;

/// Sends `request` and yields its answer; dropping the stream closes the connection.
pub(super) fn events(endpoint: Endpoint, mut request: WireRequest) -> Events {
    let sampling = match &mut request {
        WireRequest::Chat(body) => &mut body.sampling,
        WireRequest::Completion(body) => &mut body.sampling,
    };
    sampling.stream = Some(true);
    sampling.stream_options = Some(StreamOptions {
        include_usage: true,
    });
    stream::once(Reading::open(endpoint, request))
        .map_ok(|reading| stream::try_unfold(reading, Reading::next))
        .try_flatten()
        .boxed()
}

/// An open answer.
struct Reading {
    endpoint: Endpoint,
    response: Response,
    decoder: Decoder,
    pending: VecDeque<StreamEvent>,
    usage: Usage,
    is_chat: bool,
    is_done: bool,
}

impl Reading {
    async fn open(endpoint: Endpoint, request: WireRequest) -> Result<Self, CompletionError> {
        let (response, is_chat) = match &request {
            WireRequest::Chat(body) => (endpoint.open("chat/completions", body).await?, true),
            WireRequest::Completion(body) => (endpoint.open("completions", body).await?, false),
        };
        Ok(Self {
            endpoint,
            response,
            decoder: Decoder::new(),
            pending: VecDeque::new(),
            usage: Usage::default(),
            is_chat,
            is_done: false,
        })
    }

    async fn next(mut self) -> Result<Option<(StreamEvent, Self)>, CompletionError> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(Some((event, self)));
            }
            if self.is_done {
                return Ok(None);
            }
            let piece = self.response.chunk().await;
            match piece
                .map_err(|error| self.endpoint.connection_failure(&error, Some(200), 1).error)?
            {
                Some(bytes) => self.read(&bytes)?,
                None => {
                    return Err(self
                        .endpoint
                        .broken_stream("the stream broke off before its end"));
                }
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), CompletionError> {
        let events = self
            .decoder
            .push(bytes)
            .map_err(|error| self.endpoint.invalid(&error.to_string(), bytes))?;
        for data in events {
            if data == sse::DONE {
                self.is_done = true;
                self.pending.push_back(StreamEvent::Done(self.usage));
                return Ok(());
            }
            if data.is_empty() {
                continue;
            }
            if let Some(message) = error::message_in(data.as_bytes()) {
                return Err(self.endpoint.broken_stream(&message));
            }
            if self.is_chat {
                self.read_chat(self.endpoint.parse(data.as_bytes())?);
            } else {
                self.read_completion(self.endpoint.parse(data.as_bytes())?);
            }
        }
        Ok(())
    }

    fn read_chat(&mut self, chunk: ChatChunk) {
        for choice in chunk.choices {
            let text = choice.delta.content.unwrap_or_default();
            let logprobs = choice.logprobs.map(answer::chat_logprobs);
            self.push_text(choice.index, text, logprobs.unwrap_or_default());
            self.push_end(choice.index, choice.finish_reason.as_deref());
        }
        self.usage = chunk.usage.map_or(self.usage, Usage::from);
    }

    fn read_completion(&mut self, chunk: CompletionResponse) {
        for choice in chunk.choices {
            let logprobs = choice.logprobs.map(answer::completion_logprobs);
            self.push_text(choice.index, choice.text, logprobs.unwrap_or_default());
            self.push_end(choice.index, choice.finish_reason.as_deref());
        }
        self.usage = chunk.usage.map_or(self.usage, Usage::from);
    }

    fn push_text(
        &mut self,
        choice_idx: usize,
        text: String,
        logprobs: Vec<crate::completer::TokenLogprob>,
    ) {
        if !text.is_empty() || !logprobs.is_empty() {
            self.pending.push_back(StreamEvent::Text {
                choice_idx,
                text,
                logprobs,
            });
        }
    }

    fn push_end(&mut self, choice_idx: usize, finish_reason: Option<&str>) {
        if let Some(name) = finish_reason {
            self.pending.push_back(StreamEvent::Finished {
                choice_idx,
                finish_reason: parse_finish_reason(name),
            });
        }
    }
}
