//! A teacher that does what a test says.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use ilab_openai::completer::{
    Choice, Completer, Completion, CompletionError, FinishReason, Prompt, Request, Usage,
};

pub type Answer = Result<(String, FinishReason), CompletionError>;
type Script = dyn Fn(&str, u64) -> Answer + Send + Sync;

/// A scripted teacher.
pub struct Scripted {
    script: Box<Script>,
    failure: Option<(usize, Box<dyn Fn() -> CompletionError + Send + Sync>)>,
    has_jitter: bool,
    hangs: bool,
    n_requests: AtomicUsize,
    seen: Mutex<HashSet<String>>,
}

impl Scripted {
    /// `script` gets the prompt and the seed of each answer.
    pub fn new(script: impl Fn(&str, u64) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Box::new(script),
            failure: None,
            has_jitter: false,
            hangs: false,
            n_requests: AtomicUsize::new(0),
            seen: Mutex::default(),
        })
    }

    /// Answers arrive in another order than they were asked for.
    pub fn with_jitter(self: Arc<Self>) -> Arc<Self> {
        self.changed(|teacher| teacher.has_jitter = true)
    }

    /// No answer ever arrives.
    pub fn hanging(self: Arc<Self>) -> Arc<Self> {
        self.changed(|teacher| teacher.hangs = true)
    }

    /// After some requests every other one fails.
    pub fn failing_after(
        self: Arc<Self>,
        n: usize,
        error: impl Fn() -> CompletionError + Send + Sync + 'static,
    ) -> Arc<Self> {
        self.changed(|teacher| teacher.failure = Some((n, Box::new(error))))
    }

    pub fn n_requests(&self) -> usize {
        self.n_requests.load(Ordering::SeqCst)
    }

    pub fn n_distinct_requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// Every distinct request, as JSON.
    pub fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().cloned().collect()
    }

    /// The prompt of every distinct request.
    pub fn prompts(&self) -> Vec<String> {
        let prompt = |request: &String| {
            let request: Request = serde_json::from_str(request).unwrap();
            match request.prompt {
                Prompt::Chat(messages) => messages[0].content.clone(),
                Prompt::Text(text) => text,
            }
        };
        self.seen.lock().unwrap().iter().map(prompt).collect()
    }

    fn changed(self: Arc<Self>, change: impl FnOnce(&mut Self)) -> Arc<Self> {
        let mut teacher = Arc::into_inner(self).expect("not shared yet");
        change(&mut teacher);
        Arc::new(teacher)
    }

    async fn answer(&self, request: Request) -> Result<Completion, CompletionError> {
        let number = self.n_requests.fetch_add(1, Ordering::SeqCst);
        self.seen
            .lock()
            .unwrap()
            .insert(serde_json::to_string(&request).unwrap());
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let seed = request.sampling.seed.unwrap();
        if self.has_jitter {
            tokio::time::sleep(Duration::from_millis(seed % 20)).await;
        }
        if let Some((_, error)) = self.failure.as_ref().filter(|(n, _)| number >= *n) {
            return Err(error());
        }
        let Prompt::Chat(messages) = &request.prompt else {
            panic!("asked without a chat")
        };
        let choices = (0..u64::from(request.sampling.n_choices()))
            .map(|index| {
                let (text, finish_reason) = (self.script)(&messages[0].content, seed + index)?;
                Ok(Choice {
                    text,
                    finish_reason,
                    logprobs: Vec::new(),
                })
            })
            .collect::<Result<_, CompletionError>>()?;
        Ok(Completion {
            choices,
            usage: Usage {
                completion_tokens: 10 * request.sampling.n_choices(),
                ..Usage::default()
            },
        })
    }
}

impl Completer for Scripted {
    fn model_id(&self) -> &str {
        "scripted"
    }

    fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.answer(request))
    }
}

/// A well-behaved answer that no other prompt or seed gets.
pub fn answer(prompt: &str, seed: u64) -> Answer {
    let last = prompt.split_whitespace().rev().nth(12).unwrap_or("nothing");
    Ok((
        format!("What about {last} number {seed}? It is {}.", seed * 3),
        FinishReason::Stop,
    ))
}
