//! Running a checked request: one stream of events for all its prompts, or the whole answer.

use futures::stream::{self, BoxStream, SelectAll, StreamExt};
use ilab_openai::completer::{
    Choice, Completion, CompletionError, FinishReason, StreamEvent, Usage,
};

use crate::model::ServedModel;
use crate::request::Asked;

/// Events as the model sends them.
pub(crate) type Events = BoxStream<'static, Result<StreamEvent, CompletionError>>;

/// Starts every prompt. The choices of prompt `p` are numbered from `p * n`; one [`StreamEvent::Done`] with all tokens ends
/// the stream, and the first error ends it, too. Dropping it cancels whatever is still running.
pub(crate) fn start(model: &ServedModel, asked: &Asked) -> Events {
    let n_choices = asked.n_choices();
    let prompts = asked.requests.iter().enumerate().map(|(index, request)| {
        let events = model.streamer.stream(request.clone());
        events
            .map(move |event| event.map(|event| renumber(event, index * n_choices)))
            .boxed()
    });
    let merged = Merged {
        prompts: stream::select_all(prompts),
        usage: Usage::default(),
        n_running: asked.requests.len(),
        is_over: false,
    };
    stream::unfold(merged, Merged::next).boxed()
}

fn renumber(event: StreamEvent, offset: usize) -> StreamEvent {
    match event {
        StreamEvent::Text {
            choice_idx,
            text,
            logprobs,
        } => StreamEvent::Text {
            choice_idx: choice_idx + offset,
            text,
            logprobs,
        },
        StreamEvent::Finished {
            choice_idx,
            finish_reason,
        } => StreamEvent::Finished {
            choice_idx: choice_idx + offset,
            finish_reason,
        },
        done @ StreamEvent::Done(_) => done,
    }
}

struct Merged {
    prompts: SelectAll<Events>,
    usage: Usage,
    n_running: usize,
    is_over: bool,
}

impl Merged {
    async fn next(mut self) -> Option<(Result<StreamEvent, CompletionError>, Self)> {
        if self.is_over {
            return None;
        }
        loop {
            let event = match self.prompts.next().await {
                Some(Ok(StreamEvent::Done(usage))) => {
                    self.n_running = self.n_running.saturating_sub(1);
                    self.usage.prompt_tokens += usage.prompt_tokens;
                    self.usage.completion_tokens += usage.completion_tokens;
                    continue;
                }
                Some(event) => event,
                None if self.n_running == 0 => Ok(StreamEvent::Done(self.usage)),
                None => Err(CompletionError::Engine {
                    message: "the answer ended before it was done".to_owned(),
                }),
            };
            self.is_over = matches!(event, Ok(StreamEvent::Done(_)) | Err(_));
            return Some((event, self));
        }
    }
}

/// Waits for the whole answer.
pub(crate) async fn collect(
    mut events: Events,
    n_choices: usize,
) -> Result<Completion, CompletionError> {
    let empty = Choice {
        text: String::new(),
        finish_reason: FinishReason::Stop,
        logprobs: Vec::new(),
    };
    let mut completion = Completion {
        choices: vec![empty; n_choices],
        usage: Usage::default(),
    };
    while let Some(event) = events.next().await {
        match event? {
            StreamEvent::Text {
                choice_idx,
                text,
                logprobs,
            } => {
                if let Some(choice) = completion.choices.get_mut(choice_idx) {
                    choice.text.push_str(&text);
                    choice.logprobs.extend(logprobs);
                }
            }
            StreamEvent::Finished {
                choice_idx,
                finish_reason,
            } => {
                if let Some(choice) = completion.choices.get_mut(choice_idx) {
                    choice.finish_reason = finish_reason;
                }
            }
            StreamEvent::Done(usage) => completion.usage = usage,
        }
    }
    Ok(completion)
}
