//! Where the documents of a leaf come from.

use std::collections::BTreeSet;
use std::path::Path;

use ilab_base::cancel::Cancel;
use ilab_base::document_files::{self, Format, SelectionError};
use ilab_base::hint::Hint;
use ilab_base::io::{self, IoError};

use crate::git::Repository;

/// A document in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Below its folder or repository, with `/` between the parts.
    pub path: String,
    /// How it is written.
    pub format: Format,
    /// Its text.
    pub text: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    /// The documents, in the order of the patterns and then of their names, each once.
    pub documents: Vec<Document>,
    /// Files that a pattern matches and that are in no format that can be read.
    pub unread: Vec<String>,
}

/// The documents of a leaf cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A file or folder failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The files cannot be documents.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The `git` program is not installed.
    #[error("`{repository}` cannot be read: the program `git` was not found")]
    NoGit {
        /// The repository.
        repository: String,
    },
    /// The `git` program failed.
    #[error("`git {action}` failed for `{repository}`: {message}")]
    Git {
        /// The repository.
        repository: String,
        /// What git was asked to do.
        action: String,
        /// What it said.
        message: String,
    },
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The repository has no such commit.
    #[error("`{repository}` has no commit `{commit}`")]
    UnknownCommit {
        /// The repository.
        repository: String,
        /// The commit asked for.
        commit: String,
    },
}

impl Hint for DocumentError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) => return error.hints(),
            Self::Selection(error) => return error.hints(),
            Self::NoGit { .. } => "install git, or give `document.path` a local folder",
            Self::Git { .. } => "check `document.repo` in that qna.yaml and the network",
            Self::Cancelled => return Vec::new(),
            Self::UnknownCommit { .. } => "check `document.commit` in that qna.yaml",
        };
        vec![hint.to_owned()]
    }
}

/// Reads what `patterns` match below `folder`.
///
/// # Errors
/// A folder or file that cannot be read, a pattern that matches nothing or nothing readable, and text that is not UTF-8.
pub fn from_folder(folder: &Path, patterns: &[String]) -> Result<Documents, DocumentError> {
    let files = document_files::below(folder)?;
    let place = folder.display().to_string();
    select(&place, &files, patterns, |index| {
        Ok(io::read(folder.join(&files[index]))?)
    })
}

/// Where repositories are kept from run to run.
#[derive(Clone, Copy)]
pub struct Cache<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// Told the URL of a repository before it is cloned.
    pub on_clone: &'a dyn Fn(&str),
    /// Stops `git`.
    pub cancel: &'a Cancel,
}

/// Reads what `patterns` match at a commit of a git repository, which is kept in `cache` for the next time.
///
/// # Errors
/// As [`from_folder`], and everything that keeps `git` from getting the commit.
pub fn from_repository(
    url: &str,
    commit: &str,
    patterns: &[String],
    cache: Cache<'_>,
) -> Result<Documents, DocumentError> {
    let repository = Repository::open(url, cache)?;
    let blobs = repository.files(&repository.commit(commit)?)?;
    let paths: Vec<String> = blobs.iter().map(|blob| blob.path.clone()).collect();
    select(url, &paths, patterns, |index| {
        repository.read(&blobs[index])
    })
}

