//! The thread that owns the llama.cpp context.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_sys_2 as sys;

use crate::backend;
use crate::counters::LiveCounters;
use crate::error::EngineError;
use crate::options::{CachePrecision, EngineOptions};
use crate::scheduler::{Command, Scheduler};
use crate::vocabulary::Vocabulary;

/// The running thread; dropped, it ends after its current step.
#[derive(Debug)]
pub(crate) struct EngineThread {
    /// `None` only while dropping.
    commands: Option<std::sync::mpsc::Sender<Command>>,
    handle: Option<JoinHandle<()>>,
}

/// What the thread works with.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) backend: &'static LlamaBackend,
    pub(crate) model: Arc<LlamaModel>,
    pub(crate) vocabulary: Arc<Vocabulary>,
    pub(crate) counters: Arc<LiveCounters>,
    pub(crate) options: EngineOptions,
}

impl Work {
    fn n_slots(&self) -> u32 {
        let n_sequences = self.options.n_parallel_sequences;
        self.options.batching.n_slots(n_sequences)
    }
}

impl EngineThread {
    /// Starts the thread and waits until its context is ready.
    ///
    /// # Errors
    /// [`EngineError::Thread`] or [`EngineError::Context`].
    pub(crate) fn start(work: Work) -> Result<Self, EngineError> {
        let (commands, receiver) = channel();
        let (ready, is_ready) = sync_channel(1);
        let handle = std::thread::Builder::new()
            .name("llama-engine".to_owned())
            .spawn(move || run(&work, &receiver, &ready))
            .map_err(EngineError::Thread)?;
        let started = Self {
            commands: Some(commands),
            handle: Some(handle),
        };
        match is_ready.recv() {
            Ok(Ok(())) => Ok(started),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(EngineError::Thread(std::io::Error::other(
                "it ended while it was starting",
            ))),
        }
    }

    /// Asks for work; false when the thread has ended, which only a panic in it can cause.
    pub(crate) fn send(&self, command: Command) -> bool {
        self.commands
            .as_ref()
            .is_some_and(|commands| commands.send(command).is_ok())
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(handle) = self.handle.take() {
            // Waiting keeps llama.cpp from computing while the process takes its globals down. A panic was reported by
            // the thread itself.
            let _ = handle.join();
        }
    }
}

fn run(work: &Work, commands: &Receiver<Command>, ready: &SyncSender<Result<(), EngineError>>) {
    let context = match new_context(work) {
        Ok(context) => context,
        Err(error) => {
            // Nobody waits any more only when the process is ending.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let scheduler = Scheduler::new(
        context,
        work.options.batching,
        work.n_slots() as usize,
        !(work.model.is_recurrent() || work.model.is_hybrid()),
        Arc::clone(&work.vocabulary),
        Arc::clone(&work.counters),
    );
    let _ = ready.send(Ok(()));
    scheduler.run(commands);
}

fn new_context(work: &Work) -> Result<LlamaContext<'_>, EngineError> {
    let options = &work.options;
    let n_sequences = work.n_slots();
    let n_batch = options
        .batching
        .n_batch_tokens(options.n_batch_tokens, n_sequences);
    // Flash attention rounds a 32-bit cache to 16 bits and adds up in 16 bits where a step has few tokens.
    let (cache_type, flash_attention) = match options.cache_precision {
        CachePrecision::F16 => (KvCacheType::F16, sys::LLAMA_FLASH_ATTN_TYPE_AUTO),
        CachePrecision::F32 => (KvCacheType::F32, sys::LLAMA_FLASH_ATTN_TYPE_DISABLED),
    };
    let n_threads = options.n_threads(work.model.n_params());
    let parameters = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(options.n_context_tokens * n_sequences))
        .with_n_batch(n_batch)
        .with_n_ubatch(n_batch)
        .with_n_seq_max(n_sequences)
        .with_n_threads(n_threads)
        .with_n_threads_batch(n_threads)
        .with_type_k(cache_type)
        .with_type_v(cache_type)
        .with_flash_attention_policy(flash_attention)
        .with_kv_unified(false)
        .with_no_perf(true);
    backend::clear_last_error();
    work.model
        .new_context(work.backend, parameters)
        .map_err(|error| EngineError::Context {
            n_parallel_sequences: n_sequences,
            n_context_tokens: options.n_context_tokens,
            message: backend::take_last_error().unwrap_or_else(|| error.to_string()),
        })
}
