//! What the engine has done and is doing, for metrics and tests.

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of the engine's work; read with [`crate::Engine::counters`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sequences in the batch now.
    pub n_active_sequences: u64,
    /// Sequences that wait for a place.
    pub n_queued_sequences: u64,
    /// Prompt tokens computed since the start.
    pub n_prompt_tokens: u64,
    /// Prompt tokens taken over from another sequence instead of being computed.
    pub n_reused_tokens: u64,
    /// Tokens generated since the start.
    pub n_generated_tokens: u64,
    /// Batches decoded since the start.
    pub n_batches: u64,
}

/// The live numbers behind [`Counters`].
#[derive(Debug, Default)]
pub(crate) struct LiveCounters {
    pub(crate) n_active_sequences: AtomicU64,
    pub(crate) n_queued_sequences: AtomicU64,
    pub(crate) n_prompt_tokens: AtomicU64,
    pub(crate) n_reused_tokens: AtomicU64,
    pub(crate) n_generated_tokens: AtomicU64,
    pub(crate) n_batches: AtomicU64,
}

impl LiveCounters {
    pub(crate) fn snapshot(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            n_active_sequences: read(&self.n_active_sequences),
            n_queued_sequences: read(&self.n_queued_sequences),
            n_prompt_tokens: read(&self.n_prompt_tokens),
            n_reused_tokens: read(&self.n_reused_tokens),
            n_generated_tokens: read(&self.n_generated_tokens),
            n_batches: read(&self.n_batches),
        }
    }
}

/// Adds to a live number.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Ordering::Relaxed);
}

/// Replaces a live number.
pub(crate) fn set(counter: &AtomicU64, n: usize) {
    counter.store(n as u64, Ordering::Relaxed);
}
