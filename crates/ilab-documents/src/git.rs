//! Documents in a git repository, through the `git` program so that the user's credentials and proxies work.
//!
//! The repository is kept bare: files are read from the object store at the asked commit, so two leaves with different
//! commits never disturb each other and links cannot lead outside.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use ilab_base::atomic::StagedDir;
use ilab_base::cancel::Cancel;
use ilab_base::io::{self, IoError};

use crate::source::{DocumentError, Reading, Step};

/// Objects that are fetched at a time: a command line holds only so much.
const N_OBJECTS_A_FETCH: usize = 500;

/// How often a running `git` is looked at, at most.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// A repository on this machine.
pub(crate) struct Repository {
    folder: PathBuf,
    url: String,
    cancel: Cancel,
}

/// A file at a commit.
pub(crate) struct Blob {
    pub(crate) path: String,
    object: String,
}

impl Repository {
    /// Opens the copy of `url` among the repositories, cloning it first when there is none. Where the server allows it, the clone
    /// holds no files yet.
    pub(crate) fn open(url: &str, reading: Reading<'_>) -> Result<Self, DocumentError> {
        let repository = Self {
            folder: reading.repositories.join(folder_name(url)),
            url: url.to_owned(),
            cancel: reading.cancel.clone(),
        };
        if !repository.folder.join("HEAD").is_file() {
            (reading.tell)(Step::Cloning(url));
            io::create_dir_all(reading.repositories)?;
            let staged = StagedDir::new(&repository.folder)?;
            let target = staged.path().as_os_str();
            repository.git(
                None,
                &[
                    OsStr::new("clone"),
                    OsStr::new("--quiet"),
                    OsStr::new("--bare"),
                    OsStr::new("--filter=blob:none"),
                    OsStr::new("--"),
                    OsStr::new(url),
                    target,
                ],
            )?;
            staged.commit()?;
        }
        Ok(repository)
    }

    /// The commit that `revision` names. A branch is looked up anew each time; a commit that is known is not.
    pub(crate) fn commit(&self, revision: &str) -> Result<String, DocumentError> {
        let unknown = || DocumentError::UnknownCommit {
            repository: self.url.clone(),
            commit: revision.to_owned(),
        };
        if revision.starts_with('-') {
            return Err(unknown());
        }
        let is_full_hash =
            revision.len() >= 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        let name = format!("{revision}^{{commit}}");
        let resolve = || {
            self.run(&["rev-parse", "--verify", "--quiet", &name])
                .map(|hash| hash.trim().to_owned())
        };
        if is_full_hash && let Ok(hash) = resolve() {
            return Ok(hash);
        }
        let fetched = self.run(&[
            "fetch",
            "--quiet",
            "--tags",
            "--force",
            "origin",
            "+refs/heads/*:refs/heads/*",
        ]);
        match (resolve(), fetched) {
            (Ok(hash), _) => Ok(hash),
            (Err(_), Err(error)) => Err(error),
            (Err(_), Ok(_)) => Err(unknown()),
        }
    }

