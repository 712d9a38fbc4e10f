//! Why a taxonomy could not be read at all.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_base::io::IoError;

use crate::FILE_NAME;

/// A taxonomy could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TaxonomyError {
    /// Nothing is there.
    #[error("the taxonomy `{}` does not exist", path.display())]
    NotFound {
        /// What was asked for.
        path: PathBuf,
    },
    /// The single file has another name.
    #[error("`{}` is not a taxonomy file: those are named `{FILE_NAME}`", path.display())]
    WrongName {
        /// What was asked for.
        path: PathBuf,
    },
    /// The base to compare with is no branch, tag or commit here.
    #[error("the taxonomy base `{base}` is no branch, tag or commit of `{}`", repository.display())]
    UnknownBase {
        /// The base.
        base: String,
        /// The git work tree.
        repository: PathBuf,
        /// Branches that exist.
        branches: Vec<String>,
    },
    /// The base shares no history with what is checked out.
    #[error("the taxonomy base `{base}` shares no commit with what is checked out in `{}`", repository.display())]
    UnrelatedBase {
        /// The base.
        base: String,
        /// The git work tree.
        repository: PathBuf,
    },
    /// Nothing was committed yet, so there is nothing to compare with.
    #[error("`{}` has no commit yet, so nothing can be compared with `{base}`", repository.display())]
    NoCommit {
        /// The base.
        base: String,
        /// The git work tree.
        repository: PathBuf,
    },
    /// Git's own files cannot be read.
    #[error("cannot read the git repository `{}`", repository.display())]
    Git {
        /// The git work tree.
        repository: PathBuf,
        /// What git's files have wrong.
        #[source]
        source: gix::Error,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// How to do without git.
const EMPTY_BASE: &str = "`--taxonomy-base empty` takes every file, without comparing";

impl Hint for TaxonomyError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::NotFound { .. } => vec![
                "give the folder that holds `knowledge` and `compositional_skills` with `--taxonomy-path`".to_owned(),
                "`ilab config init` gets the public taxonomy".to_owned(),
            ],
            Self::WrongName { .. } => vec![format!("rename the file to `{FILE_NAME}`")],
            Self::UnknownBase { base, branches, .. } => unknown_base_hints(base, branches),
            Self::UnrelatedBase { .. } | Self::NoCommit { .. } => vec![EMPTY_BASE.to_owned()],
            Self::Git { .. } => vec!["`git fsck` tells more".to_owned(), EMPTY_BASE.to_owned()],
            Self::Io(error) => error.hints(),
        }
    }
}

fn unknown_base_hints(base: &str, branches: &[String]) -> Vec<String> {
    let mut hints = Vec::new();
    if let Some((remote, _)) = base.split_once('/') {
        hints.push(format!(
            "`git fetch {remote}` brings the branches of a remote"
        ));
    }
    if !branches.is_empty() {
        hints.push(format!("branches here: {}", branches.join(", ")));
    }
    hints.push(EMPTY_BASE.to_owned());
    hints
}
