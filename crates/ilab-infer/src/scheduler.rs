//! Continuous batching: the loop that owns the llama.cpp context.
//!
//! Every step decodes one batch: one token of each sequence that generates, and as much of the waiting prompts, oldest
//! first, as fits beside them. Sequences join before a step and leave after it. [`Batching::Reproducible`] keeps prompts
//! and generation apart.
//!
//! Each slot has a cache of its own (`kv_unified` off), so that a token attends to its own sequence only and the cost does
//! not grow with the others. llama.cpp then decodes sequences in one graph only when their numbers are consecutive; that is
//! why [`Scheduler::close_gaps`] moves sequences together.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};

use futures::channel::oneshot;
use ilab_openai::completer::{CompletionError, Sampling, Score};
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use crate::backend;
use crate::batching::Batching;
use crate::constraint::Form;
use crate::counters::{self, LiveCounters};
use crate::delivery::{Delivery, Sink};
use crate::generation::Generation;
use crate::sampler::Scratch;
use crate::score::{LogitsOfAll, LogitsReply, Scoring};
use crate::slot::{Slot, Task, Waiting};
use crate::vocabulary::Vocabulary;

/// Taking over fewer tokens than this costs more than computing them.
const MIN_SHARED_TOKENS: usize = 32;
/// How many waiting sequences are looked at for one that can start.
const LOOK_AHEAD: usize = 64;

/// What the engine's thread is asked to do. Lengths were checked before.
#[derive(Debug)]
pub(crate) enum Command {
    /// Answer a prompt.
    Generate {
        tokens: Vec<u32>,
        sampling: Box<Sampling>,
        /// Of the answers, before their first token.
        form: Option<Form>,
        /// For requests without a seed of their own.
        seed: u64,
        /// At least 1.
        max_tokens: u32,
        sink: Sink,
    },
    /// Score the tokens from `first_scored` on, which is at least 1 and below the number of tokens.
    Score {
        tokens: Vec<u32>,
        first_scored: usize,
        reply: oneshot::Sender<Result<Score, CompletionError>>,
    },
    /// Compute the logits of all positions.
    Logits {
        tokens: Vec<u32>,
        reply: oneshot::Sender<LogitsReply>,
    },
}

/// A position whose logits were asked for, and where in the batch it stands.
#[derive(Debug, Clone, Copy)]
struct Output {
    slot_idx: usize,
    position: usize,
    batch_idx: i32,
}

/// Where a sequence can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With an empty cache.
    Empty,
    /// With the first `n_tokens` of the cache of a slot.
    From { slot_idx: usize, n_tokens: usize },
    /// Later: a running sequence is just computing what both begin with.
    Later,
}

/// The state of the engine's thread.
pub(crate) struct Scheduler<'model> {
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    /// Of one slot.
    n_context_tokens: usize,
    n_batch_tokens: usize,
    batching: Batching,
    slots: Vec<Slot>,
    waiting: VecDeque<Waiting>,
    n_arrived: u64,
    /// Recurrent models keep a state that cannot be cut back to a prefix.
    can_share: bool,
    vocabulary: Arc<Vocabulary>,
    counters: Arc<LiveCounters>,
    scratch: Scratch,
    /// How many tokens each slot decodes in this step.
    allowances: Vec<usize>,
    outputs: Vec<Output>,
}

impl<'model> Scheduler<'model> {
    pub(crate) fn new(
        context: LlamaContext<'model>,
        batching: Batching,
        n_slots: usize,
        can_share: bool,
        vocabulary: Arc<Vocabulary>,
        counters: Arc<LiveCounters>,
    ) -> Self {
        let n_batch_tokens = context.n_batch() as usize;
        let n_context_tokens = context.n_ctx() as usize / n_slots;
        Self {
            batch: LlamaBatch::new(n_batch_tokens, 1),
            context,
            n_context_tokens,
            n_batch_tokens,
            batching,
            slots: std::iter::repeat_with(Slot::default)
                .take(n_slots)
                .collect(),
            waiting: VecDeque::new(),
            n_arrived: 0,
            can_share,
            vocabulary,
            counters,
            scratch: Scratch::default(),
            allowances: Vec::new(),
            outputs: Vec::new(),
        }
    }

