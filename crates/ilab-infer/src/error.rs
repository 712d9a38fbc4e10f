//! Why there is no engine.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_base::io::IoError;

use crate::preflight::PreflightError;

/// A model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file does not exist or cannot be looked at.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The path is a directory, a device or a pipe.
    #[error("the model `{}` is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The name of the file is not UTF-8, which llama.cpp needs.
    #[error("the path `{}` is not valid UTF-8", path.display())]
    PathNotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// The file is not a usable model.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// llama.cpp refused the model.
    #[error("llama.cpp cannot load `{}`: {message}", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What llama.cpp reported.
        message: String,
    },
    /// There is not enough memory for the caches of all sequences, or the model cannot be computed.
    #[error(
        "cannot prepare {n_parallel_sequences} sequences of {n_context_tokens} tokens: {message}"
    )]
    Context {
        /// How many sequences at once.
        n_parallel_sequences: u32,
        /// Tokens of each.
        n_context_tokens: u32,
        /// What llama.cpp reported.
        message: String,
    },
    /// An option is outside its range.
    #[error("`{option}` is {got}, expected {min} to {max}")]
    OptionOutOfRange {
        /// The field of [`crate::EngineOptions`].
        option: &'static str,
        /// The value given.
        got: u64,
        /// The least that is accepted.
        min: u64,
        /// The most that is accepted.
        max: u64,
    },
    /// The operating system gave no thread.
    #[error("cannot start the engine's thread")]
    Thread(#[source] std::io::Error),
    /// Something else in this process uses llama.cpp.
    #[error("llama.cpp was started by another part of this process")]
    BackendInUse,
}

impl Hint for EngineError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) if error.is_not_found() => "check the path of the model",
            Self::Io(error) => return error.hints(),
            Self::Preflight(error) => return error.hints(),
            Self::NotAFile { path } if path.is_dir() => {
                "give a GGUF file, or make one from that folder with `ilab model convert --model-dir DIR`"
            }
            Self::NotAFile { .. } => "give a GGUF file",
            Self::PathNotUtf8 { .. } => "rename the file",
            Self::Load { .. } => {
                "the file may come from a newer llama.cpp, or be of an architecture that is not supported"
            }
            Self::Context { .. } => "use fewer sequences or a smaller context",
            Self::OptionOutOfRange { .. } | Self::Thread(_) | Self::BackendInUse => {
                return Vec::new();
            }
        };
        vec![hint.to_owned()]
    }
}
