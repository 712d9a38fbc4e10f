//! Why a model cannot be converted.

use std::path::PathBuf;

use ilab_base::cancel::Cancelled;
use ilab_base::hint::Hint;
use ilab_base::io::IoError;
use ilab_weights::adapter::AdapterError;
use ilab_weights::checkpoint::CheckpointError;
use ilab_weights::config::ConfigError;
use ilab_weights::gguf::GgufError;
use ilab_weights::gguf_model::TokenizerError;

/// A model cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// config.json cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The adapter cannot be used.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// The tokenizer of a GGUF file cannot be written as files.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The GGUF file cannot be written.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The work was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A JSON file is malformed.
    #[error("`{}` is not what a tokenizer file has to be", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// The tokenizer does something that llama.cpp does not.
    #[error("`{}`: {part} `{got}` cannot be expressed in GGUF; supported: {supported}", path.display())]
    UnsupportedTokenizer {
        /// The file.
        path: PathBuf,
        /// The part of the tokenizer.
        part: &'static str,
        /// What it is.
        got: String,
        /// What it may be.
        supported: &'static str,
    },
    /// Two tokens have one id.
    #[error("`{}`: `{first}` and `{second}` both have the id {id}", path.display())]
    DuplicateToken {
        /// The file.
        path: PathBuf,
        /// The id.
        id: u64,
        /// One token.
        first: String,
        /// The other.
        second: String,
    },
    /// A token's id has no row in the embedding.
    #[error("`{}`: the token `{token}` has the id {id}, but the model has {vocab_size} rows", path.display())]
    TokenOutsideModel {
        /// The file.
        path: PathBuf,
        /// The token.
        token: String,
        /// Its id.
        id: u64,
        /// `vocab_size` of config.json.
        vocab_size: usize,
    },
    /// No end-of-sequence token: generation would never stop.
    #[error("`{}` names no end-of-sequence token of the vocabulary", path.display())]
    NoEndOfSequence {
        /// The file.
        path: PathBuf,
    },
    /// A tensor of the checkpoint has no place in the file.
    #[error("`{}` holds the tensor `{tensor}`, which its architecture does not have", folder.display())]
    UnknownTensor {
        /// The model folder.
        folder: PathBuf,
        /// The tensor.
        tensor: String,
    },
}

impl Hint for ConvertError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) if error.is_not_found() => {
                "pass the folder of a Hugging Face model: one with config.json, tokenizer.json and *.safetensors"
            }
            Self::Io(error) => return error.hints(),
            Self::Config(error) => return error.hints(),
            Self::Checkpoint(error) => return error.hints(),
            Self::Adapter(error) => return error.hints(),
            Self::Tokenizer(error) => return error.hints(),
            Self::Gguf(error) => return error.hints(),
            Self::Cancelled(_) => return Vec::new(),
            Self::Json { .. } | Self::DuplicateToken { .. } | Self::TokenOutsideModel { .. } => {
                "the file may be damaged or belong to another model: download or copy the model folder again"
            }
            Self::UnsupportedTokenizer { .. } => {
                "use a model with a byte-level BPE tokenizer, or its published GGUF file"
            }
            Self::NoEndOfSequence { .. } => "set `eos_token` in tokenizer_config.json",
            Self::UnknownTensor { .. } => {
                "use a model of a supported architecture, such as Granite 3, Llama, Mistral or Qwen"
            }
        };
        vec![hint.to_owned()]
    }
}
