//! Which files of a taxonomy are meant, and why others are not.

use std::path::{Component, Path, PathBuf};

use ilab_base::io::{IoError, WithPath, read_dir_sorted};

use crate::error::TaxonomyError;
use crate::git::{GitState, Worktree};
use crate::{Base, FILE_NAME, FOLDERS, Selection};

/// How many folders outside the two of a taxonomy are searched for misplaced files.
const MAX_SEARCHED_FOLDERS: usize = 2_000;

/// How files were selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// One file was named.
    SingleFile,
    /// Every file on disk was asked for.
    EveryFile,
    /// The folder is in no git work tree, so nothing can be compared and every file is taken.
    PlainFolder,
    /// Files that are new or differ from a commit.
    Git {
        /// The base that was asked for.
        base: String,
        /// The commit that files were compared with.
        commit: String,
    },
}

/// A file that was not selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The file relative to the taxonomy.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why a file was not selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is the same in the base.
    Unchanged,
    /// It is ignored by git.
    Ignored,
    /// Its name is nearly `qna.yaml`.
    Misspelt,
    /// It is YAML of another name.
    OtherName,
    /// It lies outside `compositional_skills` and `knowledge`.
    Outside,
}

/// The files to read.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) origin: Origin,
    pub(crate) files: Vec<SelectedFile>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// A file to read.
#[derive(Debug)]
pub(crate) struct SelectedFile {
    pub(crate) path: PathBuf,
    pub(crate) relative_path: PathBuf,
    /// The folders from the taxonomy down to it.
    pub(crate) leaf_folders: Vec<String>,
}

/// Finds the files that `selection` means.
pub(crate) fn select(selection: &Selection) -> Result<Selected, TaxonomyError> {
    let path = &selection.path;
    if is_existing_folder(path)? {
        select_in_folder(path, &selection.base)
    } else {
        select_file(path)
    }
}

fn is_existing_folder(path: &Path) -> Result<bool, TaxonomyError> {
    let metadata = std::fs::metadata(path).with_path("read", path);
    match metadata {
        Ok(metadata) => Ok(metadata.is_dir()),
        Err(error) if error.is_not_found() => Err(TaxonomyError::NotFound {
            path: path.to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// Every taxonomy file at or below `path`.
pub(crate) fn below(path: &Path) -> Result<Vec<PathBuf>, TaxonomyError> {
    if !is_existing_folder(path)? {
        let files = select_file(path)?.files.into_iter();
        return Ok(files.map(|file| file.path).collect());
    }
    let mut files = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in read_dir_sorted(folder)? {
            let name = path.file_name();
            if is_folder(&path) {
                if name != Some(".git".as_ref()) {
                    folders.push(path);
                }
            } else if name == Some(FILE_NAME.as_ref()) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn select_file(path: &Path) -> Result<Selected, TaxonomyError> {
    if path.file_name() != Some(FILE_NAME.as_ref()) {
        return Err(TaxonomyError::WrongName {
            path: path.to_owned(),
        });
    }
    let absolute = path.canonicalize().with_path("read", path)?;
    let folders = folders_of(&absolute);
    // The right-most of the two folders starts the taxonomy: parents of a taxonomy may have any name.
    let start = folders
        .iter()
        .rposition(|folder| FOLDERS.contains(&folder.as_str()));
    let start = start.unwrap_or_else(|| folders.len().saturating_sub(1));
    Ok(Selected {
        origin: Origin::SingleFile,
        files: vec![SelectedFile {
            path: path.to_owned(),
            relative_path: path.to_owned(),
            leaf_folders: folders[start..].to_vec(),
        }],
        left_out: Vec::new(),
    })
}

fn select_in_folder(root: &Path, base: &Base) -> Result<Selected, TaxonomyError> {
    let mut found = Found::default();
    for folder in FOLDERS {
        found.search(root, Path::new(folder))?;
    }
    let (origin, mut files) = match base {
        Base::Empty => (Origin::EveryFile, found.files),
        Base::Revision(revision) => match Worktree::open(root, revision)? {
            None => (Origin::PlainFolder, found.files),
            Some(worktree) => {
                let states = worktree.states(root, &found.files)?;
                let mut changed = Vec::new();
                for (file, state) in found.files.into_iter().zip(states) {
                    match state {
                        GitState::Changed => changed.push(file),
                        GitState::Unchanged => {
                            found.left_out.push(left_out(file, Reason::Unchanged))
                        }
                        GitState::Ignored => found.left_out.push(left_out(file, Reason::Ignored)),
                    }
                }
                (worktree.origin(), changed)
            }
        },
    };
    files.sort();
    if files.is_empty() {
        found.left_out.extend(outside(root));
    }
    Ok(Selected {
        origin,
        files: files.into_iter().map(|file| in_root(root, file)).collect(),
        left_out: found.left_out,
    })
}

fn in_root(root: &Path, relative_path: PathBuf) -> SelectedFile {
    SelectedFile {
        path: root.join(&relative_path),
        leaf_folders: folders_of(&relative_path),
        relative_path,
    }
}

fn left_out(path: PathBuf, reason: Reason) -> LeftOut {
    LeftOut { path, reason }
}

/// The names of the folders that a file lies in.
fn folders_of(file: &Path) -> Vec<String> {
    let folders = file.parent().into_iter().flat_map(Path::components);
    folders
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            _ => None,
        })
        .collect()
}

/// Files found on disk, relative to the taxonomy.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    left_out: Vec<LeftOut>,
}

impl Found {
    fn search(&mut self, root: &Path, folder: &Path) -> Result<(), IoError> {
        if !root.join(folder).is_dir() {
            return Ok(());
        }
        for path in read_dir_sorted(root.join(folder))? {
            let Some(name) = path.file_name() else {
                continue;
            };
            let relative = folder.join(name);
            if is_folder(&path) {
                if name != ".git" {
                    self.search(root, &relative)?;
                }
            } else if name == FILE_NAME {
                self.files.push(relative);
            } else if let Some(reason) = reason_for_name(&name.to_string_lossy()) {
                self.left_out.push(left_out(relative, reason));
            }
        }
        Ok(())
    }
}

/// Whether it is a folder itself: a link to one is not followed, because links can form a ring.
fn is_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn reason_for_name(name: &str) -> Option<Reason> {
    let lowercase = name.to_lowercase();
    let stem = lowercase
        .strip_suffix(".yaml")
        .or_else(|| lowercase.strip_suffix(".yml"))?;
    Some(match stem {
        "qna" => Reason::Misspelt,
        _ => Reason::OtherName,
    })
}

/// Files of the right name in the wrong place. What cannot be listed is passed over: it only serves an explanation.
fn outside(root: &Path) -> Vec<LeftOut> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    for _ in 0..MAX_SEARCHED_FOLDERS {
        let Some(folder) = folders.pop() else { break };
        for path in read_dir_sorted(root.join(&folder)).unwrap_or_default() {
            let Some(name) = path.file_name() else {
                continue;
            };
            let relative = folder.join(name);
            let is_hidden = name.to_string_lossy().starts_with('.');
            let is_read = folder == Path::new("") && FOLDERS.iter().any(|folder| name == *folder);
            if is_folder(&path) {
                if !is_hidden && !is_read {
                    folders.push(relative);
                }
            } else if name == FILE_NAME {
                found.push(left_out(relative, Reason::Outside));
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}
