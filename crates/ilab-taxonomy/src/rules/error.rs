//! Why a file of rules cannot be used.

use std::path::PathBuf;

use ilab_base::diagnostic::Diagnostic;
use ilab_base::hint::Hint;
use ilab_base::io::IoError;

/// A file of layout rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// It says something that cannot be followed.
    #[error("{}:{}:{}: {}", path.display(), diagnostic.line, diagnostic.column, diagnostic.message)]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What, and where.
        diagnostic: Box<Diagnostic>,
    },
}

impl Hint for RulesError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::Invalid { diagnostic, .. } => diagnostic.help.iter().cloned().collect(),
        }
    }
}
