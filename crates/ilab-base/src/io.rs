//! File operations whose errors name the file.

use std::fs;
use std::path::{Path, PathBuf};

/// An operation on a file or directory failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{}`", path.display())]
pub struct IoError {
    /// What was attempted, as a verb phrase: "read", "create directory".
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: std::io::Error,
}

impl IoError {
    /// Attaches the action and path to an operating system error.
    pub fn new(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self {
            action,
            path: path.into(),
            source,
        }
    }

    /// Whether the disk is full or a quota is used up.
    pub fn is_out_of_space(&self) -> bool {
        matches!(
            self.source.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        )
    }

    /// Whether the file does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == std::io::ErrorKind::NotFound
    }
}

impl crate::hint::Hint for IoError {
    fn hints(&self) -> Vec<String> {
        use std::io::ErrorKind;
        match self.source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                vec!["free some space on that disk, then run the same command again".to_owned()]
            }
            ErrorKind::PermissionDenied => {
                vec!["check the owner and the mode of that path".to_owned()]
            }
            ErrorKind::NotFound => {
                vec!["check the path; a relative one starts at the current folder".to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// Turns an [`std::io::Result`] into one whose error names the path.
pub trait WithPath<T> {
    /// Attaches the action ("read", "write", …) and the path.
    ///
    /// # Errors
    /// The original error with its path.
    fn with_path(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, IoError>;
}

impl<T> WithPath<T> for std::io::Result<T> {
    fn with_path(self, action: &'static str, path: impl AsRef<Path>) -> Result<T, IoError> {
        self.map_err(|source| IoError::new(action, path.as_ref(), source))
    }
}

/// Reads a whole file.
///
/// # Errors
/// Any operating system error, with the path.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>, IoError> {
    fs::read(&path).with_path("read", path)
}

/// Reads a whole UTF-8 file.
///
/// # Errors
/// Any operating system error or invalid UTF-8, with the path.
pub fn read_to_string(path: impl AsRef<Path>) -> Result<String, IoError> {
    fs::read_to_string(&path).with_path("read", path)
}

/// Creates a directory and its parents.
///
/// # Errors
/// Any operating system error, with the path.
pub fn create_dir_all(path: impl AsRef<Path>) -> Result<(), IoError> {
    fs::create_dir_all(&path).with_path("create directory", path)
}

/// The entries of a directory, sorted by name so that every run sees the same order.
///
/// # Errors
/// Any operating system error, with the path.
pub fn read_dir_sorted(path: impl AsRef<Path>) -> Result<Vec<PathBuf>, IoError> {
    let path = path.as_ref();
    let mut entries = fs::read_dir(path)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .with_path("list", path)?;
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hint::Hint;

    #[test]
    fn an_absent_file_has_a_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path().join("absent")).unwrap_err();
        assert_eq!(
            error.hints(),
            ["check the path; a relative one starts at the current folder"]
        );
    }
}
