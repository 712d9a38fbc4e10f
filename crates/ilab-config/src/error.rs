//! Why a configuration could not be loaded.

use std::path::PathBuf;

use ilab_base::diagnostic::Diagnostic;
use ilab_base::hint::Hint;
use ilab_base::io::IoError;

/// A configuration could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing is there.
    #[error("`{}` does not exist or is not a readable file", path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// The file has mistakes.
    #[error("{}", count(path, diagnostics))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Its text.
        text: String,
        /// The mistakes, and what else was noticed, in the order of the text.
        diagnostics: Vec<Diagnostic>,
    },
    /// There is no such key.
    #[error("there is no key `{key}`")]
    UnknownKey {
        /// What was asked for.
        key: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
}

fn count(path: &std::path::Path, diagnostics: &[Diagnostic]) -> String {
    let n_errors = diagnostics.iter().filter(|one| one.is_error()).count();
    let errors = if n_errors == 1 { "error" } else { "errors" };
    format!("{n_errors} {errors} in `{}`", path.display())
}

impl Hint for ConfigError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { .. } => vec![
                "`ilab config init` makes one, or give another with `--config FILE`".to_owned(),
            ],
            Self::Invalid { .. } => vec![
                "put the file right, or run with `--config DEFAULT` to go without it".to_owned(),
            ],
            Self::UnknownKey { nearest, .. } => {
                let nearest = nearest
                    .iter()
                    .map(|nearest| format!("did you mean `{nearest}`?"));
                nearest
                    .chain(["`ilab config show` lists every key".to_owned()])
                    .collect()
            }
            Self::Io(error) => error.hints(),
        }
    }
}
