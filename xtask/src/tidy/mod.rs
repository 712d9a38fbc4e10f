//! What the compiler and clippy do not check: the layer table, file sizes, names, and a few habits of the text.
//!
//! Function length is clippy's `too_many_lines`; an exception is an `#[expect]` with a reason at the function itself.

mod habits;
mod layers;
mod names;
mod repository;
mod size;

use std::fmt;
use std::path::Path;

use ilab_base::io::IoError;

use repository::Repository;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the repository.
    pub path: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    fn file(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            message: message.into(),
        }
    }

    fn line(path: &str, line_idx: usize, message: impl Into<String>) -> Self {
        Self {
            line: Some(line_idx + 1),
            ..Self::file(path, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.path, self.message),
            None => write!(formatter, "{}: {}", self.path, self.message),
        }
    }
}

/// The repository is untidy, or could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum TidyError {
    /// There is something to put right.
    #[error("{}", listed(findings))]
    Untidy {
        /// All of it.
        findings: Vec<Finding>,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// git or cargo cannot say what there is.
    #[error("`{program}` failed: {message}")]
    Program {
        /// Which one.
        program: &'static str,
        /// What it said.
        message: String,
    },
    /// `cargo metadata` is not what it was.
    #[error("the output of `cargo metadata` cannot be read")]
    Metadata(#[from] serde_json::Error),
}

fn listed(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    format!("{} findings\n{}", findings.len(), lines.join("\n"))
}

/// Checks the repository that this program was built in.
///
/// # Errors
/// [`TidyError::Untidy`] with everything that was found.
pub fn run() -> Result<(), TidyError> {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest_dir.parent().unwrap_or(manifest_dir);
    let repository = Repository::read(root)?;
    let mut findings = layers::check(&repository.crates, &repository.files);
    findings.extend(size::check(&repository.files));
    findings.extend(names::check(&repository.files));
    findings.extend(habits::check(&repository.files, &repository.crates));
    if findings.is_empty() {
        return Ok(());
    }
    findings.sort();
    Err(TidyError::Untidy { findings })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_is_tidy() {
        if let Err(error) = super::run() {
            panic!("{error}");
        }
    }
}
