//! What `ilab quickstart` is asked for. The configuration file plays no part: the run is the same for everybody.

use std::path::{Path, PathBuf};

use crate::cli::quickstart::QuickstartArgs;

/// One run.
#[derive(Debug)]
pub(crate) struct QuickstartSettings {
    /// Where the files stay; a temporary folder is removed at the end.
    pub(crate) keep: Option<PathBuf>,
    /// What is taught.
    pub(crate) topic: Topic,
    /// Print a JSON object.
    pub(crate) is_json: bool,
    /// A Hugging Face folder in place of the starter model.
    pub(crate) student: Option<PathBuf>,
}

/// What is taught.
#[derive(Debug)]
pub(crate) enum Topic {
    /// What the program carries.
    Sample,
    /// The user's own.
    Own {
        /// The taxonomy.
        taxonomy: PathBuf,
        /// The held-out questions.
        questions: PathBuf,
    },
}

impl QuickstartSettings {
    /// clap has made sure that a taxonomy and questions come together.
    pub(crate) fn resolve(args: QuickstartArgs) -> Self {
        let topic = match (args.taxonomy_path, args.questions) {
            (Some(taxonomy), Some(questions)) => Topic::Own {
                taxonomy,
                questions,
            },
            _ => Topic::Sample,
        };
        Self {
            keep: args.keep,
            topic,
            is_json: args.json,
            student: args.model,
        }
    }

    /// Files and folders of the user that the run reads.
    pub(crate) fn inputs(&self) -> Vec<&Path> {
        let topic = match &self.topic {
            Topic::Sample => Vec::new(),
            Topic::Own {
                taxonomy,
                questions,
            } => vec![taxonomy.as_path(), questions.as_path()],
        };
        topic.into_iter().chain(self.student.as_deref()).collect()
    }
}
