//! The engine with a tiny model of random weights.

#![allow(clippy::unwrap_used)] // helpers of tests may panic as the tests do

mod answers;
mod batching;
mod constraints;
mod families;
mod files;
mod quantizing;
mod reproducing;
mod scoring;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use futures::executor::block_on;
use ilab_infer::{CachePrecision, Engine, EngineOptions};
use ilab_openai::completer::{Completer, Completion, CompletionError, Prompt, Request, Sampling};
use ilab_testkit::tiny_llama;

/// The model file. Every test process writes it anew, each over the other's equal bytes and in one step.
static MODEL: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tiny-llama");
    tiny_llama::write_gguf(&folder).unwrap()
});

fn options() -> EngineOptions {
    EngineOptions {
        n_context_tokens: 512,
        n_parallel_sequences: 4,
        // Threads of llama.cpp wait for each other in loops, which takes long where tests run side by side.
        n_threads: Some(1),
        // With 16 bits, sums depend on how a prompt is divided into batches.
        cache_precision: CachePrecision::F32,
        ..EngineOptions::new(MODEL.clone())
    }
}

fn engine() -> Engine {
    Engine::load(options()).unwrap()
}

fn engine_with(change: impl FnOnce(&mut EngineOptions)) -> Engine {
    let mut options = options();
    change(&mut options);
    Engine::load(options).unwrap()
}

fn request(text: &str, change: impl FnOnce(&mut Sampling)) -> Request {
    let mut sampling = Sampling {
        temperature: Some(0.0),
        max_tokens: Some(24),
        ..Sampling::default()
    };
    change(&mut sampling);
    Request {
        prompt: Prompt::Text(text.to_owned()),
        sampling,
    }
}

fn complete(engine: &Engine, request: Request) -> Result<Completion, CompletionError> {
    block_on(engine.complete(request))
}

/// The text of the only choice.
fn text(engine: &Engine, request: Request) -> String {
    let completion = complete(engine, request).unwrap();
    assert_eq!(completion.choices.len(), 1);
    completion.choices[0].text.clone()
}

/// A prompt of many different words.
fn long_text(n_words: usize) -> String {
    (0..n_words)
        .map(|idx| format!("word{} ", idx * 7919 % 1000))
        .collect()
}
