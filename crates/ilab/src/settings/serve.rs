//! `ilab model serve`.

use std::path::PathBuf;

use crate::cli::model::ServeArgs;
use crate::error::CommandError;
use crate::settings::Invocation;

/// What the built-in engine is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineSettings {
    /// A GGUF file, or a folder with one.
    pub(crate) model_path: PathBuf,
    /// Tokens of a prompt and its answer together.
    pub(crate) n_context_tokens: u32,
    /// Layers on the GPU; `None` is all of them.
    pub(crate) n_gpu_layers: Option<u32>,
    /// Threads; `None` leaves it to the engine.
    pub(crate) n_threads: Option<u32>,
    /// A chat template in place of the one in the model's file.
    pub(crate) chat_template: Option<PathBuf>,
}

/// What `ilab model serve` needs.
#[derive(Debug)]
pub(crate) struct ServeSettings {
    pub(crate) engine: EngineSettings,
    pub(crate) host: String,
    /// 0 picks a free one.
    pub(crate) port: u16,
}

impl ServeSettings {
    pub(crate) fn resolve(args: ServeArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let config = invocation.config()?.serve;
        Ok(Self {
            engine: EngineSettings {
                model_path: args.model_path.unwrap_or(config.model_path),
                n_context_tokens: args.max_ctx_size.unwrap_or(config.llama_cpp.max_ctx_size),
                n_gpu_layers: n_gpu_layers(args.gpu_layers.unwrap_or(config.llama_cpp.gpu_layers)),
                n_threads: args.num_threads,
                chat_template: chat_template(args.chat_template.or(config.chat_template)),
            },
            host: args.host.unwrap_or(config.server.host),
            port: args.port.unwrap_or(config.server.port),
        })
    }
}

/// Any negative number is all layers; the original's default is -1.
pub(super) fn n_gpu_layers(layers: i32) -> Option<u32> {
    u32::try_from(layers).ok()
}

/// `auto` and `tokenizer` are one: the model's file has the tokenizer's template. Anything else is a path.
pub(super) fn chat_template(template: Option<String>) -> Option<PathBuf> {
    template
        .filter(|template| !matches!(template.as_str(), "" | "auto" | "tokenizer"))
        .map(PathBuf::from)
}
