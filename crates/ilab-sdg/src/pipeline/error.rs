//! Why a pipeline cannot be used.

use ilab_base::hint::Hint;
use ilab_base::io::IoError;

use crate::embedded;
use crate::prompt::PromptError;
use crate::yaml::YamlError;

/// A pipeline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// Neither a built-in pipeline nor a folder.
    #[error("there is no pipeline `{name}`")]
    UnknownName {
        /// What was asked for.
        name: String,
    },
    /// A pipeline or prompt file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A pipeline file says something that cannot be used.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A prompt file cannot be used.
    #[error(transparent)]
    Prompt(#[from] PromptError),
}

impl Hint for PipelineError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::UnknownName { .. } => vec![format!(
                "`--pipeline` takes {} or a folder with knowledge.yaml, freeform_skills.yaml and grounded_skills.yaml",
                embedded::NAMES.map(|name| format!("`{name}`")).join(", ")
            )],
            Self::Io(error) if error.is_not_found() => vec![
                "a pipeline folder holds knowledge.yaml, freeform_skills.yaml, grounded_skills.yaml and the prompt files that they name".to_owned(),
            ],
            Self::Io(error) => error.hints(),
            Self::Yaml(error) => error.hints(),
            Self::Prompt(error) => error.hints(),
        }
    }
}
