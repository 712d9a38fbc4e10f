//! Where the documents of a leaf come from.

use std::collections::BTreeSet;
use std::path::Path;

use ilab_base::cancel::Cancel;
use ilab_base::document_files::{self, Format, Matched, SelectionError};
use ilab_base::hint::Hint;
use ilab_base::io::{self, IoError, WithPath as _};

use crate::convert::{self, ConvertError};
use crate::git::{Blob, Repository};

/// A document in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Below its folder or repository, with `/` between the parts.
    pub path: String,
    /// How it was written.
    pub format: Format,
    /// Its text, Markdown unless the format is [`Format::Text`].
    pub text: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Documents {
    /// The documents, in the order of the patterns and then of their names, each once.
    pub read: Vec<Document>,
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
    /// A document cannot be converted.
    #[error(transparent)]
    Convert(#[from] ConvertError),
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
            Self::Convert(error) => return error.hints(),
            Self::NoGit { .. } => "install git, or give `document.path` a local folder",
            Self::Git { .. } => "check `document.repo` in that qna.yaml and the network",
            Self::Cancelled => return Vec::new(),
            Self::UnknownCommit { .. } => "check `document.commit` in that qna.yaml",
        };
        vec![hint.to_owned()]
    }
}

/// How documents are read.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// The folder where git repositories are kept from run to run.
    pub repositories: &'a Path,
    /// Told of what may take long before it begins.
    pub tell: &'a dyn Fn(Step<'_>),
    /// Stops it.
    pub cancel: &'a Cancel,
}

/// Something that may take long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A repository of this URL is cloned.
    Cloning(&'a str),
    /// The document of this path is converted.
    Converting(&'a str),
}

/// Reads what `patterns` match below `folder`.
///
/// # Errors
/// A folder or file that cannot be read, a pattern that matches nothing or nothing readable, text that is not UTF-8, a document
/// that is too long or cannot be converted.
pub fn from_folder(
    folder: &Path,
    patterns: &[String],
    reading: Reading<'_>,
) -> Result<Documents, DocumentError> {
    let files = document_files::below(folder)?;
    let place = Place {
        name: &folder.display().to_string(),
        files: &files,
    };
    place.read(&place.matches(patterns)?, reading, |index| {
        let path = folder.join(&files[index]);
        place.check_size(index, path.metadata().with_path("read", &path)?.len())?;
        Ok(io::read(path)?)
    })
}

/// Reads one file, whatever lies beside it.
///
/// # Errors
/// As [`from_folder`].
pub fn from_file(path: &Path, reading: Reading<'_>) -> Result<Document, DocumentError> {
    let n_bytes = path.metadata().with_path("read", path)?.len();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let files = [name.into_owned()];
    let place = Place {
        name: &folder.unwrap_or(Path::new(".")).display().to_string(),
        files: &files,
    };
    let unreadable = || SelectionError::NoReadable {
        pattern: files[0].clone(),
        place: place.name.to_owned(),
        files: files.to_vec(),
    };
    let format = Format::of(path).ok_or_else(unreadable)?;
    let file = Matched {
        index: 0,
        format: Some(format),
    };
    place.check_size(0, n_bytes)?;
    let documents = place.read(&[file], reading, |_| Ok(io::read(path)?))?;
    let document = documents.read.into_iter().next();
    Ok(document.ok_or_else(unreadable)?)
}

/// Reads what `patterns` match at a commit of a git repository, which is kept for the next time.
///
/// # Errors
/// As [`from_folder`], and everything that keeps `git` from getting the commit.
pub fn from_repository(
    url: &str,
    commit: &str,
    patterns: &[String],
    reading: Reading<'_>,
) -> Result<Documents, DocumentError> {
    let repository = Repository::open(url, reading)?;
    let commit = repository.commit(commit)?;
    let blobs = repository.files(&commit)?;
    let paths: Vec<String> = blobs.iter().map(|blob| blob.path.clone()).collect();
    let place = Place {
        name: url,
        files: &paths,
    };
    let matched = place.matches(patterns)?;
    let readable = matched.iter().filter(|file| file.format.is_some());
    let wanted: Vec<&Blob> = readable.map(|file| &blobs[file.index]).collect();
    repository.fetch(&commit, &wanted)?;
    place.read(&matched, reading, |index| {
        place.check_size(index, repository.n_bytes(&blobs[index])?)?;
        repository.read(&blobs[index])
    })
}

/// A folder or a repository.
struct Place<'a> {
    name: &'a str,
    files: &'a [String],
}