    /// The files at a commit, sorted; links and submodules are left out.
    pub(crate) fn files(&self, commit: &str) -> Result<Vec<Blob>, DocumentError> {
        let listing = self.run(&["ls-tree", "-r", "-z", commit])?;
        let mut files: Vec<Blob> = listing.split('\0').filter_map(blob).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Fetches those of `blobs` that a clone without files lacks, many at a time.
    pub(crate) fn fetch(&self, commit: &str, blobs: &[&Blob]) -> Result<(), DocumentError> {
        if self.run(&["config", "remote.origin.promisor"]).is_err() {
            return Ok(());
        }
        let objects = self.run(&[
            "rev-list",
            "--objects",
            "--missing=print",
            "--no-walk",
            commit,
        ])?;
        let missing: HashSet<&str> = objects
            .lines()
            .filter_map(|line| line.strip_prefix('?'))
            .collect();
        let wanted: Vec<&str> = blobs
            .iter()
            .map(|blob| blob.object.as_str())
            .filter(|object| missing.contains(object))
            .collect();
        // As git itself fetches an object that it lacks, one by one.
        let fetch = [
            "-c",
            "fetch.negotiationAlgorithm=noop",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--filter=blob:none",
            "origin",
        ];
        for objects in wanted.chunks(N_OBJECTS_A_FETCH) {
            self.run(&[&fetch[..], objects].concat())?;
        }
        Ok(())
    }

    /// The length of a file in bytes.
    pub(crate) fn n_bytes(&self, blob: &Blob) -> Result<u64, DocumentError> {
        let length = self.run(&["cat-file", "-s", &blob.object])?;
        Ok(length.trim().parse().unwrap_or(u64::MAX))
    }

    /// The content of a file.
    pub(crate) fn read(&self, blob: &Blob) -> Result<Vec<u8>, DocumentError> {
        self.git(
            Some(&self.folder),
            &["cat-file", "blob", &blob.object].map(OsStr::new),
        )
    }

    fn run(&self, arguments: &[&str]) -> Result<String, DocumentError> {
        let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        let output = self.git(Some(&self.folder), &arguments)?;
        Ok(String::from_utf8_lossy(&output).into_owned())
    }

    fn git(&self, folder: Option<&Path>, arguments: &[&OsStr]) -> Result<Vec<u8>, DocumentError> {
        let mut command = Command::new("git");
        if let Some(folder) = folder {
            command.arg("--git-dir").arg(folder);
        }
        command
            .args(arguments)
            // A question that nobody sees would wait for ever.
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command.spawn().map_err(|source| {
            if source.kind() == std::io::ErrorKind::NotFound {
                DocumentError::NoGit {
                    repository: self.url.clone(),
                }
            } else {
                IoError::new("run", "git", source).into()
            }
        })?;
        let output = output_unless_cancelled(child, &self.cancel)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(DocumentError::Git {
            repository: self.url.clone(),
            action: arguments
                .iter()
                .map(|word| word.to_string_lossy())
                .find(|word| !word.starts_with('-') && !word.contains('='))
                .unwrap_or_default()
                .into_owned(),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

/// Waits for `child` and takes what it says; kills it once the work is cancelled.
fn output_unless_cancelled(mut child: Child, cancel: &Cancel) -> Result<Output, DocumentError> {
    // Both pipes are emptied while it runs: it would wait for ever on a full one.
    let stdout = drained(child.stdout.take());
    let stderr = drained(child.stderr.take());
    let failed = |source| DocumentError::from(IoError::new("run", "git", source));
    let mut pause = Duration::from_millis(1);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if cancel.is_cancelled() {
            // Fails only when it has just ended by itself.
            let _ = child.kill();
            child.wait().map_err(failed)?;
            return Err(DocumentError::Cancelled);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_WAIT);
    };
    let said = |reader: JoinHandle<std::io::Result<Vec<u8>>>| {
        // The thread does nothing that could panic.
        reader.join().unwrap_or_else(|_| Ok(Vec::new()))
    };
    Ok(Output {
        status,
        stdout: said(stdout).map_err(failed)?,
        stderr: said(stderr).map_err(failed)?,
    })
}

/// Reads a pipe to its end in a thread of its own.
fn drained(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<std::io::Result<Vec<u8>>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    })
}

/// `<mode> <type> <object>\t<path>`; plain files have mode 100644 or 100755.
fn blob(line: &str) -> Option<Blob> {
    let (head, path) = line.split_once('\t')?;
    let mut fields = head.split(' ');
    let mode = fields.next()?;
    let object = fields.nth(1)?;
    mode.starts_with("100").then(|| Blob {
        path: path.to_owned(),
        object: object.to_owned(),
    })
}

/// A readable name that no other URL has.
fn folder_name(url: &str) -> String {
    let last = url
        .trim_end_matches('/')
        .rsplit(['/', ':', '\\'])
        .next()
        .unwrap_or_default();
    let stem: String = last
        .trim_end_matches(".git")
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(40)
        .collect();
    // FNV-1a: names folders in a cache, nothing that must resist an attacker who chooses both URLs.
    let hash = url.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{stem}-{hash:016x}.git")
}
