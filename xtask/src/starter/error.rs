//! What can go wrong while the starter model is made.

use ilab_base::hint::Hint;
use ilab_base::io::IoError;
use ilab_sdg::prompt::PromptError;
use ilab_train::error::TrainError;

use crate::starter::grammar_error::GrammarError;

/// A step that failed.
#[derive(Debug, thiserror::Error)]
pub enum StarterError {
    /// A file of the grammar is wrong.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
    /// A pipeline prompt cannot be rendered.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A line of a corpus is not a sample.
    #[error("{path}:{line}: not a sample")]
    Sample {
        /// The corpus.
        path: String,
        /// The line number, from 1.
        line: usize,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// The tokenizer cannot be trained or written.
    #[error("the tokenizer cannot be {action}")]
    Tokenizer {
        /// What was attempted.
        action: &'static str,
        /// What the library says.
        #[source]
        source: tokenizers::Error,
    },
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl Hint for StarterError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Prompt(error) => error.hints(),
            Self::Sample { .. } => {
                vec!["write the corpus with `cargo xtask starter corpus`".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
