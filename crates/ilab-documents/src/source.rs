//! Where the documents of a leaf come from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_base::io::{self, IoError};

use crate::chunk::Format;
use crate::folder;
use crate::git::Repository;
use crate::pattern;

/// How many files an error names.
const N_NAMED: usize = 12;

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
    /// A pattern is not a pattern.
    #[error("`{pattern}` is not a file pattern")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        #[source]
        source: glob::PatternError,
    },
    /// A pattern matches no file.
    #[error(
        "the pattern `{pattern}` matches no file in `{place}`{}",
        listing(files)
    )]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// The folder or repository.
        place: String,
        /// The files that are there, sorted.
        files: Vec<String>,
    },
    /// Every file that a pattern matches is in a format that cannot be read.
    #[error(
        "none of the files that `{pattern}` matches in `{place}` can be read{}",
        listing(files)
    )]
    NoReadable {
        /// The pattern.
        pattern: String,
        /// The folder or repository.
        place: String,
        /// The files that match.
        files: Vec<String>,
    },
    /// A document is not UTF-8.
    #[error("`{path}` in `{place}` is not UTF-8 text: byte {byte} is wrong")]
    NotText {
        /// The document.
        path: String,
        /// The folder or repository.
        place: String,
        /// Position of the first byte that is not UTF-8.
        byte: usize,
    },
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
    /// The repository has no such commit.
    #[error("`{repository}` has no commit `{commit}`")]
    UnknownCommit {
        /// The repository.
        repository: String,
        /// The commit asked for.
        commit: String,
    },
}

fn listing(files: &[String]) -> String {
    if files.is_empty() {
        return "; there are no files".to_owned();
    }
    let more = match files.len().saturating_sub(N_NAMED) {
        0 => String::new(),
        n_more => format!(" and {n_more} more"),
    };
    format!(
        "; there are: {}{more}",
        files[..files.len().min(N_NAMED)].join(", ")
    )
}

impl Hint for DocumentError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) => return error.hints(),
            Self::Pattern { .. } => "patterns are like `docs/*.md` or `**/*.md`",
            Self::NoMatch { .. } => "correct `document.patterns` in that qna.yaml",
            Self::NoReadable { .. } => {
                "Markdown (.md) and text (.txt) can be read: convert the documents first"
            }
            Self::NotText { .. } => "save the document as UTF-8",
            Self::NoGit { .. } => "install git, or give `document.path` a local folder",
            Self::Git { .. } => "check `document.repo` in that qna.yaml and the network",
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
    let files = folder::files(folder)?;
    let place = folder.display().to_string();
    select(&place, &files, patterns, |index| {
        Ok(io::read(folder.join(&files[index]))?)
    })
}

/// Reads what `patterns` match at a commit of a git repository, which is kept below `cache` for the next time.
///
/// # Errors
/// As [`from_folder`], and everything that keeps `git` from getting the commit.
pub fn from_repository(
    url: &str,
    commit: &str,
    patterns: &[String],
    cache: &Path,
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
        let matched = pattern::matches(pattern, files)?;
        if matched.is_empty() {
            return Err(DocumentError::NoMatch {
                pattern: pattern.clone(),
                place: place.to_owned(),
                files: files.to_vec(),
            });
        }
        let names = || matched.iter().map(|index| files[*index].clone()).collect();
        if matched
            .iter()
            .all(|index| format_of(&files[*index]).is_none())
        {
            return Err(DocumentError::NoReadable {
                pattern: pattern.clone(),
                place: place.to_owned(),
                files: names(),
            });
        }
        for index in matched.iter().copied().filter(|index| seen.insert(*index)) {
            let path = &files[index];
            match format_of(path) {
                Some(format) => documents.documents.push(Document {
                    path: path.clone(),
                    format,
                    text: text(place, path, read(index)?)?,
                }),
                None => documents.unread.push(path.clone()),
            }
        }
    }
    Ok(documents)
}

fn format_of(path: &str) -> Option<Format> {
    Format::of(&PathBuf::from(path))
}

fn text(place: &str, path: &str, bytes: Vec<u8>) -> Result<String, DocumentError> {
    let text = String::from_utf8(bytes).map_err(|error| DocumentError::NotText {
        path: path.to_owned(),
        place: place.to_owned(),
        byte: error.utf8_error().valid_up_to(),
    })?;
    // Editors on Windows write a byte order mark and carriage returns; neither is part of the document.
    Ok(text
        .strip_prefix('\u{feff}')
        .unwrap_or(&text)
        .replace("\r\n", "\n"))
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
        assert_eq!(check("***"), "`***` is not a file pattern");
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
        let read =
            |commit: &str| from_repository(url, commit, &patterns(&["**/*.md"]), cache.path());
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
        let missing = from_repository("/nowhere/at/all", "main", &patterns(&["*"]), cache.path());
        assert!(
            matches!(missing, Err(DocumentError::Git { .. })),
            "{missing:?}"
        );
        assert_eq!(
            fs::read_dir(cache.path()).unwrap().count(),
            1,
            "a failed clone leaves nothing"
        );
    }
}
