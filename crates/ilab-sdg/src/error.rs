//! Why a run ends without a dataset.

use ilab_base::cancel::Cancelled;
use ilab_base::hint::Hint;
use ilab_base::io::IoError;
use ilab_documents::source::DocumentError;
use ilab_openai::completer::CompletionError;

use crate::dataset::RecipeError;
use crate::drops::Drops;
use crate::journal::JournalError;
use crate::pipeline::PipelineError;
use crate::prompt::PromptError;

/// Why there is no dataset.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// There is nothing to generate from.
    #[error("no leaf of the taxonomy is selected, so there is nothing to generate")]
    NoLeaves,
    /// The pipeline cannot be used.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// A recipe of datasets that are mixed in cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// A row does not fit a prompt.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// The documents of a leaf cannot be had.
    #[error("the documents of `{leaf}` cannot be read")]
    Documents {
        /// The qna.yaml of the leaf.
        leaf: String,
        /// Why.
        #[source]
        source: DocumentError,
    },
    /// The documents of a leaf hold no text.
    #[error("the documents of `{leaf}` hold no text")]
    NoText {
        /// The qna.yaml of the leaf.
        leaf: String,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The teacher failed in a way that every other request would meet as well.
    #[error("the teacher failed; {n_kept} finished requests are kept")]
    Teacher {
        /// Requests whose answers are kept.
        n_kept: usize,
        /// What it said.
        #[source]
        source: CompletionError,
    },
    /// Nearly all of the first rows of a block were left out.
    #[error("only {n_kept} of the first {n_judged} rows passed `{block}`")]
    Unfit {
        /// The block.
        block: String,
        /// Rows that passed.
        n_kept: usize,
        /// Rows that were looked at.
        n_judged: usize,
        /// Some that were left out.
        examples: Drops,
    },
    /// Not one sample passed the checks.
    #[error("nothing usable was generated: all {} samples were left out", drops.n_samples())]
    NothingKept {
        /// Why each was left out.
        drops: Drops,
    },
    /// The files cannot be written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The user stopped it.
    #[error("cancelled")]
    Cancelled,
}

impl From<Cancelled> for GenerateError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl Hint for GenerateError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NoLeaves => vec![
                "`ilab taxonomy diff` says which files are there and why each is left out"
                    .to_owned(),
                "`--taxonomy-base empty` takes every file".to_owned(),
            ],
            Self::Pipeline(error) => error.hints(),
            Self::Recipe(error) => error.hints(),
            Self::Prompt(error) => error.hints(),
            Self::Documents { source, .. } => source.hints(),
            Self::NoText { .. } => {
                vec!["check the files that `document.patterns` selects".to_owned()]
            }
            Self::Journal(error) => error.hints(),
            Self::Teacher { source, .. } => source.hints(),
            Self::Unfit { examples, .. } => {
                let reason = examples
                    .main_reason()
                    .map(|reason| reason.remedy().to_owned());
                let go_on = "`--keep-going` goes on all the same; answers so far are kept";
                reason.into_iter().chain([go_on.to_owned()]).collect()
            }
            Self::NothingKept { drops } => {
                let reason = drops.main_reason();
                reason
                    .map(|reason| reason.remedy().to_owned())
                    .into_iter()
                    .collect()
            }
            Self::Io(error) => error.hints(),
            Self::Cancelled => {
                vec!["run the same command again: finished requests are kept".to_owned()]
            }
        }
    }
}
