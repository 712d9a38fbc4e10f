//! How a model is run.

use std::path::PathBuf;

use crate::batching::Batching;
use crate::error::EngineError;

/// `LLAMA_MAX_SEQ` of llama.cpp.
const MAX_SEQUENCES: u32 = 256;
/// Prompts are computed in pieces of this many tokens; more makes a long prompt faster and the others wait longer.
const DEFAULT_BATCH_TOKENS: u32 = 512;

/// Models below this are computed by one thread unless told otherwise.
const SMALL_MODEL_PARAMETERS: u64 = 50_000_000;

/// How numbers are kept in the key-value cache, and how precisely attention is computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CachePrecision {
    /// 16 bits, the usual choice: logits differ by some thousandths of their size with the division into batches.
    #[default]
    F16,
    /// 32 bits: slower and twice the memory, for comparing with other implementations.
    F32,
}

/// How a model is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    /// The GGUF file.
    pub model_path: PathBuf,
    /// Tokens of a prompt and its answer together; at most what the model was trained on is used.
    pub n_context_tokens: u32,
    /// How many sequences are computed at once; each has a cache of `n_context_tokens`. More wait.
    pub n_parallel_sequences: u32,
    /// Threads to compute with; `None` takes as many as the machine has, and one for a small model.
    pub n_threads: Option<u32>,
    /// Layers that a GPU computes; `None` is all of them, where there is a GPU.
    pub n_gpu_layers: Option<u32>,
    /// How many tokens of prompts are computed in one step.
    pub n_batch_tokens: u32,
    /// Which sequences are computed together.
    pub batching: Batching,
    /// How the key-value cache is kept.
    pub cache_precision: CachePrecision,
    /// A chat template (Jinja) in place of the one in the model's file.
    pub chat_template: Option<String>,
}

impl EngineOptions {
    /// One sequence of up to 4,096 tokens.
    pub fn new(model_path: impl Into<PathBuf>) -> Self {
        Self {
            model_path: model_path.into(),
            n_context_tokens: 4096,
            n_parallel_sequences: 1,
            n_threads: None,
            n_gpu_layers: None,
            n_batch_tokens: DEFAULT_BATCH_TOKENS,
            batching: Batching::default(),
            cache_precision: CachePrecision::default(),
            chat_template: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), EngineError> {
        // llama.cpp counts tokens of all sequences in 32 bits.
        let max_context = i32::MAX.cast_unsigned() / self.n_parallel_sequences.max(1) / 2;
        let checks = [
            (
                "n_parallel_sequences",
                self.n_parallel_sequences,
                MAX_SEQUENCES,
            ),
            ("n_context_tokens", self.n_context_tokens, max_context),
            ("n_batch_tokens", self.n_batch_tokens, 1 << 20),
            ("n_threads", self.n_threads.unwrap_or(1), 512),
        ];
        for (option, got, max) in checks {
            if !(1..=max).contains(&got) {
                return Err(EngineError::OptionOutOfRange {
                    option,
                    got: got.into(),
                    min: 1,
                    max: max.into(),
                });
            }
        }
        Ok(())
    }

    /// The number of threads to compute with.
    ///
    /// llama.cpp's threads wait for each other in a loop after every operation, and those of a small model take
    /// microseconds. Where another process wants the core, each wait lasts until the scheduler's next turn: a model of 6 M
    /// parameters and 2 cores gave 1.75 times the tokens with two threads on a quiet machine, and a hundredth on a busy one.
    pub(crate) fn n_threads(&self, n_parameters: u64) -> i32 {
        let n_threads = match self.n_threads {
            Some(n_threads) => n_threads as usize,
            None if n_parameters < SMALL_MODEL_PARAMETERS => 1,
            None => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        };
        i32::try_from(n_threads).unwrap_or(1)
    }
}
