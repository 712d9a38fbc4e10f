//! The student: the starter model that the program carries, or another one in its place.

use std::path::{Path, PathBuf};

use ilab_base::atomic;
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, read};

/// Files of a Hugging Face folder that a student may have.
const NAMES: [&str; 7] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "chat_template.jinja",
];

/// The starter model's files by name; its card in the same folder says how it was made.
const STARTER: [(&str, &[u8]); 5] = [
    (
        "config.json",
        include_bytes!("../../../starter/config.json"),
    ),
    (
        "model.safetensors",
        include_bytes!("../../../starter/model.safetensors"),
    ),
    (
        "tokenizer.json",
        include_bytes!("../../../starter/tokenizer.json"),
    ),
    (
        "tokenizer_config.json",
        include_bytes!("../../../starter/tokenizer_config.json"),
    ),
    (
        "special_tokens_map.json",
        include_bytes!("../../../starter/special_tokens_map.json"),
    ),
];

/// There is no student.
#[derive(Debug, thiserror::Error)]
pub(super) enum StudentError {
    #[error(transparent)]
    Io(#[from] IoError),
    /// The folder is not that of a model in one file.
    #[error("`{}` has no `{missing}`", path.display())]
    Incomplete {
        path: PathBuf,
        missing: &'static str,
    },
}

impl Hint for StudentError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::Incomplete { .. } => vec![
                "`--model` takes a Hugging Face folder with its weights in one `model.safetensors`"
                    .to_owned(),
            ],
        }
    }
}

/// Refuses a folder that is not that of a model in one file.
pub(super) fn check(folder: &Path) -> Result<(), StudentError> {
    match NAMES[..3].iter().find(|name| !folder.join(name).is_file()) {
        None => Ok(()),
        Some(missing) => Err(StudentError::Incomplete {
            path: folder.to_owned(),
            missing,
        }),
    }
}

/// Writes the starter model, or a copy of the model in `other`, into `folder`.
pub(super) fn write(folder: &Path, other: Option<&Path>) -> Result<(), StudentError> {
    let Some(other) = other else {
        for (name, bytes) in STARTER {
            atomic::write(folder.join(name), bytes)?;
        }
        return Ok(());
    };
    check(other)?;
    for path in NAMES.iter().map(|name| other.join(name)) {
        if path.is_file() {
            let name = path.file_name().unwrap_or_default();
            atomic::write(folder.join(name), &read(&path)?)?;
        }
    }
    Ok(())
}
