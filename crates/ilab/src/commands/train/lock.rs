//! One trainer a folder: two would replace each other's checkpoints.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use ilab_base::io::{IoError, create_dir_all};

use crate::error::{CommandError, Kind};

/// Held while a run writes into a folder; the operating system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

const NAME: &str = ".training.lock";

impl FolderLock {
    /// Takes the lock of a folder of checkpoints, which is made where it is missing.
    pub(super) fn take(folder: &Path) -> Result<Self, CommandError> {
        create_dir_all(folder)?;
        let path = folder.join(NAME);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|source| IoError::new("open", &path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(CommandError::message(
                Kind::User,
                format!("another training writes to `{}`", folder.display()),
                "wait for it, stop it, or pass another folder with `--ckpt-output-dir`",
            )),
            Err(TryLockError::Error(source)) => Err(IoError::new("lock", &path, source).into()),
        }
    }
}
