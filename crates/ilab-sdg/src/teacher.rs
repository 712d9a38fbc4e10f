//! The teacher with its journal: bounded, remembered, each request sent once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ilab_base::cancel::Cancel;
use ilab_openai::completer::{Completer, Completion, CompletionError, Request};
use tokio::sync::{OnceCell, Semaphore};

use crate::drops::Drops;
use crate::error::GenerateError;
use crate::generate::GenerateOptions;
use crate::journal::{Journal, JournalError, Key};
use crate::observer::{Event, Observer};

/// How often a waiting request looks whether it was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

/// What became of a request.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Answered(Arc<Completion>),
    /// This request is at fault; others may succeed.
    Refused {
        is_overflow: bool,
        message: String,
    },
}

/// Everything that asking needs.
pub(crate) struct Teacher<'run> {
    completer: Arc<dyn Completer>,
    /// Names the model together with its content.
    identity: String,
    journal: &'run Journal,
    observer: &'run dyn Observer,
    cancel: &'run Cancel,
    permits: Semaphore,
    asked: Mutex<HashMap<Key, Arc<OnceCell<Outcome>>>>,
    /// Requests whose answers the journal holds.
    kept: Mutex<HashSet<Key>>,
    speed: Mutex<Speed>,
}

/// How fast the teacher has answered in this run.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Speed {
    first_request: Option<Instant>,
    seconds: f64,
    n_requests: u64,
    n_answer_tokens: u64,
}

/// A run of fewer requests says little about the speed of a teacher that may answer many at a time.
const MIN_REQUESTS_FOR_SPEED: u64 = 16;

impl<'run> Teacher<'run> {
    /// Wraps the completer of a run.
    pub(crate) fn new(
        options: &GenerateOptions,
        completer: Arc<dyn Completer>,
        journal: &'run Journal,
        observer: &'run dyn Observer,
        cancel: &'run Cancel,
    ) -> Self {
        let model = completer.model_id();
        let identity = match &options.teacher_identity {
            Some(content) => format!("{model}@{content}"),
            None => model.to_owned(),
        };
        Self {
            completer,
            identity,
            journal,
            observer,
            cancel,
            permits: Semaphore::new(options.max_in_flight.max(1)),
            asked: Mutex::default(),
            kept: Mutex::default(),
            speed: Mutex::new(Speed {
                first_request: None,
                seconds: 0.0,
                n_requests: 0,
                n_answer_tokens: 0,
            }),
        }
    }

    /// Notes in the journal how many tokens a second the teacher wrote, if it was asked anything.
    pub(crate) fn keep_speed(&self) -> Result<(), JournalError> {
        let speed = *self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        if speed.n_answer_tokens == 0 || speed.seconds <= 0.0 {
            return Ok(());
        }
        if speed.n_requests < MIN_REQUESTS_FOR_SPEED && self.known_speed()?.is_some() {
            return Ok(());
        }
        let tokens_per_second = speed.n_answer_tokens as f64 / speed.seconds;
        self.journal.keep_speed(&self.identity, tokens_per_second)
    }

    /// The model's name.
    pub(crate) fn model_id(&self) -> &str {
        self.completer.model_id()
    }

    /// Keeps the drop report of a run in the journal.
    pub(crate) fn keep_drops(&self, run: &str, drops: &Drops) -> Result<(), JournalError> {
        self.journal.keep_drops(run, drops)
    }

    /// Tokens a second in its last run, if it ever had one.
    pub(crate) fn known_speed(&self) -> Result<Option<f64>, JournalError> {
        self.journal.speed(&self.identity)
    }

    /// How many requests have their answer in the journal by now.
    pub(crate) fn n_kept(&self) -> usize {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Answers a request: from an equal one of this run, from the journal, or by asking.
    pub(crate) async fn ask(
        &self,
        block_fingerprint: &[u8; 32],
        request: Request,
    ) -> Result<Outcome, GenerateError> {
        let key = Key::new(block_fingerprint, &self.identity, &request);
        let n_answers = request.sampling.n_choices() as usize;
        let cell = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(asked.entry(key).or_default())
        };
        let mut is_from_journal = true;
        let outcome = cell
            .get_or_try_init(|| async {
                if let Some(completion) = self.journal.answer(key)? {
                    self.note_kept(key);
                    return Ok(Outcome::Answered(Arc::new(completion)));
                }
                is_from_journal = false;
                self.send(key, request).await
            })
            .await?
            .clone();
        let mut n_tokens = 0;
        if let Outcome::Answered(completion) = &outcome {
            if !is_from_journal {
                n_tokens = completion.usage.completion_tokens;
            }
            // An equal request that comes later finds it in the journal: answers need not stay here.
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.remove(&key);
        }
        self.observer.event(Event::Answered {
            n_answers,
            n_tokens,
            is_from_journal,
        });
        Ok(outcome)
    }

    fn note_kept(&self, key: Key) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key);
    }

    fn note_speed(&self, n_answer_tokens: u32) {
        let mut speed = self.speed.lock().unwrap_or_else(PoisonError::into_inner);
        let start = *speed.first_request.get_or_insert_with(Instant::now);
        speed.seconds = start.elapsed().as_secs_f64();
        speed.n_requests += u64::from(n_answer_tokens > 0);
        speed.n_answer_tokens += u64::from(n_answer_tokens);
    }

    async fn send(&self, key: Key, request: Request) -> Result<Outcome, GenerateError> {
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|_| GenerateError::Cancelled)?;
        self.note_speed(0);
        let answer = tokio::select! {
            answer = self.completer.complete(request.clone()) => answer,
            () = cancelled(self.cancel) => Err(CompletionError::Cancelled),
        };
        match answer {
            Ok(completion) => {
                self.note_speed(completion.usage.completion_tokens);
                self.journal
                    .keep(key, self.completer.model_id(), &request, &completion)?;
                self.note_kept(key);
                Ok(Outcome::Answered(Arc::new(completion)))
            }
            Err(CompletionError::Cancelled) => Err(GenerateError::Cancelled),
            Err(error) if error.is_fatal() => Err(GenerateError::Teacher {
                n_kept: self.n_kept(),
                source: error,
            }),
            Err(error) => Ok(Outcome::Refused {
                is_overflow: matches!(error, CompletionError::ContextOverflow { .. }),
                message: error.to_string(),
            }),
        }
    }
}

/// Ends when the work is cancelled.
pub async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(CANCEL_INTERVAL).await;
    }
}
