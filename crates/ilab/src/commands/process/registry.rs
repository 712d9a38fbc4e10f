//! The file of all processes: read and written whole, by one process at a time.

use std::fs::{self, File};
use std::path::PathBuf;

use ilab_base::atomic;
use ilab_base::io::{self, IoError, WithPath as _, create_dir_all};
use serde_json::{Map, Value};

use super::entry::Entry;
use crate::commands::timestamp;
use crate::error::{CommandError, Kind};
use crate::ui::Ui;

/// Where the registry is kept.
#[derive(Debug, Clone)]
pub(super) struct RegistryFile {
    path: PathBuf,
    ui: Ui,
}

/// What is in it, by UUID in the order of arrival. Entries that cannot be read stay as they are.
#[derive(Debug)]
pub(super) struct Registry {
    path: PathBuf,
    entries: Map<String, Value>,
}

impl RegistryFile {
    /// Reads nothing yet; `ui` is told of what is broken.
    pub(super) fn new(path: PathBuf, ui: Ui) -> Self {
        Self { path, ui }
    }

    /// Changes it while nobody else does.
    pub(super) fn update<T>(
        &self,
        change: impl FnOnce(&mut Registry) -> Result<T, IoError>,
    ) -> Result<T, IoError> {
        if let Some(folder) = self.path.parent() {
            create_dir_all(folder)?;
        }
        let lock_file = self.path.with_added_extension("lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_file)
            .with_path("create", &lock_file)?;
        lock.lock().with_path("lock", &lock_file)?;
        let mut registry = self.load()?;
        let before = registry.entries.clone();
        let result = change(&mut registry)?;
        if registry.entries != before {
            let text = format!("{:#}\n", Value::Object(registry.entries));
            atomic::write(&self.path, text.as_bytes())?;
        }
        // Closing the file gives the lock back; a killed process gives it back too.
        drop(lock);
        Ok(result)
    }

    /// All processes, those that died told as dead.
    pub(super) fn corrected(&self) -> Result<Vec<(String, Entry)>, IoError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        self.update(|registry| {
            let mut entries = registry.entries(self.ui);
            for (uuid, entry) in &mut entries {
                if entry.correct() {
                    registry.put(uuid, entry)?;
                }
            }
            Ok(entries)
        })
    }

    /// One process, told as dead when it died.
    pub(super) fn corrected_one(&self, uuid: &str) -> Result<Option<Entry>, IoError> {
        self.update(|registry| {
            let mut entry = registry.get(uuid);
            if let Some(entry) = &mut entry
                && entry.correct()
            {
                registry.put(uuid, entry)?;
            }
            Ok(entry)
        })
    }

    /// One process as it was last written, without waiting for anybody.
    pub(super) fn peek(&self, uuid: &str) -> Option<Entry> {
        let registry: Value = serde_json::from_slice(&io::read(&self.path).ok()?).ok()?;
        serde_json::from_value(registry.get(uuid)?.clone()).ok()
    }

    fn load(&self) -> Result<Registry, IoError> {
        let of = |entries| Registry {
            path: self.path.clone(),
            entries,
        };
        let bytes = match io::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(of(Map::new())),
            Err(error) => return Err(error),
        };
        match serde_json::from_slice(&bytes) {
            Ok(entries) => Ok(of(entries)),
            Err(error) => {
                let aside = format!("broken-{}", timestamp::local());
                let aside = self.path.with_added_extension(aside);
                fs::rename(&self.path, &aside).with_path("set aside", &self.path)?;
                self.ui.warning(format!(
                    "the list of processes cannot be read ({error}); it is now in `{}`, and a new one is begun",
                    aside.display()
                ));
                Ok(of(Map::new()))
            }
        }
    }
}

impl Registry {
    /// Every process that can be read; of the others, `ui` is told.
    pub(super) fn entries(&self, ui: Ui) -> Vec<(String, Entry)> {
        let mut entries = Vec::new();
        for (uuid, value) in &self.entries {
            match serde_json::from_value(value.clone()) {
                Ok(entry) => entries.push((uuid.clone(), entry)),
                Err(error) => ui.warning(format!(
                    "the entry `{uuid}` in the list of processes is left out: {error}"
                )),
            }
        }
        entries
    }

    /// One process.
    pub(super) fn get(&self, uuid: &str) -> Option<Entry> {
        serde_json::from_value(self.entries.get(uuid)?.clone()).ok()
    }

    /// Adds a process, or replaces it in its place.
    ///
    /// # Errors
    /// A log whose path is no text.
    pub(super) fn put(&mut self, uuid: &str, entry: &Entry) -> Result<(), IoError> {
        let value = serde_json::to_value(entry)
            .map_err(std::io::Error::other)
            .with_path("write", &self.path)?;
        self.entries.insert(uuid.to_owned(), value);
        Ok(())
    }

    /// Takes a process out.
    pub(super) fn remove(&mut self, uuid: &str) {
        self.entries.shift_remove(uuid);
    }
}

/// The process with that UUID, or the only one whose UUID begins so.
pub(super) fn find(
    entries: Vec<(String, Entry)>,
    wanted: &str,
) -> Result<Option<(String, Entry)>, CommandError> {
    let is_wanted = |(uuid, _): &(String, Entry)| !wanted.is_empty() && uuid.starts_with(wanted);
    let mut found: Vec<_> = entries.into_iter().filter(is_wanted).collect();
    if let Some(exact) = found.iter().position(|(uuid, _)| uuid == wanted) {
        return Ok(Some(found.swap_remove(exact)));
    }
    if found.len() > 1 {
        return Err(CommandError::message(
            Kind::User,
            format!("`{wanted}` begins the UUIDs of {} processes", found.len()),
            "give more of it; `ilab process list` shows them all",
        ));
    }
    Ok(found.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_many_write_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("internal/registry.json");
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let file = RegistryFile::new(path.clone(), Ui::new(true, true));
                scope.spawn(move || {
                    for number in 0..10 {
                        let entry = Entry::of_this_process(None);
                        let uuid = format!("{writer}-{number}");
                        file.update(|registry| registry.put(&uuid, &entry)).unwrap();
                    }
                });
            }
        });
        let file = RegistryFile::new(path, Ui::new(true, true));
        assert_eq!(file.corrected().unwrap().len(), 40);
    }

    #[test]
    fn a_process_is_found_by_a_beginning_that_is_only_its_own() {
        let entries = || {
            ["ab", "abc", "d"]
                .map(|uuid| (uuid.to_owned(), Entry::of_this_process(None)))
                .to_vec()
        };
        let found = |wanted| find(entries(), wanted).unwrap().map(|(uuid, _)| uuid);
        assert_eq!(found("ab").as_deref(), Some("ab"));
        assert_eq!(found("abc").as_deref(), Some("abc"));
        assert_eq!(found("d").as_deref(), Some("d"));
        assert_eq!((found("x"), found("")), (None, None));
        assert!(find(entries(), "a").is_err());
    }
}
