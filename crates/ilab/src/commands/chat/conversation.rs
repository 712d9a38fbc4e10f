//! What has been said, and saying more.

use futures::StreamExt;
use ilab_openai::completer::{
    ChatMessage, CompletionError, FinishReason, Prompt, Request, Sampling, StreamEvent, Streamer,
    Usage,
};

use crate::commands::stop::{Stop, StopSignals};
use crate::settings::ChatContext;
use crate::ui::Ui;

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By itself.
    Whole,
    /// At the most tokens that it may have.
    CutOff,
    /// The user or a supervisor stopped it.
    Stopped(Stop),
}

/// Tokens of a letter that no model has counted yet.
const TOKENS_PER_LETTER: f64 = 0.25;

/// The messages so far.
#[derive(Debug)]
pub(super) struct Conversation {
    system: Option<ChatMessage>,
    turns: Vec<ChatMessage>,
    /// Tokens that all of it and the next answer may have together, where that is known.
    n_context_tokens: Option<usize>,
    counted: Counted,
}

/// What the model last counted: so many tokens for so many letters, markers of the template included.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    n_tokens: u32,
    n_letters: usize,
}

impl Counted {
    /// A guess for another number of letters of the same conversation.
    fn tokens_of(self, n_letters: usize) -> f64 {
        let n_tokens = f64::from(self.n_tokens);
        match n_letters.checked_sub(self.n_letters) {
            Some(n_more) => n_tokens + n_more as f64 * TOKENS_PER_LETTER,
            None => n_tokens * n_letters as f64 / self.n_letters as f64,
        }
    }
}

impl Conversation {
    /// Nothing said yet.
    pub(super) fn new(context: &ChatContext, n_context_tokens: Option<usize>) -> Self {
        Self {
            system: context
                .system_prompt()
                .map(|prompt| ChatMessage::new("system", prompt)),
            turns: Vec::new(),
            n_context_tokens,
            counted: Counted::default(),
        }
    }

    /// Forgets everything but the system prompt.
    pub(super) fn reset(&mut self) {
        self.counted = Counted::default();
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
            while !self.has_room(sampling) && self.forget_oldest(ui) {}
            let request = Request {
                prompt: Prompt::Chat(self.messages()),
                sampling: sampling.clone(),
            };
            let mut shown = Shown::default();
            let outcome = show(model, request, &mut shown, signals, ui).await;
            if !shown.answer.is_empty() {
                ui.data("");
                self.turns.push(ChatMessage::new("assistant", shown.answer));
                let Usage {
                    prompt_tokens,
                    completion_tokens,
                } = shown.usage;
                self.learn(prompt_tokens.saturating_add(completion_tokens));
                return outcome;
            }
            match outcome {
                Err(CompletionError::ContextOverflow {
                    n_prompt_tokens,
                    n_context_tokens,
                }) if self.turns.len() > 1 => {
                    self.learn(u32::try_from(n_prompt_tokens).unwrap_or(u32::MAX));
                    self.n_context_tokens = Some(n_context_tokens);
                    self.forget_oldest(ui);
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

    /// Whether the context probably holds all that was said and an answer of some length.
    fn has_room(&self, sampling: &Sampling) -> bool {
        let Some(n_context_tokens) = self.n_context_tokens else {
            return true;
        };
        let for_answer = sampling.max_tokens.map_or(usize::MAX, |n| n as usize);
        let for_answer = for_answer.min(n_context_tokens / 4);
        let n_tokens = self.counted.tokens_of(self.n_letters());
        n_tokens <= (n_context_tokens - for_answer) as f64
    }

    /// Takes the model's count of all that was said; a server that does not count says 0.
    fn learn(&mut self, n_tokens: u32) {
        if n_tokens > 0 {
            self.counted = Counted {
                n_tokens,
                n_letters: self.n_letters(),
            };
        }
    }

    fn n_letters(&self) -> usize {
        let messages = self.system.iter().chain(&self.turns);
        messages
            .map(|message| message.content.chars().count())
            .sum()
    }

    /// Removes the oldest exchange; false when only the newest question is left.
    fn forget_oldest(&mut self, ui: Ui) -> bool {
        let next_question = self
            .turns
            .iter()
            .skip(1)
            .position(|message| message.role == "user");
        let Some(index) = next_question else {
            return false;
        };
        self.turns.drain(..=index);
        ui.status("(the oldest question and answer no longer fit and are left out)");
        true
    }
}

/// What has come of an answer.
#[derive(Debug, Default)]
struct Shown {
    answer: String,
    usage: Usage,
}

async fn show(
    model: &dyn Streamer,
    request: Request,
    shown: &mut Shown,
    signals: &mut StopSignals,
    ui: Ui,
) -> Result<Ending, CompletionError> {
    let mut events = model.stream(request);
    let mut ending = Ending::Whole;
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            stop = signals.next() => return Ok(Ending::Stopped(stop)),
        };
        match event {
            Some(Ok(StreamEvent::Text { text, .. })) => {
                // Some models begin with the blank that other templates put before the answer.
                let text = if shown.answer.is_empty() {
                    text.trim_start()
                } else {
                    &text
                };
                ui.piece(text);
                shown.answer.push_str(text);
            }
            Some(Ok(StreamEvent::Finished { finish_reason, .. })) => {
                if finish_reason == FinishReason::Length {
                    ending = Ending::CutOff;
                }
            }
            Some(Ok(StreamEvent::Done(usage))) => {
                shown.usage = usage;
                return Ok(ending);
            }
            None => return Ok(ending),
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
    use ilab_openai::completer::{Completer, Completion};

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
        let mut conversation = Conversation::new(&ChatContext::parse("default").unwrap(), None);
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
    #[tokio::test]
    async fn room_for_an_answer_is_kept_where_the_context_is_known() {
        let mut conversation =
            Conversation::new(&ChatContext::parse("default").unwrap(), Some(100));
        let sampling = Sampling::default();
        let mut say = |role: &str, n_letters: usize| {
            conversation
                .turns
                .push(ChatMessage::new(role, "x".repeat(n_letters)));
            conversation.has_room(&sampling)
        };
        // A quarter of the context is for the answer; a token is taken for four letters.
        assert!(say("user", 200));
        assert!(say("assistant", 100));
        assert!(!say("user", 4));
        let ui = Ui::new(true, true);
        assert!(conversation.forget_oldest(ui));
        assert!(conversation.has_room(&sampling));
        assert!(!conversation.forget_oldest(ui));
        conversation.learn(80);
        assert!(!conversation.has_room(&sampling), "the model's count holds");
        let short = Sampling {
            max_tokens: Some(20),
            ..Sampling::default()
        };
        assert!(conversation.has_room(&short));
    }
}
