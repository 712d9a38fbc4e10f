//! The folder of a run, and what is where in it.

use std::fs;
use std::path::{Path, PathBuf};

use ilab_base::atomic;
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, WithPath, create_dir_all, read_dir_sorted, read_to_string};
use tempfile::TempDir;

/// The file that marks a folder as ours; a later run may replace what is in it.
const MARK: &str = "README.txt";
const MARK_TEXT: &str = "Made by `ilab quickstart`, which replaces everything here when it is run with this folder again.

taxonomy/        what was taught
questions.jsonl  what was asked, without the documents
student/         the model before
datasets/        what was generated from the taxonomy
training.jsonl   what the model was trained on
checkpoints/     the model after, also as GGUF
answers.jsonl    every answer before and after
report.json      the result
";

/// What a run leaves, apart from the mark.
const CONTENTS: [&str; 9] = [
    "taxonomy",
    "questions.jsonl",
    "student",
    "student.gguf",
    "datasets",
    "training.jsonl",
    "checkpoints",
    "answers.jsonl",
    "report.json",
];

/// A folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FolderError {
    #[error(transparent)]
    Io(#[from] IoError),
    /// It holds files that are not ours.
    #[error("`{}` is not empty and was not made by `ilab quickstart`", path.display())]
    NotOurs { path: PathBuf },
    /// What the run starts from would be removed.
    #[error("`{}` is inside `{}`, which this run empties", input.display(), folder.display())]
    InputInside { input: PathBuf, folder: PathBuf },
}

impl Hint for FolderError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::NotOurs { .. } => vec!["pass a new folder to `--keep`".to_owned()],
            Self::InputInside { .. } => {
                vec![
                    "pass another folder to `--keep`, or copy the input out of this one".to_owned(),
                ]
            }
        }
    }
}

/// The folder of a run.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Removes the folder when it is dropped.
    temporary: Option<TempDir>,
}

impl Folder {
    /// Prepares `keep`, or a temporary folder that goes away with the value. None of `inputs` may be in it.
    pub(super) fn prepare(keep: Option<&Path>, inputs: &[&Path]) -> Result<Self, FolderError> {
        let (root, temporary) = match keep {
            Some(path) => {
                clear(path, inputs)?;
                (path.to_owned(), None)
            }
            None => {
                let temporary = TempDir::with_prefix("ilab-quickstart-")
                    .with_path("create a folder in", std::env::temp_dir())?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        atomic::write(root.join(MARK), MARK_TEXT.as_bytes())?;
        Ok(Self { root, temporary })
    }

    /// Whether the files are still there after the run.
    pub(super) fn is_kept(&self) -> bool {
        self.temporary.is_none()
    }

    /// A path in the folder.
    pub(super) fn join(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A path as it is shown: of a folder that goes away, only what lies below it.
    pub(super) fn shown(&self, path: &Path) -> String {
        let shown = match &self.temporary {
            Some(_) => path.strip_prefix(&self.root).unwrap_or(path),
            None => path,
        };
        shown.display().to_string()
    }
}

fn refuse_inside(folder: &Path, inputs: &[&Path]) -> Result<(), FolderError> {
    // A folder that does not exist yet has nothing in it.
    let Ok(resolved) = folder.canonicalize() else {
        return Ok(());
    };
    let is_inside = |input: &&&Path| {
        input
            .canonicalize()
            .is_ok_and(|input| input.starts_with(&resolved))
    };
    match inputs.iter().find(is_inside) {
        None => Ok(()),
        Some(input) => Err(FolderError::InputInside {
            input: (*input).to_owned(),
            folder: folder.to_owned(),
        }),
    }
}

/// Empties a folder of an earlier run; refuses any other that has something in it.
fn clear(path: &Path, inputs: &[&Path]) -> Result<(), FolderError> {
    create_dir_all(path)?;
    if read_dir_sorted(path)?.is_empty() {
        return Ok(());
    }
    let mark = read_to_string(path.join(MARK)).unwrap_or_default();
    if mark.lines().next() != MARK_TEXT.lines().next() {
        return Err(FolderError::NotOurs {
            path: path.to_owned(),
        });
    }
    refuse_inside(path, inputs)?;
    for name in CONTENTS {
        remove(&path.join(name))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), IoError> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.with_path("remove", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_replaces_the_first_and_leaves_other_files_alone() {
        let root = tempfile::tempdir().unwrap();
        let keep = root.path().join("new/run");
        let folder = Folder::prepare(Some(&keep), &[]).unwrap();
        atomic::write(folder.join("datasets/a/b.jsonl"), b"x").unwrap();
        atomic::write(folder.join("notes.txt"), b"mine").unwrap();
        let folder = Folder::prepare(Some(&keep), &[]).unwrap();
        assert!(folder.is_kept());
        assert!(!folder.join("datasets").exists());
        assert!(folder.join("notes.txt").exists());
    }

    #[test]
    fn a_folder_with_other_files_is_refused_untouched() {
        let root = tempfile::tempdir().unwrap();
        atomic::write(root.path().join("taxonomy/mine.yaml"), b"x").unwrap();
        let error = Folder::prepare(Some(root.path()), &[]).unwrap_err();
        assert!(matches!(error, FolderError::NotOurs { .. }), "{error}");
        assert!(root.path().join("taxonomy/mine.yaml").exists());
        assert!(!root.path().join(MARK).exists());
    }

    #[test]
    fn what_the_run_starts_from_is_not_removed() {
        let root = tempfile::tempdir().unwrap();
        let keep = root.path().join("run");
        let folder = Folder::prepare(Some(&keep), &[]).unwrap();
        let edited = folder.join("questions.jsonl");
        atomic::write(&edited, b"mine").unwrap();
        let indirect = root.path().join("run/../run/questions.jsonl");
        let error = Folder::prepare(Some(&keep), &[&indirect]).unwrap_err();
        assert!(matches!(error, FolderError::InputInside { .. }), "{error}");
        assert!(edited.exists());
        // What is missing is told by whoever reads it.
        Folder::prepare(Some(&keep), &[&root.path().join("gone")]).unwrap();
    }

    #[test]
    fn a_temporary_folder_goes_away() {
        let folder = Folder::prepare(None, &[]).unwrap();
        let mark = folder.join(MARK);
        assert!(mark.exists() && !folder.is_kept());
        assert_eq!(folder.shown(&mark), MARK);
        drop(folder);
        assert!(!mark.exists());
    }
}
