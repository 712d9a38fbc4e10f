//! What differs from a git commit, without running git.
//!
//! Each file on disk is hashed and compared with the base's tree at the same path; that answers for staged, unstaged,
//! untracked and renamed files alike. Differs from upstream: the base of a branch is the merge base with it, not the
//! first ancestor along first parents, so that files which came with a merge of the branch are not listed as one's own.

use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;
use gix::index::entry::Mode;
use gix::worktree::stack::state::ignore::Source;
use ilab_base::io::WithPath;

use crate::error::TaxonomyError;
use crate::select::Origin;

/// A file beside the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GitState {
    /// New, or different from the base.
    Changed,
    /// The same as in the base.
    Unchanged,
    /// Not tracked, and ignored.
    Ignored,
}

/// A git work tree and the commit to compare it with.
pub(crate) struct Worktree {
    repository: gix::Repository,
    /// The work tree's folder.
    folder: PathBuf,
    base: String,
    commit: gix::ObjectId,
    tree: gix::ObjectId,
    index: gix::worktree::Index,
}

impl Worktree {
    /// The work tree that `root` lies in, or `None` where there is none.
    pub(crate) fn open(root: &Path, base: &str) -> Result<Option<Self>, TaxonomyError> {
        let repository = match gix::discover(root) {
            Ok(repository) => repository,
            Err(error) if is_no_repository(&error) => return Ok(None),
            Err(error) => return Err(git_error(root, error)),
        };
        let Some(folder) = repository.workdir() else {
            return Ok(None);
        };
        let folder = folder.canonicalize().with_path("read", folder)?;
        let commit = resolve_base(&repository, &folder, base)?;
        let git = |source| git_error(&folder, source);
        let tree = repository
            .find_commit(commit)
            .and_then(|commit| commit.tree_id())
            .map_err(git)?;
        let tree = tree.detach();
        let index = repository.index_or_empty().map_err(git)?;
        Ok(Some(Self {
            repository,
            folder,
            base: base.to_owned(),
            commit,
            tree,
            index,
        }))
    }

    /// How files were selected.
    pub(crate) fn origin(&self) -> Origin {
        Origin::Git {
            base: self.base.clone(),
            commit: self.commit.to_string(),
        }
    }

    /// How each of `files`, relative to the taxonomy at `root`, stands beside the base.
    pub(crate) fn states(
        &self,
        root: &Path,
        files: &[PathBuf],
    ) -> Result<Vec<GitState>, TaxonomyError> {
        let git = |source| git_error(&self.folder, source);
        let root = root.canonicalize().with_path("read", root)?;
        let tree = self.repository.find_tree(self.tree).map_err(git)?;
        let source = Source::WorktreeThenIdMappingIfNotSkipped;
        let mut excludes = self
            .repository
            .excludes(&self.index, None, source)
            .map_err(git)?;
        let mut states = Vec::with_capacity(files.len());
        for file in files {
            let path = root.join(file);
            let in_worktree = path.strip_prefix(&self.folder).unwrap_or(&path);
            states.push(match tree.lookup_entry_by_path(in_worktree).map_err(git)? {
                Some(entry) if is_object(&ilab_base::io::read(&path)?, entry.object_id()) => {
                    GitState::Unchanged
                }
                None if self.is_ignored(&mut excludes, in_worktree)? => GitState::Ignored,
                _ => GitState::Changed,
            });
        }
        Ok(states)
    }

    fn is_ignored(
        &self,
        excludes: &mut gix::AttributeStack<'_>,
        in_worktree: &Path,
    ) -> Result<bool, TaxonomyError> {
        let git = |source| git_error(&self.folder, source);
        let path = gix::path::into_bstr(in_worktree).map_err(git)?;
        let path = gix::path::to_unix_separators_on_windows(path);
        if self.index.entry_by_path(path.as_ref()).is_some() {
            return Ok(false);
        }
        let entry = excludes
            .at_entry(path.as_bstr(), Some(Mode::FILE))
            .map_err(git)?;
        Ok(entry.is_excluded())
    }
}

/// Whether there is none, rather than one that cannot be used.
fn is_no_repository(error: &gix::Error) -> bool {
    use gix::discover::upwards::Error;
    matches!(
        error.downcast_any_ref(),
        Some(
            Error::NoGitRepository { .. }
                | Error::NoGitRepositoryWithinCeiling { .. }
                | Error::NoGitRepositoryWithinFs { .. }
        )
    )
}

/// Whether a file with these bytes is this object. A second look without CR covers `core.autocrlf`.
fn is_object(bytes: &[u8], id: gix::ObjectId) -> bool {
    let has_id = |bytes: &[u8]| {
        gix::objs::compute_hash(id.kind(), gix::objs::Kind::Blob, bytes)
            .is_ok_and(|hash| hash == id)
    };
    has_id(bytes) || (bytes.contains(&b'\r') && has_id(&bytes.replace("\r\n", "\n")))
}

/// The commit that `base` means: for a branch, where it and the checked-out commit parted.
fn resolve_base(
    repository: &gix::Repository,
    folder: &Path,
    base: &str,
) -> Result<gix::ObjectId, TaxonomyError> {
    let git = |source| git_error(folder, source);
    for prefix in ["refs/heads/", "refs/remotes/"] {
        let name = format!("{prefix}{base}");
        // A base such as `HEAD~1` is no valid name of a branch, which is one way of not being one.
        let Ok(Some(mut branch)) = repository.try_find_reference(name.as_str()) else {
            continue;
        };
        let tip = branch.peel_to_id().map_err(git)?.detach();
        let head = repository.head_id().map_err(|_| TaxonomyError::NoCommit {
            base: base.to_owned(),
            repository: folder.to_owned(),
        })?;
        let common = repository.merge_base(head.detach(), tip).map_err(git)?;
        return common
            .map(gix::Id::detach)
            .ok_or_else(|| TaxonomyError::UnrelatedBase {
                base: base.to_owned(),
                repository: folder.to_owned(),
            });
    }
    let commit = repository
        .rev_parse_single(base)
        .and_then(|id| id.object())
        .and_then(|object| object.peel_to_commit());
    commit
        .map(|commit| commit.id)
        .map_err(|_| TaxonomyError::UnknownBase {
            base: base.to_owned(),
            repository: folder.to_owned(),
            branches: branches(repository),
        })
}

/// The branches that a user may have meant; none where git's files do not say.
fn branches(repository: &gix::Repository) -> Vec<String> {
    let Ok(references) = repository.references() else {
        return Vec::new();
    };
    let local = references.local_branches().into_iter().flatten();
    let remote = references.remote_branches().into_iter().flatten();
    local
        .chain(remote)
        .flatten()
        .map(|branch| branch.name().shorten().to_string())
        .filter(|name| !name.ends_with("/HEAD"))
        .take(10)
        .collect()
}

fn git_error(folder: &Path, source: gix::Error) -> TaxonomyError {
    TaxonomyError::Git {
        repository: folder.to_owned(),
        source,
    }
}
