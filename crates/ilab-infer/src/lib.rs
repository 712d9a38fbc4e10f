//! The llama.cpp engine: scheduling, sampling, scoring, quantising.
//!
//! [`Engine`] owns one model and one thread that decodes for all callers at once: requests join and leave the running
//! batch at every step. It answers through the traits of `ilab-openai`, so that callers do not know where a model runs.
//!
//! Deliberately absent: HTTP (that is `ilab-server`), downloads, the choice of a model, and an async runtime. Futures and
//! streams of this crate work on any executor.
//!
//! llama.cpp ends the process on files that it does not expect, so every file passes [`ilab_weights::gguf`] and
//! [`preflight`] first. Its log goes to `tracing` with the target `llama.cpp`.

mod answer_text;
mod backend;
mod batching;
mod chat;
mod constraint;
mod counters;
mod delivery;
mod engine;
mod error;
mod generation;
mod limits;
mod log_probability;
mod options;
pub mod preflight;
pub mod quantize;
mod sampler;
mod scheduler;
mod score;
mod slot;
mod thread;
mod vocabulary;

pub use batching::Batching;
pub use counters::Counters;
pub use engine::Engine;
pub use error::EngineError;
pub use options::{CachePrecision, EngineOptions};
pub use vocabulary::SpecialTokens;
