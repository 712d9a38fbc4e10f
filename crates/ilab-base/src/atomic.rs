//! Files and directories that appear whole or not at all.
//!
//! A file is written beside its final place, flushed to the disk and renamed. A directory is filled under a temporary
//! name and renamed when its last file, the manifest, is in place. After a crash the final name is either absent, the
//! old content, or the complete new content.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

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
    let parent = parent_of(path);
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

/// The directory that a path lies in; the current one for a bare name.
fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
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

/// The file beside a staged directory that is locked while its process lives.
fn lock_file(staged: &Path) -> PathBuf {
    staged.with_added_extension("lock")
}

/// A process has had its lock long before a directory is this old.
const MIN_AGE_TO_SWEEP: Duration = Duration::from_secs(600);

/// Removes staged directories beside `destination` whose processes were killed: each may hold a whole checkpoint.
fn sweep(destination: &Path) {
    let Ok(entries) = fs::read_dir(parent_of(destination)) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".partial") && is_abandoned(&entry.path()) {
            // What cannot be removed costs space and nothing else.
            let _ = fs::remove_dir_all(entry.path());
            let _ = fs::remove_file(lock_file(&entry.path()));
        }
    }
}

fn is_abandoned(staged: &Path) -> bool {
    let Ok(lock) = File::open(lock_file(staged)) else {
        return false;
    };
    let modified = lock.metadata().and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|moment| moment.elapsed().ok());
    age.is_some_and(|age| age > MIN_AGE_TO_SWEEP) && lock.try_lock().is_ok()
}

/// A directory that is filled under a temporary name and appears under its own in one step.
///
/// Dropped without [`StagedDir::commit`], everything in it is removed. What a killed process left behind is removed when the
/// next directory is staged beside it.
#[derive(Debug)]
pub struct StagedDir {
    staged: PathBuf,
    destination: PathBuf,
    lock: File,
    is_committed: bool,
}

impl StagedDir {
    /// Starts an empty directory that will become `destination`.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn new(destination: impl Into<PathBuf>) -> Result<Self, IoError> {
        let destination = destination.into();
        sweep(&destination);
        let staged = sibling(&destination);
        create_dir_all(&staged)?;
        let lock_file = lock_file(&staged);
        let lock = File::create(&lock_file).with_path("create", &lock_file)?;
        // A file system without locks leaves the litter of killed processes, as it would without this.
        let _ = lock.try_lock();
        Ok(Self {
            staged,
            destination,
            lock,
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
        sync_directory(parent_of(&self.destination))?;
        if let Some(replaced) = replaced {
            fs::remove_dir_all(&replaced).with_path("remove", &replaced)?;
        }
        Ok(self.destination.clone())
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        // Nobody else uses the lock; a leftover file is as harmless as it is small.
        let _ = self.lock.unlock();
        let _ = fs::remove_file(lock_file(&self.staged));
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
    fn what_killed_processes_staged_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * MIN_AGE_TO_SWEEP;
        let staged = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            let lock = File::create(lock_file(&path)).unwrap();
            lock.set_modified(long_ago).unwrap();
            (path, lock)
        };
        let (killed, lock) = staged(".samples_8.1-1.partial");
        drop(lock);
        let (running, running_lock) = staged(".samples_8.2-1.partial");
        running_lock.lock().unwrap();
        let (new, lock) = staged(".samples_8.3-1.partial");
        lock.set_modified(std::time::SystemTime::now()).unwrap();
        drop(lock);
        let foreign = folder.path().join(".downloads.partial");
        fs::create_dir(&foreign).unwrap();

        let staged = StagedDir::new(folder.path().join("samples_9")).unwrap();
        let exist = [&killed, &running, &new, &foreign].map(|path| path.exists());
        assert_eq!(exist, [false, true, true, true]);
        let committed = staged.commit().unwrap();
        assert_eq!(fs::read_dir(committed).unwrap().count(), 0);
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