fn select(
    place: &str,
    files: &[String],
    patterns: &[String],
    read: impl Fn(usize) -> Result<Vec<u8>, DocumentError>,
) -> Result<Documents, DocumentError> {
    let mut documents = Documents::default();
    let mut seen = BTreeSet::new();
    for pattern in patterns {
        for matched in document_files::matches(place, files, pattern)? {
            if !seen.insert(matched.index) {
                continue;
            }
            let path = &files[matched.index];
            match matched.format {
                Some(format) => documents.documents.push(Document {
                    path: path.clone(),
                    format,
                    text: document_files::text(place, path, read(matched.index)?)?,
                }),
                None => documents.unread.push(path.clone()),
            }
        }
    }
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn patterns(patterns: &[&str]) -> Vec<String> {
        patterns
            .iter()
            .map(|pattern| (*pattern).to_owned())
            .collect()
    }

    fn paths(found: &Documents) -> Vec<&str> {
        found
            .documents
            .iter()
            .map(|document| document.path.as_str())
            .collect()
    }

    #[test]
    fn patterns_select_each_document_once() {
        let folder = folder(&[
            ("b.md", b"\xef\xbb\xbf# B\r\ntext\r\n"),
            ("a.MD", b""),
            ("deep/er/c.txt", b""),
            ("deep/d.pdf", b"%PDF"),
            (".hidden.md", b""),
            (".git/x.md", b""),
        ]);
        let found = from_folder(folder.path(), &patterns(&["./*.md", "**/*"])).unwrap();
        assert_eq!(paths(&found), ["b.md", "a.MD", "deep/er/c.txt"]);
        assert_eq!(found.unread, ["deep/d.pdf"]);
        assert_eq!(found.documents[0].text, "# B\ntext\n");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = folder(&[("a.md", b"x\xff"), ("b.pdf", b"")]);
        let check = |pattern: &str| {
            let error = from_folder(folder.path(), &patterns(&[pattern]))
                .unwrap_err()
                .to_string();
            error.replace(&folder.path().display().to_string(), "FOLDER")
        };
        assert_eq!(
            check("docs/*.md"),
            "the pattern `docs/*.md` matches no file in `FOLDER`; there are: a.md, b.pdf"
        );
        assert_eq!(
            check("*.pdf"),
            "none of the files that `*.pdf` matches in `FOLDER` can be read; there are: b.pdf"
        );
        assert_eq!(
            check("a.md"),
            "`a.md` in `FOLDER` is not UTF-8 text: byte 1 is wrong"
        );
        assert_eq!(
            check("***"),
            "`***` is not a file pattern: wildcards are either regular `*` or recursive `**`"
        );
        assert!(check("../*").contains("matches no file"));
        assert!(from_folder(&folder.path().join("nowhere"), &patterns(&["*"])).is_err());
    }

    #[test]
    #[cfg(unix)]
    fn links_do_not_lead_outside() {
        let outside = folder(&[("secret.md", b"secret")]);
        let inside = folder(&[("a.md", b"")]);
        std::os::unix::fs::symlink(
            outside.path().join("secret.md"),
            inside.path().join("link.md"),
        )
        .unwrap();
        std::os::unix::fs::symlink(inside.path(), inside.path().join("loop")).unwrap();
        let found = from_folder(inside.path(), &patterns(&["**/*.md"])).unwrap();
        assert_eq!(paths(&found), ["a.md"]);
    }

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn a_repository_is_read_at_its_commit() {
        let origin = folder(&[("docs/a.md", b"old")]);
        git(origin.path(), &["init", "--quiet", "--initial-branch=main"]);
        git(origin.path(), &["add", "."]);
        git(origin.path(), &["commit", "--quiet", "-m", "one"]);
        let first = git(origin.path(), &["rev-parse", "HEAD"]);
        let cache = tempfile::tempdir().unwrap();
        let url = origin.path().to_str().unwrap();
        let cancel = Cancel::new();
        let cloned = std::cell::RefCell::new(Vec::new());
        let tell = |url: &str| cloned.borrow_mut().push(url.to_owned());
        let kept = Cache {
            folder: cache.path(),
            on_clone: &tell,
            cancel: &cancel,
        };
        let read = |commit: &str| from_repository(url, commit, &patterns(&["**/*.md"]), kept);
        assert_eq!(read(&first).unwrap().documents[0].text, "old");

        fs::write(origin.path().join("docs/a.md"), "new").unwrap();
        git(origin.path(), &["commit", "--quiet", "-am", "two"]);
        assert_eq!(read("main").unwrap().documents[0].text, "new");
        assert_eq!(read(&first).unwrap().documents[0].text, "old");

        assert!(matches!(
            read("0123456789012345678901234567890123456789"),
            Err(DocumentError::UnknownCommit { .. })
        ));
        assert!(matches!(
            read("--help"),
            Err(DocumentError::UnknownCommit { .. })
        ));
        let missing = from_repository("/nowhere/at/all", "main", &patterns(&["*"]), kept);
        assert!(
            matches!(missing, Err(DocumentError::Git { .. })),
            "{missing:?}"
        );
        assert_eq!(
            fs::read_dir(cache.path()).unwrap().count(),
            1,
            "a failed clone leaves nothing"
        );
        assert_eq!(
            *cloned.borrow(),
            [url, "/nowhere/at/all"],
            "cloned once each"
        );
    }
    #[test]
    #[cfg(unix)]
    fn a_clone_that_is_cancelled_ends_at_once_and_leaves_nothing() {
        // A server that takes the connection and never says a word.
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("git://{}/docs.git", listener.local_addr().unwrap());
        let cache = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        let started = std::time::Instant::now();
        let outcome = from_repository(
            &url,
            "main",
            &patterns(&["*"]),
            Cache {
                folder: cache.path(),
                on_clone: &|_| cancel.cancel(),
                cancel: &cancel,
            },
        );
        assert!(
            matches!(outcome, Err(DocumentError::Cancelled)),
            "{outcome:?}"
        );
        assert!(started.elapsed() < std::time::Duration::from_secs(10));
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0);
    }
}
