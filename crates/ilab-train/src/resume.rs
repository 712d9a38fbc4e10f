//! The state of an unfinished run: written between two steps, found again after anything, and refused where model, data or
//! settings are others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ilab_base::atomic::{StagedDir, write};
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, WithPath, read_dir_sorted, read_to_string};
use ilab_weights::checkpoint::CheckpointError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::TrainError;
use crate::identity::Identity;
use crate::state_file::{read_optimiser, read_weights, write_optimiser, write_weights};
use crate::trainer::{Progress, Trainer};

/// The folder of states within that of the checkpoints.
const FOLDER: &str = "full_state";
/// What a state says of itself; written last.
const DESCRIPTION: &str = "training_state.json";
/// Of the layout below; another number is another layout.
const VERSION: u32 = 1;

/// A state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The state is of a run of something else.
    #[error("`{}` holds an unfinished run of another {}", folder.display(), differences.join(", another "))]
    Other {
        /// The state.
        folder: PathBuf,
        /// `model`, `data`, and settings with both values.
        differences: Vec<String>,
    },
    /// The description cannot be read.
    #[error("`{}` does not describe the state of a run", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A later program wrote the state.
    #[error("`{}` has layout {found}, and this program reads {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// The state is cut off or contradicts itself.
    #[error("the state of a run `{}` is damaged", folder.display())]
    Damaged {
        /// The state.
        folder: PathBuf,
        /// What is wrong, where a file is.
        #[source]
        source: Option<Box<CheckpointError>>,
    },
    /// What the optimiser remembers of a weight is missing or of another size.
    #[error("`{}` does not hold what the optimiser knows of `{name}`", folder.display())]
    Optimiser {
        /// The state.
        folder: PathBuf,
        /// The weight.
        name: String,
    },
}

impl Hint for ResumeError {
    fn hints(&self) -> Vec<String> {
        let start_over =
            "start over with `--fresh`, or pass another folder with `--ckpt-output-dir`";
        vec![match self {
            Self::Other { .. } => format!("go on with what it was started with, {start_over}"),
            _ => start_over.to_owned(),
        }]
    }
}

/// What a state says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    version: u32,
    identity: Identity,
    progress: Progress,
    optimiser_steps: u64,
    /// What the caller wants to find again.
    notes: Value,
}

/// Writes the state of a run below the folder of its checkpoints; states before it are removed once it is complete.
///
/// # Errors
/// Any operating system error, with the path; the states before are kept then.
pub fn save(
    trainer: &Trainer,
    identity: &Identity,
    notes: &Value,
    checkpoint_dir: &Path,
) -> Result<PathBuf, TrainError> {
    let folder = checkpoint_dir.join(FOLDER);
    let progress = trainer.progress();
    if let Some((step, newest)) = states(checkpoint_dir)?.pop()
        && step == progress.step
    {
        return Ok(newest);
    }
    let staged = StagedDir::new(folder.join(format!("step_{}", progress.step)))?;
    write_weights(trainer.model(), staged.path())?;
    write_optimiser(trainer.optimiser(), staged.path())?;
    let description = Description {
        version: VERSION,
        identity: identity.clone(),
        progress,
        optimiser_steps: trainer.optimiser().n_steps(),
        notes: notes.clone(),
    };
    let path = staged.path().join(DESCRIPTION);
    let text = serde_json::to_vec_pretty(&description)
        .map_err(std::io::Error::from)
        .with_path("write", &path)?;
    write(&path, &text)?;
    let saved = staged.commit()?;
    for other in states(checkpoint_dir)? {
        if other.1 != saved {
            remove(&other.1)?;
        }
    }
    Ok(saved)
}

/// Puts the newest state below a folder into a trainer that has not begun. Returns the notes of the state, and `None` where
/// there is no state.
///
/// # Errors
/// A state of another model, other data or other settings, or one that cannot be read.
pub fn restore(
    trainer: &mut Trainer,
    identity: &Identity,
    checkpoint_dir: &Path,
) -> Result<Option<Value>, TrainError> {
    let Some((_, folder)) = states(checkpoint_dir)?.pop() else {
        return Ok(None);
    };
    let description = describe(&folder)?;
    let differences = description.identity.differences(identity);
    if !differences.is_empty() {
        return Err(ResumeError::Other {
            folder,
            differences,
        }
        .into());
    }
    let damaged = |source| ResumeError::Damaged {
        folder: folder.clone(),
        source,
    };
    let of_file = |error| match error {
        TrainError::Checkpoint(source) => damaged(Some(Box::new(source))).into(),
        other => other,
    };
    read_weights(trainer.model_mut(), &folder).map_err(of_file)?;
    let state = read_optimiser(trainer.optimiser(), &folder).map_err(of_file)?;
    match trainer.restore(description.progress, state, description.optimiser_steps) {
        true => Ok(Some(description.notes)),
        false => Err(damaged(None).into()),
    }
}

/// Whether a folder of checkpoints holds the state of an unfinished run.
///
/// # Errors
/// A folder that cannot be read.
pub fn exists(checkpoint_dir: &Path) -> Result<bool, IoError> {
    Ok(!states(checkpoint_dir)?.is_empty())
}

/// Removes every state below a folder of checkpoints: the run is complete, or is to start over.
///
/// # Errors
/// Any operating system error, with the path.
pub fn clear(checkpoint_dir: &Path) -> Result<(), IoError> {
    let folder = checkpoint_dir.join(FOLDER);
    match folder.exists() {
        true => remove(&folder),
        false => Ok(()),
    }
}

fn remove(folder: &Path) -> Result<(), IoError> {
    std::fs::remove_dir_all(folder).with_path("remove", folder)
}

fn describe(folder: &Path) -> Result<Description, TrainError> {
    let path = folder.join(DESCRIPTION);
    let text = read_to_string(&path)?;
    let malformed = |source| ResumeError::Description {
        path: path.clone(),
        source,
    };
    let value: Value = serde_json::from_str(&text).map_err(malformed)?;
    let found = value
        .get("version")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    if found != u64::from(VERSION) {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        return Err(ResumeError::Version { path, found }.into());
    }
    Ok(serde_json::from_value(value).map_err(malformed)?)
}

/// Complete states, the newest last.
fn states(checkpoint_dir: &Path) -> Result<Vec<(u64, PathBuf)>, IoError> {
    let folder = checkpoint_dir.join(FOLDER);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let step = |path: &PathBuf| -> Option<u64> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("step_")?.parse().ok()
    };
    let paths = read_dir_sorted(&folder)?.into_iter();
    let mut found: Vec<_> = paths
        .filter_map(|path| Some((step(&path)?, path)))
        .filter(|(_, path)| path.join(DESCRIPTION).exists())
        .collect();
    found.sort();
    Ok(found)
}

/// What an optimiser remembers, by the names of the weights.
pub(crate) type OptimiserState = BTreeMap<String, crate::optimiser::State>;
