//! What keeps a training from starting or going on.

use ilab_base::cancel::Cancelled;
use ilab_base::hint::Hint;
use ilab_base::io::IoError;
use ilab_text::tokenizer::TokenizerError;
use ilab_weights::adapter::AdapterError;
use ilab_weights::config::ConfigError;
use ilab_weights::safetensors::CheckpointError;

use crate::dataset::DatasetError;
use crate::device::DeviceError;
use crate::resume::ResumeError;

/// Training cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// `config.json` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The data cannot be used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The device cannot be used, or failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The settings of a run have no JSON.
    #[error("the settings cannot be written down")]
    Settings(#[source] serde_json::Error),
    /// The state of an earlier run cannot be used.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// An adapter cannot be written.
    #[error(transparent)]
    Adapter(#[from] AdapterError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A token has no row in the embedding.
    #[error("token {id} of a sample lies outside of the model's vocabulary of {vocab_size}")]
    Token {
        /// The token.
        id: u32,
        /// Rows of the embedding.
        vocab_size: usize,
    },
    /// A sample is longer than the model was built for.
    #[error("a sample of {n_tokens} tokens in a model that was built for {n_positions}")]
    Length {
        /// Tokens of the sample.
        n_tokens: usize,
        /// Positions that the model knows.
        n_positions: usize,
    },
    /// The architecture has a part whose tensor is not among its own.
    #[error("the model's architecture has no tensor `{name}`")]
    NoTensor {
        /// The tensor.
        name: String,
    },
    /// A weight that was read is not a number.
    #[error("tensor `{name}` holds {value} at element {element}")]
    DamagedWeight {
        /// The tensor.
        name: String,
        /// Its element, row-major.
        element: usize,
        /// The value.
        value: f32,
    },
    /// The loss or the gradient is not a number any more; the weights are those of the step before.
    #[error("the {what} of step {step} is {value} at a learning rate of {lr:.2e}{}", place(tensor.as_ref()))]
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// What is not finite.
        what: &'static str,
        /// What it is instead.
        value: f64,
        /// Its learning rate.
        lr: f64,
        /// The last layer whose gradient is a number no more, where one is: the backward pass comes to it first.
        tensor: Option<String>,
    },
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

fn place(tensor: Option<&String>) -> String {
    tensor.map_or_else(String::new, |tensor| format!(", first in `{tensor}`"))
}

impl Hint for TrainError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Config(error) => error.hints(),
            Self::Checkpoint(error) => error.hints(),
            Self::Tokenizer(error) => error.hints(),
            Self::Dataset(error) => error.hints(),
            Self::Device(error) => error.hints(),
            Self::Resume(error) => error.hints(),
            Self::Adapter(error) => error.hints(),
            Self::Io(error) => error.hints(),
            Self::Token { .. } => {
                vec!["use the tokenizer that belongs to the model".to_owned()]
            }
            Self::Length { .. } => vec!["lower `--max-seq-len`".to_owned()],
            Self::DamagedWeight { .. } => {
                vec!["the file is damaged: download or copy the folder again".to_owned()]
            }
            // Nothing was changed before the first step.
            Self::NotFinite { step: 1, .. } => vec![
                "the weights of the model may be damaged: download or copy its folder again"
                    .to_owned(),
            ],
            Self::NotFinite { .. } => vec!["lower `--learning-rate`".to_owned()],
            Self::NoTensor { .. } | Self::Settings(_) | Self::Cancelled(_) => Vec::new(),
        }
    }
}