impl Place<'_> {
    /// What `patterns` match, each file once.
    fn matches(&self, patterns: &[String]) -> Result<Vec<Matched>, SelectionError> {
        let mut matched = Vec::new();
        let mut seen = BTreeSet::new();
        for pattern in patterns {
            let files = document_files::matches(self.name, self.files, pattern)?;
            matched.extend(files.into_iter().filter(|file| seen.insert(file.index)));
        }
        Ok(matched)
    }

    fn check_size(&self, index: usize, n_bytes: u64) -> Result<(), SelectionError> {
        document_files::check_size(self.name, &self.files[index], n_bytes)
    }

    fn read(
        &self,
        matched: &[Matched],
        reading: Reading<'_>,
        bytes: impl Fn(usize) -> Result<Vec<u8>, DocumentError>,
    ) -> Result<Documents, DocumentError> {
        let mut documents = Documents::default();
        for file in matched {
            let path = &self.files[file.index];
            let Some(format) = file.format else {
                documents.unread.push(path.clone());
                continue;
            };
            reading
                .cancel
                .check()
                .map_err(|_| DocumentError::Cancelled)?;
            let bytes = bytes(file.index)?;
            let text = if format.is_text() {
                document_files::text(self.name, path, bytes)?
            } else {
                (reading.tell)(Step::Converting(path));
                convert::to_markdown((self.name, path), format, bytes)?
            };
            documents.read.push(Document {
                path: path.clone(),
                format,
                text,
            });
        }
        Ok(documents)
    }
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

    fn read_folder(folder: &Path, wanted: &[&str]) -> Result<Documents, DocumentError> {
        let cancel = Cancel::new();
        let reading = Reading {
            repositories: folder,
            tell: &|_| (),
            cancel: &cancel,
        };
        from_folder(folder, &patterns(wanted), reading)
    }

    fn patterns(patterns: &[&str]) -> Vec<String> {
        patterns
            .iter()
            .map(|pattern| (*pattern).to_owned())
            .collect()
    }

    fn paths(found: &Documents) -> Vec<&str> {
        found
            .read
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
            ("deep/d.doc", b""),
            (".hidden.md", b""),
            (".git/x.md", b""),
        ]);
        let found = read_folder(folder.path(), &["./*.md", "**/*"]).unwrap();
        assert_eq!(paths(&found), ["b.md", "a.MD", "deep/er/c.txt"]);
        assert_eq!(found.unread, ["deep/d.doc"]);
        assert_eq!(found.read[0].text, "# B\ntext\n");
    }

    #[test]
    fn one_file_is_read_by_its_path() {
        let folder = folder(&[("a [1].md", b"text\r\n"), ("b.doc", b"")]);
        let cancel = Cancel::new();
        let reading = Reading {
            repositories: folder.path(),
            tell: &|_| (),
            cancel: &cancel,
        };
        let read = |name: &str| from_file(&folder.path().join(name), reading);
        let document = read("a [1].md").unwrap();
        assert_eq!(
            (document.path.as_str(), document.text.as_str()),
            ("a [1].md", "text\n")
        );
        let unreadable = read("b.doc").unwrap_err().to_string();
        assert!(
            unreadable.starts_with("none of the files that `b.doc` matches"),
            "{unreadable}"
        );
        assert!(matches!(read("nowhere.md"), Err(DocumentError::Io(_))));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = folder(&[("a.md", b"x\xff"), ("b.doc", b"")]);
        let check = |pattern: &str| {
            let error = read_folder(folder.path(), &[pattern])
                .unwrap_err()
                .to_string();
            error.replace(&folder.path().display().to_string(), "FOLDER")
        };
        assert_eq!(
            check("docs/*.md"),
            "the pattern `docs/*.md` matches no file in `FOLDER`; there are: a.md, b.doc"
        );
        assert_eq!(
            check("*.doc"),
            "none of the files that `*.doc` matches in `FOLDER` can be read; there are: b.doc"
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
        assert!(read_folder(&folder.path().join("nowhere"), &["*"]).is_err());
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
        let found = read_folder(inside.path(), &["**/*.md"]).unwrap();
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
        let tell = |step: Step<'_>| cloned.borrow_mut().push(format!("{step:?}"));
        let kept = Reading {
            repositories: cache.path(),
            tell: &tell,
            cancel: &cancel,
        };
        let read = |commit: &str| from_repository(url, commit, &patterns(&["**/*.md"]), kept);
        assert_eq!(read(&first).unwrap().read[0].text, "old");

        fs::write(origin.path().join("docs/a.md"), "new").unwrap();
        git(origin.path(), &["commit", "--quiet", "-am", "two"]);
        assert_eq!(read("main").unwrap().read[0].text, "new");
        assert_eq!(read(&first).unwrap().read[0].text, "old");

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
            [url, "/nowhere/at/all"].map(|url| format!("Cloning({url:?})")),
            "cloned once each"
        );
    }

    #[test]
    fn of_a_server_that_allows_it_only_the_documents_are_fetched() {
        let origin = folder(&[
            ("docs/a.md", b"one"),
            ("docs/b.md", b"two"),
            ("data.bin", b"three"),
        ]);
        git(origin.path(), &["init", "--quiet", "--initial-branch=main"]);
        git(origin.path(), &["add", "."]);
        git(origin.path(), &["commit", "--quiet", "-m", "one"]);
        git(origin.path(), &["config", "uploadpack.allowFilter", "true"]);
        git(
            origin.path(),
            &["config", "uploadpack.allowAnySHA1InWant", "true"],
        );
        let cache = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        let reading = Reading {
            repositories: cache.path(),
            tell: &|_| (),
            cancel: &cancel,
        };
        let url = format!("file://{}", origin.path().display());
        let read = || from_repository(&url, "main", &patterns(&["docs/*"]), reading).unwrap();
        let texts: Vec<String> = read().read.into_iter().map(|found| found.text).collect();
        assert_eq!(texts, ["one", "two"]);

        let kept = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap();
        let listing = git(
            &kept.path(),
            &["rev-list", "--objects", "--missing=print", "main"],
        );
        let missing = listing.lines().filter(|line| line.starts_with('?'));
        assert_eq!(missing.count(), 1, "{listing}");

        fs::remove_dir_all(origin.path()).unwrap();
        let again = from_repository(
            &url,
            &git(&kept.path(), &["rev-parse", "main"]),
            &patterns(&["docs/*"]),
            reading,
        );
        assert_eq!(again.unwrap().read.len(), 2, "nothing is fetched twice");
    }

    #[test]
    fn a_file_that_is_too_long_is_named_before_it_is_read() {
        let folder = folder(&[("a.md", b"x")]);
        let file = fs::File::create(folder.path().join("b.pdf")).unwrap();
        file.set_len(500_000_000).unwrap();
        let error = read_folder(folder.path(), &["*"]).unwrap_err().to_string();
        let error = error.replace(&folder.path().display().to_string(), "FOLDER");
        assert_eq!(
            error,
            "`b.pdf` in `FOLDER` has 500 MB; documents of up to 200 MB are read"
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
            Reading {
                repositories: cache.path(),
                tell: &|_| cancel.cancel(),
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
