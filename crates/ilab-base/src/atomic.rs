//! Files and directories that appear whole or not at all.
//!
//! A file is written beside its final place, flushed to the disk and renamed. A directory is filled under a temporary
//! name and renamed when its last file, the manifest, is in place. After a crash the final name is either absent, the
//! old content, or the complete new content.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::io::{IoError, WithPath, create_dir_all};

/// Writes `bytes` to `path` so that readers see the old file or the new one, never a part. Parents are created; the
/// mode follows the umask as with [`std::fs::write`].
///
/// # Errors
/// Any operating system error, with the path; the file under `path` is then untouched.
pub fn write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), IoError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write`], for content that is produced piece by piece.
///
/// # Errors
/// Any operating system error, with the path; the file under `path` is then untouched.
pub fn write_with(
    path: impl AsRef<Path>,
    fill: impl FnOnce(&mut std::io::BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), IoError> {
    let path = path.as_ref();
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    create_dir_all(parent)?;
    let temporary = sibling(path);
    let result = fill_and_rename(path, parent, &temporary, fill);
    if result.is_err() {
        // The error that matters is the first one; a leftover temporary file is harmless.
        let _ = fs::remove_file(&temporary);
    }
    result
}

fn fill_and_rename(
    path: &Path,
    parent: &Path,
    temporary: &Path,
    fill: impl FnOnce(&mut std::io::BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), IoError> {
    let file = File::create(temporary).with_path("create", temporary)?;
    let mut writer = std::io::BufWriter::new(file);
    fill(&mut writer)
        .and_then(|()| writer.flush())
        .with_path("write", path)?;
    writer.get_ref().sync_all().with_path("write", path)?;
    fs::rename(temporary, path).with_path("write", path)?;
    sync_directory(parent)
}

/// A hidden name in the same directory that no other process uses.
fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.subsec_nanos());
    path.with_file_name(format!(".{name}.{}-{nanos}.partial", std::process::id()))
}

/// Makes a rename durable. Directories cannot be opened for this on every system, so a refusal is not an error.
fn sync_directory(path: &Path) -> Result<(), IoError> {
    if let Ok(directory) = File::open(path) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// A directory that is filled under a temporary name and appears under its own in one step.
///
/// Dropped without [`StagedDir::commit`], everything in it is removed.
#[derive(Debug)]
pub struct StagedDir {
    staged: PathBuf,
    destination: PathBuf,
    is_committed: bool,
}

impl StagedDir {
    /// Starts an empty directory that will become `destination`.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn new(destination: impl Into<PathBuf>) -> Result<Self, IoError> {
        let destination = destination.into();
        let staged = sibling(&destination);
        create_dir_all(&staged)?;
        Ok(Self {
            staged,
            destination,
            is_committed: false,
        })
    }

    /// Where to write the files for now.
    pub fn path(&self) -> &Path {
        &self.staged
    }

    /// Where the directory will be after [`StagedDir::commit`].
    pub fn destination(&self) -> &Path {
        &self.destination
    }

    /// Renames the directory to its destination; what stood there before is removed after the new one is in place.
    ///
    /// # Errors
    /// Any operating system error, with the path; the old directory is then still there.
    pub fn commit(mut self) -> Result<PathBuf, IoError> {
        let replaced = self
            .destination
            .exists()
            .then(|| sibling(&self.destination));
        if let Some(replaced) = &replaced {
            fs::rename(&self.destination, replaced).with_path("move aside", &self.destination)?;
        }
        if let Err(source) = fs::rename(&self.staged, &self.destination) {
            if let Some(replaced) = &replaced {
                fs::rename(replaced, &self.destination)
                    .with_path("move back", &self.destination)?;
            }
            return Err(IoError::new("create directory", &self.destination, source));
        }
        self.is_committed = true;
        if let Some(parent) = self.destination.parent() {
            sync_directory(parent)?;
        }
        if let Some(replaced) = replaced {
            fs::remove_dir_all(&replaced).with_path("remove", &replaced)?;
        }
        Ok(self.destination.clone())
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        if !self.is_committed {
            // Nothing can be reported from here; the name shows that the directory is partial.
            let _ = fs::remove_dir_all(&self.staged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"half")?;
            Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
        });
        assert!(failed.unwrap_err().is_out_of_space());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn the_mode_follows_the_umask() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write(&ours, b"").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn a_directory_appears_only_on_commit() {
        let folder = tempfile::tempdir().unwrap();
        let destination = folder.path().join("samples_8");
        let staged = StagedDir::new(&destination).unwrap();
        fs::write(staged.path().join("config.json"), "{}").unwrap();
        assert!(!destination.exists());
        drop(staged);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        for content in ["first", "second"] {
            let staged = StagedDir::new(&destination).unwrap();
            fs::write(staged.path().join("config.json"), content).unwrap();
            staged.commit().unwrap();
            assert_eq!(
                fs::read_to_string(destination.join("config.json")).unwrap(),
                content
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
