//! Which two models are compared, and the record of the training between them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ilab_base::cancel::Cancel;
use ilab_base::io::{IoError, WithPath, read_dir_sorted};
use ilab_convert::{convert, lossless_type};
use ilab_train::metrics::{self, History};
use tempfile::TempDir;

use crate::commands::local_model::find_gguf;
use crate::error::{CommandError, Kind};
use crate::settings::TestSettings;
use crate::ui::Ui;

/// How many folders above a checkpoint its record may be: `hf_format` and the folder around that.
const N_FOLDERS_ABOVE: usize = 3;

/// A GGUF file; one that was made to be asked goes away with this.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) file: PathBuf,
    /// How the user knows it.
    pub(super) name: PathBuf,
    _converted: Option<TempDir>,
}

/// The trained model: a file, a checkpoint, or the newest checkpoint in a folder of them.
pub(super) fn trained(path: &Path, ui: Ui) -> Result<Located, CommandError> {
    if path.is_file() {
        return Ok(Located::file(path.to_owned()));
    }
    let Some(checkpoint) = newest_checkpoint(path)? else {
        return Err(CommandError::message(
            Kind::User,
            format!("there is no checkpoint in `{}`", path.display()),
            "`ilab model train` makes one; `--model-dir` takes another folder or a GGUF file",
        ));
    };
    Ok(Located::file(find_gguf(&checkpoint, "--model-dir", ui)?))
}

/// The model before: what was asked for, else what the training began with, else the one that chats.
pub(super) fn base(
    settings: &TestSettings,
    record: Option<&History>,
    cancel: &Cancel,
    ui: Ui,
) -> Result<Located, CommandError> {
    let of_record = || {
        let path = record?.settings.get("model_path")?.as_str()?;
        Some(PathBuf::from(path)).filter(|path| path.exists())
    };
    let model = settings.model.clone().or_else(of_record);
    let model = model.unwrap_or_else(|| settings.chat_model.clone());
    if model.join("config.json").is_file() && !has_gguf(&model)? {
        return converted(model, cancel, ui);
    }
    Ok(Located::file(find_gguf(&model, "--model", ui)?))
}

impl Located {
    fn file(file: PathBuf) -> Self {
        Self {
            name: file.clone(),
            file,
            _converted: None,
        }
    }
}

/// The Hugging Face folder of a model, as a GGUF file for as long as it is asked.
fn converted(folder: PathBuf, cancel: &Cancel, ui: Ui) -> Result<Located, CommandError> {
    ui.status(format!("converting `{}` to ask it", folder.display()));
    let temporary =
        TempDir::with_prefix("ilab-test-").with_path("create a folder in", std::env::temp_dir())?;
    let file = temporary.path().join("model.gguf");
    let output_type = lossless_type(&folder)?;
    convert(&folder, &file, output_type, &mut |_| cancel.check())?;
    Ok(Located {
        file,
        name: folder,
        _converted: Some(temporary),
    })
}

/// The record of the training that a checkpoint comes from, where there is one.
pub(super) fn record(trained: &Path) -> Option<History> {
    let file = trained
        .ancestors()
        .skip(1)
        .take(N_FOLDERS_ABOVE)
        .map(|folder| folder.join(metrics::FILE_NAME))
        .find(|file| file.is_file())?;
    metrics::read(&file).ok()
}

/// The folder itself when it is a model, or the one of its checkpoints that was written last.
fn newest_checkpoint(folder: &Path) -> Result<Option<PathBuf>, IoError> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let mut found = Vec::new();
    if folder.join("config.json").is_file() || has_gguf(folder)? {
        found.push(folder.to_owned());
    }
    for parent in [folder.to_owned(), folder.join("hf_format")] {
        if parent.is_dir() {
            let checkpoints = read_dir_sorted(&parent)?.into_iter();
            found.extend(checkpoints.filter(|path| n_samples(path).is_some() && path.is_dir()));
        }
    }
    let mut newest = None;
    for path in found {
        let key = (last_change(&path)?, n_samples(&path));
        if newest.as_ref().is_none_or(|(other, _)| key > *other) {
            newest = Some((key, path));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// `N` of `samples_N`.
fn n_samples(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("samples_")?.parse().ok()
}

/// When the last file in a folder was written.
fn last_change(folder: &Path) -> Result<SystemTime, IoError> {
    let times = read_dir_sorted(folder)?.into_iter().filter_map(|path| {
        let metadata = path.metadata().ok()?;
        metadata.modified().ok().filter(|_| metadata.is_file())
    });
    Ok(times.max().unwrap_or(SystemTime::UNIX_EPOCH))
}

fn has_gguf(folder: &Path) -> Result<bool, IoError> {
    let is_gguf = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "gguf")
    };
    Ok(folder.is_dir() && read_dir_sorted(folder)?.iter().any(is_gguf))
}
