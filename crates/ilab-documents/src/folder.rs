//! Documents in a local folder.

use std::path::{Path, PathBuf};

use ilab_base::io::{self, IoError};

/// Deeper folders are not looked into: a tree of documents is shallow, and the bound ends loops.
const MAX_DEPTH: usize = 32;

/// The files below `folder`, relative to it with `/` between the parts, sorted. Hidden folders are left out, and so is what a link
/// names outside of the folder.
pub(crate) fn files(folder: &Path) -> Result<Vec<String>, IoError> {
    let root = folder
        .canonicalize()
        .map_err(|source| IoError::new("read", folder, source))?;
    let mut files = Vec::new();
    walk(&root, &root, &mut Vec::new(), &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(
    root: &Path,
    folder: &Path,
    parts: &mut Vec<String>,
    files: &mut Vec<String>,
) -> Result<(), IoError> {
    for entry in io::read_dir_sorted(folder)? {
        let Some(name) = entry
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned)
        else {
            continue;
        };
        let Some(target) = inside(root, &entry) else {
            continue;
        };
        if target.is_file() {
            files.push(
                parts
                    .iter()
                    .chain([&name])
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("/"),
            );
        } else if target.is_dir()
            && !name.starts_with('.')
            && !entry.is_symlink()
            && parts.len() < MAX_DEPTH
        {
            parts.push(name);
            walk(root, &entry, parts, files)?;
            parts.pop();
        }
    }
    Ok(())
}

/// The entry itself or what it links to, unless that is gone or outside of `root`.
fn inside(root: &Path, entry: &Path) -> Option<PathBuf> {
    if !entry.is_symlink() {
        return Some(entry.to_owned());
    }
    entry
        .canonicalize()
        .ok()
        .filter(|target| target.starts_with(root))
}
