//! An answer as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use ilab_openai::completer::{CompletionError, StreamEvent};
use ilab_openai::sse;
use serde::Serialize;

use crate::answer::Shape;
use crate::error::ApiError;
use crate::generation::Events;

/// Sends `events` in the given shape, with the tokens spent at the end when `wants_usage`.
///
/// # Errors
/// When the model refuses the request before its first event: then the answer still has a status of its own.
pub(crate) async fn event_stream<S: Shape + Sync>(
    shape: S,
    mut events: Events,
    wants_usage: bool,
) -> Result<Response, ApiError> {
    let first = match events.next().await {
        Some(Err(error)) => return Err(error.into()),
        first => first,
    };
    let sending = Sending {
        shape,
        events: stream::iter(first).chain(events).boxed(),
        opened: Vec::new(),
        wants_usage,
        is_over: false,
    };
    let body = Body::from_stream(stream::unfold(sending, Sending::next));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-cache"),
    ];
    Ok((headers, body).into_response())
}

struct Sending<S> {
    shape: S,
    events: Events,
    opened: Vec<usize>,
    wants_usage: bool,
    is_over: bool,
}

impl<S: Shape> Sending<S> {
    async fn next(mut self) -> Option<(Result<String, Infallible>, Self)> {
        if self.is_over {
            return None;
        }
        let event = self.events.next().await?;
        let text = self.encode(event);
        Some((Ok(text), self))
    }

    fn encode(&mut self, event: Result<StreamEvent, CompletionError>) -> String {
        let mut pieces = VecDeque::new();
        match event {
            Ok(StreamEvent::Text {
                choice_idx,
                text,
                logprobs,
            }) => {
                pieces.extend(self.open(choice_idx));
                pieces.push_back(self.shape.text(choice_idx, text, logprobs));
            }
            Ok(StreamEvent::Finished {
                choice_idx,
                finish_reason,
            }) => {
                pieces.extend(self.open(choice_idx));
                pieces.push_back(self.shape.end(choice_idx, finish_reason));
            }
            Ok(StreamEvent::Done(usage)) => {
                self.is_over = true;
                let usage = self.wants_usage.then(|| data(&self.shape.usage(usage)));
                return usage.unwrap_or_default() + &sse::encode(sse::DONE);
            }
            Err(error) => {
                self.is_over = true;
                return data(&ApiError::from(error).into_body());
            }
        }
        pieces.iter().map(data).collect()
    }

    fn open(&mut self, choice_idx: usize) -> Option<S::Piece> {
        if self.opened.contains(&choice_idx) {
            return None;
        }
        self.opened.push(choice_idx);
        self.shape.opening(choice_idx)
    }
}

fn data(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value)
        .expect("the wire types have text keys and no maps that can fail to serialise");
    sse::encode(&json)
}
