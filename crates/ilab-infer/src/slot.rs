//! The places of the batch: each holds the key-value cache of one sequence, and the task that reads its logits.

use ilab_openai::completer::CompletionError;

use crate::generation::Generation;
use crate::sampler::Scratch;
use crate::score::{LogitsOfAll, Scoring};
use crate::vocabulary::Vocabulary;

/// What is done with the logits of a sequence.
#[derive(Debug)]
pub(crate) enum Task {
    /// Draw tokens and append them.
    Generate(Box<Generation>),
    /// Add up the log-probabilities of the last tokens.
    Score(Scoring),
    /// Collect all logits.
    Logits(LogitsOfAll),
}

impl Task {
    /// Whether nobody waits for the result any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Generate(generation) => generation.is_abandoned(),
            Self::Score(scoring) => scoring.is_abandoned(),
            Self::Logits(logits) => logits.is_abandoned(),
        }
    }

    pub(crate) fn fail(&mut self, error: CompletionError) {
        match self {
            Self::Generate(generation) => generation.fail(error),
            Self::Score(scoring) => scoring.fail(error),
            Self::Logits(logits) => logits.fail(error),
        }
    }
}

/// A sequence that waits for a slot.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) tokens: Vec<u32>,
    pub(crate) task: Task,
    /// Smaller is earlier.
    pub(crate) arrival: u64,
}

impl Waiting {
    /// The first position whose logits are needed: everything before it may come from another sequence's cache.
    pub(crate) fn first_output(&self) -> usize {
        first_output(&self.task, self.tokens.len())
    }
}

fn first_output(task: &Task, n_prompt_tokens: usize) -> usize {
    match task {
        Task::Generate(_) => n_prompt_tokens - 1,
        Task::Score(scoring) => scoring.first_output(),
        Task::Logits(_) => 0,
    }
}

/// A sequence in the batch.
#[derive(Debug)]
pub(crate) struct Active {
    task: Task,
    arrival: u64,
    first_output: usize,
}

/// One place. It keeps its cache when its sequence ends, so that a later one with the same beginning can go on from it.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// The tokens of the sequence; the first `n_cached` of them are in the cache.
    tokens: Vec<u32>,
    n_cached: usize,
    /// How many of the tokens were the prompt.
    n_prompt_tokens: usize,
    active: Option<Active>,
}

impl Slot {
    pub(crate) fn is_active(&self) -> bool {
        self.active.is_some()
    }

    pub(crate) fn n_cached(&self) -> usize {
        self.n_cached
    }

    pub(crate) fn arrival(&self) -> u64 {
        self.active
            .as_ref()
            .map_or(u64::MAX, |active| active.arrival)
    }

    pub(crate) fn is_abandoned(&self) -> bool {
        self.active
            .as_ref()
            .is_some_and(|active| active.task.is_abandoned())
    }

    /// How many tokens are to be decoded before the task can go on.
    pub(crate) fn n_pending(&self) -> usize {
        let n_needed = match &self.active {
            None => self.n_cached,
            // The last token is only scored: nothing is read after it.
            Some(Active {
                task: Task::Score(_),
                ..
            }) => self.tokens.len() - 1,
            Some(_) => self.tokens.len(),
        };
        n_needed.saturating_sub(self.n_cached)
    }

    /// How many of the next `n` tokens belong to the prompt.
    pub(crate) fn n_prompt_tokens_of_next(&self, n: usize) -> usize {
        self.n_prompt_tokens.saturating_sub(self.n_cached).min(n)
    }

    /// The token at a position.
    pub(crate) fn token(&self, position: usize) -> u32 {
        self.tokens[position]
    }

    /// How many tokens the prompt of this slot's sequence has.
    pub(crate) fn n_prompt_tokens(&self) -> usize {
        self.n_prompt_tokens
    }

    /// Whether the logits of a position are computed: where the task reads them, and those of a padding token, so that
    /// a step has as many with it as with the token of a task.
    pub(crate) fn is_output(&self, position: usize) -> bool {
        self.active
            .as_ref()
            .is_none_or(|active| position >= active.first_output)
    }

    /// Adds a token to an idle slot, which [`Slot::release`] takes away again.
    pub(crate) fn pad(&mut self) {
        self.tokens.push(0);
    }

    /// How many of `tokens` this slot's sequence begins with.
    pub(crate) fn n_common(&self, tokens: &[u32]) -> usize {
        self.tokens
            .iter()
            .zip(tokens)
            .take_while(|(ours, theirs)| ours == theirs)
            .count()
    }

    /// Starts a sequence whose first `n_cached` tokens are in the cache already.
    pub(crate) fn start(&mut self, waiting: Waiting, n_cached: usize) {
        self.active = Some(Active {
            first_output: waiting.first_output(),
            arrival: waiting.arrival,
            task: waiting.task,
        });
        self.n_prompt_tokens = waiting.tokens.len();
        self.tokens = waiting.tokens;
        self.n_cached = n_cached;
    }

    /// The next `n` tokens were decoded.
    pub(crate) fn advance(&mut self, n: usize) {
        self.n_cached += n;
    }

    /// Hands the logits of a position to the task; the slot is idle afterwards when the task is complete.
    ///
    /// Returns whether a token was generated.
    pub(crate) fn read(
        &mut self,
        position: usize,
        logits: &[f32],
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
    ) -> bool {
        let Some(active) = &mut self.active else {
            return false;
        };
        let (is_complete, is_generated) = match &mut active.task {
            Task::Generate(generation) => {
                let token = generation.advance(logits, vocabulary, scratch);
                self.tokens.extend(token);
                (token.is_none(), true)
            }
            Task::Score(scoring) => {
                scoring.add(logits, self.tokens[position + 1]);
                let is_last = position + 2 == self.tokens.len();
                if is_last {
                    scoring.finish();
                }
                (is_last, false)
            }
            Task::Logits(all) => {
                all.add(logits);
                let is_last = position + 1 == self.tokens.len();
                if is_last {
                    all.finish();
                }
                (is_last, false)
            }
        };
        if is_complete {
            self.release();
        }
        is_generated
    }

    /// Ends the sequence; its cache stays until the slot is needed.
    pub(crate) fn release(&mut self) {
        self.active = None;
        self.tokens.truncate(self.n_cached);
    }

    /// Ends the sequence with an error and forgets the cache.
    pub(crate) fn fail(&mut self, error: CompletionError) {
        if let Some(mut active) = self.active.take() {
            active.task.fail(error);
        }
        self.forget();
    }

    /// The cache holds nothing any more.
    pub(crate) fn forget(&mut self) {
        self.tokens.clear();
        self.n_cached = 0;
        self.n_prompt_tokens = 0;
    }

    /// Hands the sequence over to `other`; this slot stays idle with the same cache.
    pub(crate) fn move_to(&mut self, other: &mut Self) {
        other.tokens.clone_from(&self.tokens);
        other.n_cached = self.n_cached;
        other.n_prompt_tokens = self.n_prompt_tokens;
        other.active = self.active.take();
        self.release();
    }
}
