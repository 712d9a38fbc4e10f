//! Where things are kept.

use std::path::{Path, PathBuf};

/// The three roots, each already ending in `instructlab`, and what lies under them.
///
/// The names are those of the Python original so that its files are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// `$XDG_CONFIG_HOME/instructlab`.
    pub config: PathBuf,
    /// `$XDG_DATA_HOME/instructlab`.
    pub data: PathBuf,
    /// `$XDG_CACHE_HOME/instructlab`.
    pub cache: PathBuf,
}

impl Dirs {
    /// All three roots under one folder: for tests and for runs that must not touch the user's files.
    pub fn under(folder: &Path) -> Self {
        Self {
            config: folder.join("config"),
            data: folder.join("data"),
            cache: folder.join("cache"),
        }
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.yaml")
    }

    /// Downloaded models.
    pub fn models(&self) -> PathBuf {
        self.cache.join("models")
    }

    /// Generated datasets, one dated folder a run.
    pub fn datasets(&self) -> PathBuf {
        self.data.join("datasets")
    }

    /// Trained checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.data.join("checkpoints")
    }

    /// The taxonomy.
    pub fn taxonomy(&self) -> PathBuf {
        self.data.join("taxonomy")
    }

    /// Processed data and other state that users do not edit.
    pub fn internal(&self) -> PathBuf {
        self.data.join("internal")
    }

    /// What runs said.
    pub fn logs(&self) -> PathBuf {
        self.data.join("logs")
    }

    /// The list of runs and what became of them.
    pub fn process_registry(&self) -> PathBuf {
        self.internal().join("process_registry.json")
    }

    /// Chat transcripts.
    pub fn chatlogs(&self) -> PathBuf {
        self.data.join("chatlogs")
    }

    /// Phased training.
    pub fn phased(&self) -> PathBuf {
        self.data.join("phased")
    }

    /// Pipelines that the user added, one folder each.
    pub fn pipelines(&self) -> PathBuf {
        self.data.join("sdg").join("pipelines")
    }
}