    /// Works until the other end of `commands` is dropped.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        loop {
            if self.is_idle() {
                match commands.recv() {
                    Ok(command) => self.enqueue(command),
                    Err(_) => return,
                }
            }
            loop {
                match commands.try_recv() {
                    Ok(command) => self.enqueue(command),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.drop_abandoned();
            self.admit();
            self.close_gaps();
            self.step();
            self.publish();
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.slots.iter().any(Slot::is_active)
    }

    fn publish(&self) {
        let n_active = self.slots.iter().filter(|slot| slot.is_active()).count();
        counters::set(&self.counters.n_active_sequences, n_active);
        counters::set(&self.counters.n_queued_sequences, self.waiting.len());
    }

    fn enqueue(&mut self, command: Command) {
        match command {
            Command::Generate {
                tokens,
                sampling,
                form,
                seed,
                max_tokens,
                sink,
            } => {
                let n_choices = sampling.n_choices();
                let delivery = Delivery::new(sink, n_choices as usize, tokens.len());
                let delivery = Rc::new(RefCell::new(delivery));
                for choice_idx in 0..n_choices {
                    let delivery = Rc::clone(&delivery);
                    let form = form.clone();
                    let generation =
                        Generation::new(delivery, choice_idx, &sampling, form, seed, max_tokens);
                    self.push(tokens.clone(), Task::Generate(Box::new(generation)));
                }
            }
            Command::Score {
                tokens,
                first_scored,
                reply,
            } => self.push(tokens, Task::Score(Scoring::new(reply, first_scored))),
            Command::Logits { tokens, reply } => {
                self.push(tokens, Task::Logits(LogitsOfAll::new(reply)));
            }
        }
    }

    fn push(&mut self, tokens: Vec<u32>, task: Task) {
        self.waiting.push_back(Waiting {
            tokens,
            task,
            arrival: self.n_arrived,
        });
        self.n_arrived += 1;
    }

    fn drop_abandoned(&mut self) {
        self.waiting.retain(|waiting| !waiting.task.is_abandoned());
        for slot_idx in 0..self.slots.len() {
            if self.slots[slot_idx].is_abandoned() {
                self.release(slot_idx);
            }
        }
    }

    fn release(&mut self, slot_idx: usize) {
        self.slots[slot_idx].release();
        if !self.can_share {
            self.clear_cache(slot_idx, 0);
        }
    }

    /// Gives idle slots to waiting sequences.
    fn admit(&mut self) {
        let mut waiting_idx = 0;
        while waiting_idx < self.waiting.len().min(LOOK_AHEAD) {
            let Some(idle_idx) = self.slots.iter().position(|slot| !slot.is_active()) else {
                return;
            };
            match self.find_start(&self.waiting[waiting_idx]) {
                Start::Later => waiting_idx += 1,
                start => {
                    if let Some(waiting) = self.waiting.remove(waiting_idx) {
                        self.place(waiting, start, idle_idx);
                    }
                }
            }
        }
    }

    fn find_start(&self, waiting: &Waiting) -> Start {
        if !self.can_share {
            return Start::Empty;
        }
        let n_shareable = waiting.first_output();
        let prefix = &waiting.tokens[..n_shareable];
        let is_worth = |n_tokens: usize| {
            n_tokens > 0 && (n_tokens >= MIN_SHARED_TOKENS || n_tokens == n_shareable)
        };
        let mut best = Start::Empty;
        let mut n_best = 0;
        let mut n_soon = 0;
        for (slot_idx, slot) in self.slots.iter().enumerate() {
            let n_shareable = |n_common| {
                self.batching.n_shareable(
                    n_common,
                    slot.n_prompt_tokens(),
                    waiting.tokens.len(),
                    self.n_batch_tokens,
                )
            };
            let n_common = slot.n_common(prefix);
            let n_tokens = n_shareable(n_common.min(slot.n_cached()));
            n_soon = n_soon.max(n_shareable(n_common));
            // An idle slot is used where it is; of two the first one serves, so that active slots stay together.
            if is_worth(n_tokens) && (n_tokens > n_best || n_tokens == n_best && !slot.is_active())
            {
                best = Start::From { slot_idx, n_tokens };
                n_best = n_tokens;
            }
        }
        if is_worth(n_soon) && is_worth_waiting(n_soon, n_best, n_shareable) {
            return Start::Later;
        }
        best
    }

    fn place(&mut self, waiting: Waiting, start: Start, idle_idx: usize) {
        let (slot_idx, n_cached) = match start {
            Start::Empty | Start::Later => (idle_idx, 0),
            Start::From { slot_idx, n_tokens } if !self.slots[slot_idx].is_active() => {
                (slot_idx, n_tokens)
            }
            Start::From { slot_idx, n_tokens } => {
                self.copy_cache(slot_idx, idle_idx);
                (idle_idx, n_tokens)
            }
        };
        let n_cached = self.clear_cache(slot_idx, n_cached);
        counters::add(&self.counters.n_reused_tokens, n_cached);
        self.slots[slot_idx].start(waiting, n_cached);
    }

    /// Moves the last sequences into gaps, so that the active slots have consecutive numbers.
    ///
    /// A gap would split every following step into two graphs, each reading all weights; the copy happens once.
    fn close_gaps(&mut self) {
        loop {
            let first = self.slots.iter().position(Slot::is_active);
            let last = self.slots.iter().rposition(Slot::is_active);
            let (Some(first), Some(last)) = (first, last) else {
                return;
            };
            let Some(gap) = (first..last).find(|idx| !self.slots[*idx].is_active()) else {
                return;
            };
            self.copy_cache(last, gap);
            let (before, after) = self.slots.split_at_mut(last);
            after[0].move_to(&mut before[gap]);
            if !self.can_share {
                self.clear_cache(last, 0);
            }
        }
    }

    /// Makes the cache of slot `to` equal to that of slot `from`; the bytes are copied by the next decoding.
    fn copy_cache(&mut self, from: usize, to: usize) {
        self.context
            .kv_cache_seq_cp(sequence_id(from), sequence_id(to), None, None)
            .expect("the range is open, so no position can be too large");
    }

    /// Cuts the cache of a slot back to `n_tokens` and returns how many are left.
    fn clear_cache(&mut self, slot_idx: usize, n_tokens: usize) -> usize {
        let start = u32::try_from(n_tokens).ok().filter(|start| *start > 0);
        let sequence = sequence_id(slot_idx);
        if self.context.kv_cache_seq_rm(sequence, start, None).is_ok() && start.is_some() {
            return n_tokens;
        }
        // Removing all of a sequence always succeeds.
        let _ = self.context.kv_cache_seq_rm(sequence, None, None);
        self.slots[slot_idx].forget();
        0
    }

    /// Decodes one batch.
    fn step(&mut self) {
        match self.batching {
            Batching::Fastest => self.plan_mixed(),
            Batching::Reproducible => self.plan_apart(),
        }
        self.fill();
        if self.batch.n_tokens() == 0 {
            return;
        }
        backend::clear_last_error();
        let decoded = self.context.decode(&mut self.batch);
        counters::add(&self.counters.n_batches, 1);
        match decoded {
            Ok(()) => self.read_outputs(),
            Err(error) => {
                let message = backend::take_last_error().unwrap_or_else(|| error.to_string());
                self.fail_batch(&message);
            }
        }
    }

    /// A piece of the oldest prompt, or a token of every slot: one that an idle slot decodes is thrown away.
    fn plan_apart(&mut self) {
        self.allowances.clear();
        let oldest_prompt = self.oldest_prompt(|_| true);
        if let Some(slot_idx) = oldest_prompt {
            self.allowances.resize(self.slots.len(), 0);
            let slot = &self.slots[slot_idx];
            let start = slot.n_cached();
            let n_tokens = start + slot.n_pending();
            let end = self
                .batching
                .piece_end(start, n_tokens, self.n_batch_tokens);
            self.allowances[slot_idx] = end - start;
        } else if self.slots.iter().any(Slot::is_active) {
            self.allowances.resize(self.slots.len(), 1);
            for slot_idx in 0..self.slots.len() {
                if self.slots[slot_idx].is_active() {
                    continue;
                }
                if self.slots[slot_idx].n_cached() == self.n_context_tokens {
                    self.clear_cache(slot_idx, 0);
                }
                self.slots[slot_idx].pad();
            }
        }
    }

    /// The slot with the prompt that arrived first, of those that are `eligible`.
    fn oldest_prompt(&self, eligible: impl Fn(usize) -> bool) -> Option<usize> {
        (0..self.slots.len())
            .filter(|idx| self.slots[*idx].n_pending() > 1 && eligible(*idx))
            .min_by_key(|idx| self.slots[*idx].arrival())
    }

    /// Divides the batch among the slots.
    fn plan_mixed(&mut self) {
        self.allowances.clear();
        self.allowances.resize(self.slots.len(), 0);
        let mut n_left = self.n_batch_tokens;
        for (slot, allowance) in self.slots.iter().zip(&mut self.allowances) {
            if slot.n_pending() == 1 && n_left > 0 {
                *allowance = 1;
                n_left -= 1;
            }
        }
        while n_left > 0 {
            let Some(slot_idx) = self.oldest_prompt(|idx| self.allowances[idx] == 0) else {
                return;
            };
            let allowance = self.slots[slot_idx].n_pending().min(n_left);
            self.allowances[slot_idx] = allowance;
            n_left -= allowance;
        }
    }

    /// Writes the planned tokens into the batch, in the order of their slots.
    fn fill(&mut self) {
        self.batch.clear();
        self.outputs.clear();
        for (slot_idx, slot) in self.slots.iter().enumerate() {
            for position in slot.n_cached()..slot.n_cached() + self.allowances[slot_idx] {
                let is_output = slot.is_output(position);
                if is_output {
                    self.outputs.push(Output {
                        slot_idx,
                        position,
                        batch_idx: self.batch.n_tokens(),
                    });
                }
                let token = LlamaToken(slot.token(position).cast_signed());
                let position = i32::try_from(position).expect("contexts have at most 2^31 tokens");
                self.batch
                    .add(token, position, &[sequence_id(slot_idx)], is_output)
                    .expect("the plan fits the batch");
            }
        }
    }

    fn read_outputs(&mut self) {
        for slot_idx in 0..self.slots.len() {
            let allowance = self.allowances[slot_idx];
            let slot = &mut self.slots[slot_idx];
            if slot.is_active() {
                let n_prompt_tokens = slot.n_prompt_tokens_of_next(allowance);
                counters::add(&self.counters.n_prompt_tokens, n_prompt_tokens);
                slot.advance(allowance);
            } else if allowance > 0 {
                slot.release();
                self.clear_cache(slot_idx, self.slots[slot_idx].n_cached());
            }
        }
        let mut n_generated = 0;
        for output in &self.outputs {
            let logits = self.context.get_logits_ith(output.batch_idx);
            let slot = &mut self.slots[output.slot_idx];
            let is_generated =
                slot.read(output.position, logits, &self.vocabulary, &mut self.scratch);
            n_generated += usize::from(is_generated);
        }
        counters::add(&self.counters.n_generated_tokens, n_generated);
        if !self.can_share {
            for slot_idx in 0..self.slots.len() {
                if self.allowances[slot_idx] > 0 && !self.slots[slot_idx].is_active() {
                    self.clear_cache(slot_idx, 0);
                }
            }
        }
    }

    /// Ends all sequences of a batch that could not be decoded.
    fn fail_batch(&mut self, message: &str) {
        for slot_idx in 0..self.slots.len() {
            if self.allowances[slot_idx] > 0 {
                self.slots[slot_idx].fail(CompletionError::Engine {
                    message: message.to_owned(),
                });
                self.clear_cache(slot_idx, 0);
            }
        }
    }
}

/// Whether `n_soon` shared tokens are so many more than the `n_now` that can be had at once that waiting pays.
fn is_worth_waiting(n_soon: usize, n_now: usize, n_shareable: usize) -> bool {
    n_soon > n_now && (n_soon - n_now >= MIN_SHARED_TOKENS || n_soon == n_shareable)
}

fn sequence_id(slot_idx: usize) -> i32 {
    i32::try_from(slot_idx).expect("the number of slots was checked when the engine was loaded")
}
