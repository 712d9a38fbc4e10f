//! Why a journal cannot be used, and what to do about it.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_base::io::IoError;

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Its folder cannot be made.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The database failed.
    #[error("the journal `{}` cannot be used", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: rusqlite::Error,
    },
    /// Another run is reading or writing it.
    #[error("the journal `{}` is in use by another run", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file is a database of something else.
    #[error("`{}` is a database, but no journal of this program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// An entry cannot be read back.
    #[error("an entry of the journal `{}` is damaged", path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

const WAIT_HINT: &str = "another run is using it: wait for that, or take another `--output-dir`";

impl Hint for JournalError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::Database { source, .. }
                if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) =>
            {
                vec!["free some space on that disk, then run the same command again: finished answers are kept".to_owned()]
            }
            Self::Database { source, .. }
                if source.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) =>
            {
                vec![WAIT_HINT.to_owned()]
            }
            Self::InUse { .. } => vec![WAIT_HINT.to_owned()],
            Self::Database { path, source } if is_unwritable(source) => vec![format!(
                "check the owner and the mode of `{}`, or take another `--output-dir`",
                path.parent().unwrap_or(path).display()
            )],
            Self::Database { .. } | Self::Foreign { .. } | Self::Entry { .. } => {
                vec!["move that file away; what it holds is then generated anew".to_owned()]
            }
        }
    }
}

/// Whether the file or its folder does not let the database write.
fn is_unwritable(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{CannotOpen, PermissionDenied, ReadOnly};
    matches!(
        error.sqlite_error_code(),
        Some(CannotOpen | PermissionDenied | ReadOnly)
    )
}
