//! What has been said, and saying more.

use futures::StreamExt;
use ilab_openai::completer::{
    ChatMessage, CompletionError, Prompt, Request, Sampling, StreamEvent, Streamer,
};

use crate::commands::stop::StopSignals;
use crate::settings::ChatContext;
use crate::ui::Ui;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself.
    Whole,
    /// The user stopped it.
    Stopped,
}

/// The messages so far.
#[derive(Debug)]
pub(super) struct Conversation {
    system: Option<ChatMessage>,
    turns: Vec<ChatMessage>,
}

impl Conversation {
    /// Nothing said yet.
    pub(super) fn new(context: &ChatContext) -> Self {
        Self {
            system: context
                .system_prompt()
                .map(|prompt| ChatMessage::new("system", prompt)),
            turns: Vec::new(),
        }
    }

    /// Forgets everything but the system prompt.
    pub(super) fn reset(&mut self) {
        self.turns.clear();
    }

    /// Asks `question` and shows the answer as it comes. A conversation that outgrows the context loses its oldest
    /// exchange, never its system prompt.
    pub(super) async fn ask(
        &mut self,
        question: &str,
        sampling: &Sampling,
        model: &dyn Streamer,
        signals: &mut StopSignals,
        ui: Ui,
    ) -> Result<Ending, CompletionError> {
        self.turns.push(ChatMessage::user(question));
        loop {
            let request = Request {
                prompt: Prompt::Chat(self.messages()),
                sampling: sampling.clone(),
            };
            let mut answer = String::new();
            let outcome = show(model, request, &mut answer, signals, ui).await;
            if !answer.is_empty() {
                ui.data("");
                self.turns.push(ChatMessage::new("assistant", answer));
                return outcome;
            }
            match outcome {
                Err(CompletionError::ContextOverflow { .. }) if self.forget_oldest() => {
                    ui.status("(the oldest question and answer no longer fit and are left out)");
                }
                outcome => {
                    // A question without an answer would make the roles alternate wrongly.
                    self.turns.pop();
                    return outcome;
                }
            }
        }
    }

    fn messages(&self) -> Vec<ChatMessage> {
        self.system.iter().chain(&self.turns).cloned().collect()
    }

    /// Removes the oldest exchange; false when only the newest question is left.
    fn forget_oldest(&mut self) -> bool {
        let next_question = self
            .turns
            .iter()
            .skip(1)
            .position(|message| message.role == "user");
        match next_question {
            Some(index) => {
                self.turns.drain(..=index);
                true
            }
            None => false,
        }
    }
}

async fn show(
    model: &dyn Streamer,
    request: Request,
    answer: &mut String,
    signals: &mut StopSignals,
    ui: Ui,
) -> Result<Ending, CompletionError> {
    let mut events = model.stream(request);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = signals.next() => return Ok(Ending::Stopped),
        };
        match event {
            Some(Ok(StreamEvent::Text { text, .. })) => {
                // Some models begin with the blank that other templates put before the answer.
                let text = if answer.is_empty() {
                    text.trim_start()
                } else {
                    &text
                };
                ui.piece(text);
                answer.push_str(text);
            }
            Some(Ok(StreamEvent::Finished { .. })) => {}
            Some(Ok(StreamEvent::Done(_))) | None => return Ok(Ending::Whole),
            Some(Err(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use futures::stream::{self, BoxStream};
    use ilab_openai::completer::{Completer, Completion, Usage};

    use super::*;

    /// Holds three messages and answers with how many it was given.
    #[derive(Default)]
    struct Forgetful {
        seen: Mutex<Vec<Vec<ChatMessage>>>,
    }

    impl Completer for Forgetful {
        fn model_id(&self) -> &str {
            "forgetful"
        }

        fn complete(&self, _: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
            async { Err(CompletionError::Cancelled) }.boxed()
        }
    }

    impl Streamer for Forgetful {
        fn stream(
            &self,
            request: Request,
        ) -> BoxStream<'static, Result<StreamEvent, CompletionError>> {
            let Prompt::Chat(messages) = request.prompt else {
                return stream::empty().boxed();
            };
            self.seen.lock().unwrap().push(messages.clone());
            let event = if messages.len() > 3 || messages.last().unwrap().content == "huge" {
                Err(CompletionError::ContextOverflow {
                    n_prompt_tokens: messages.len(),
                    n_context_tokens: 3,
                })
            } else {
                Ok(StreamEvent::Text {
                    choice_idx: 0,
                    // With the blank that some models begin with, which is not part of the answer.
                    text: format!(" {}", messages.len()),
                    logprobs: Vec::new(),
                })
            };
            stream::iter([event, Ok(StreamEvent::Done(Usage::default()))]).boxed()
        }
    }

    fn contents(messages: &[ChatMessage]) -> Vec<&str> {
        messages
            .iter()
            .map(|message| message.content.as_str())
            .collect()
    }

    #[tokio::test]
    async fn what_no_longer_fits_is_forgotten_from_the_oldest_on() {
        let model = Forgetful::default();
        let mut conversation = Conversation::new(&ChatContext::parse("default").unwrap());
        conversation.system = Some(ChatMessage::new("system", "s"));
        let mut signals = StopSignals::listen().unwrap();
        let ui = Ui::new(true, true);
        for question in ["one", "two"] {
            let sampling = Sampling::default();
            conversation
                .ask(question, &sampling, &model, &mut signals, ui)
                .await
                .unwrap();
        }
        assert_eq!(contents(&conversation.messages()), ["s", "two", "2"]);
        let error = conversation
            .ask("huge", &Sampling::default(), &model, &mut signals, ui)
            .await
            .unwrap_err();
        assert!(matches!(error, CompletionError::ContextOverflow { .. }));
        assert_eq!(
            contents(&conversation.messages()),
            ["s"],
            "the question that never fits is not kept"
        );
    }
}
