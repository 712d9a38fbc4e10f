//! Reading the log of a run while it grows.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, WithPath as _};

/// How far from its end a log is looked at for its last lines.
const TAIL_BYTES: u64 = 1 << 16;

/// A log and how far it was read.
pub(super) struct LogLines {
    file: File,
    path: PathBuf,
    position: u64,
    /// What follows the last end of a line.
    unfinished: Vec<u8>,
}

impl LogLines {
    /// Begins at the start.
    pub(super) fn open(path: &Path) -> Result<Self, IoError> {
        Ok(Self {
            file: File::open(path).with_path("read", path)?,
            path: path.to_owned(),
            position: 0,
            unfinished: Vec::new(),
        })
    }

    /// How long the log is.
    pub(super) fn len(&self) -> Result<u64, IoError> {
        let metadata = self.file.metadata().with_path("read", &self.path)?;
        Ok(metadata.len())
    }

    /// The last `n_lines` complete lines; reading goes on after them.
    pub(super) fn tail(&mut self, n_lines: usize) -> Result<Vec<String>, IoError> {
        let end = self.len()?;
        self.position = end.saturating_sub(TAIL_BYTES);
        let is_cut = self.position > 0;
        let mut lines = self.until(end)?;
        let n_left_out = lines.len().saturating_sub(n_lines).max(usize::from(is_cut));
        lines.drain(..n_left_out.min(lines.len()));
        Ok(lines)
    }

    /// The lines that are complete before `end` and were not read yet.
    pub(super) fn until(&mut self, end: u64) -> Result<Vec<String>, IoError> {
        let n_bytes = end.saturating_sub(self.position);
        self.file
            .seek(SeekFrom::Start(self.position))
            .with_path("read", &self.path)?;
        let n_read = (&self.file)
            .take(n_bytes)
            .read_to_end(&mut self.unfinished)
            .with_path("read", &self.path)?;
        self.position += n_read as u64;
        let Some(last_end) = self.unfinished.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        let rest = self.unfinished.split_off(last_end + 1);
        let complete = std::mem::replace(&mut self.unfinished, rest);
        let text = String::from_utf8_lossy(&complete);
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Everything that is left, the last line whole or not.
    pub(super) fn rest(&mut self) -> Result<Vec<String>, IoError> {
        let mut lines = self.until(u64::MAX)?;
        let unfinished = std::mem::take(&mut self.unfinished);
        if !unfinished.is_empty() {
            lines.push(String::from_utf8_lossy(&unfinished).into_owned());
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut file = File::create(&path).unwrap();
        write!(file, "one\ntwo\nthr").unwrap();
        let mut log = LogLines::open(&path).unwrap();
        assert_eq!(log.tail(1).unwrap(), ["two"]);
        assert_eq!(log.until(u64::MAX).unwrap(), [""; 0]);
        write!(file, "ee\nfour\nfi").unwrap();
        assert_eq!(log.until(u64::MAX).unwrap(), ["three", "four"]);
        assert_eq!(log.rest().unwrap(), ["fi"]);
        assert_eq!(log.rest().unwrap(), [""; 0]);
    }

    #[test]
    fn a_long_log_is_not_read_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, format!("{}\n", "x".repeat(99)).repeat(2_000)).unwrap();
        let lines = LogLines::open(&path).unwrap().tail(usize::MAX).unwrap();
        assert_eq!(lines.len(), TAIL_BYTES as usize / 100);
        assert!(lines.iter().all(|line| line.len() == 99));
    }
}
