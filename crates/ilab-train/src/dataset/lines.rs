//! A file line by line, some at a time: training files may be larger than the memory.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use ilab_base::io::WithPath as _;

use crate::dataset::error::DatasetError;

/// Lines that are encoded together: enough for every processor, and then a cancelled run stops soon.
const MAX_LINES: usize = 1024;
/// Bytes of such lines, above which no further line is added.
const MAX_BYTES: usize = 16 << 20;
/// Bytes of one line. A sample of a million tokens is a fortieth of it.
const MAX_LINE_BYTES: u64 = 256 << 20;

/// A line that is not blank.
pub(super) struct Line {
    /// Its number, from 1.
    pub(super) number: usize,
    pub(super) text: Vec<u8>,
}

/// Reads lines.
pub(super) struct LineReader {
    reader: BufReader<File>,
    path: PathBuf,
    n_lines: usize,
    n_bytes_read: u64,
    max_line_bytes: u64,
}

impl LineReader {
    pub(super) fn new(file: File, path: &Path) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 20, file),
            path: path.to_owned(),
            n_lines: 0,
            n_bytes_read: 0,
            max_line_bytes: MAX_LINE_BYTES,
        }
    }

    pub(super) fn n_bytes_read(&self) -> u64 {
        self.n_bytes_read
    }

    /// The next lines; none at the end of the file.
    pub(super) fn next_lines(&mut self) -> Result<Vec<Line>, DatasetError> {
        let mut lines = Vec::new();
        let mut n_bytes = 0;
        while lines.len() < MAX_LINES && n_bytes < MAX_BYTES {
            let mut text = Vec::new();
            let mut limited = (&mut self.reader).take(self.max_line_bytes);
            let n_read = limited
                .read_until(b'\n', &mut text)
                .with_path("read", &self.path)?;
            if n_read == 0 {
                break;
            }
            self.n_lines += 1;
            self.n_bytes_read += n_read as u64;
            if n_read as u64 == self.max_line_bytes && text.last() != Some(&b'\n') {
                return Err(DatasetError::LineTooLong {
                    path: self.path.clone(),
                    line: self.n_lines,
                    limit: self.max_line_bytes,
                });
            }
            if self.n_lines == 1 && text.starts_with(b"\xEF\xBB\xBF") {
                // The byte order mark that some editors write.
                text.drain(..3);
            }
            n_bytes += text.len();
            if !text.trim_ascii().is_empty() {
                lines.push(Line {
                    number: self.n_lines,
                    text,
                });
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(text: &str) -> (tempfile::TempDir, LineReader) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.jsonl");
        std::fs::write(&path, text).unwrap();
        let reader = LineReader::new(File::open(&path).unwrap(), &path);
        (folder, reader)
    }

    #[test]
    fn blank_lines_are_numbered_and_not_read() {
        let (_folder, mut reader) = reader("\u{FEFF}a\n\n \r\nb\r\nc");
        let lines = reader.next_lines().unwrap();
        let shown: Vec<_> = lines
            .iter()
            .map(|line| (line.number, String::from_utf8_lossy(&line.text)))
            .collect();
        assert_eq!(
            shown,
            [(1, "a\n".into()), (4, "b\r\n".into()), (5, "c".into())]
        );
        assert!(reader.next_lines().unwrap().is_empty());
        assert_eq!(reader.n_bytes_read(), 13);
    }

    #[test]
    fn all_lines_come_in_pieces() {
        let text: String = (0..2 * MAX_LINES + 7).map(|n| format!("{n}\n")).collect();
        let (_folder, mut reader) = reader(&text);
        let mut sizes = Vec::new();
        loop {
            let lines = reader.next_lines().unwrap();
            if lines.is_empty() {
                break;
            }
            sizes.push(lines.len());
        }
        assert_eq!(sizes, [MAX_LINES, MAX_LINES, 7]);
    }

    #[test]
    fn a_file_without_line_ends_is_not_read_whole() {
        let (_folder, mut reader) = reader("ok\n0123456789");
        reader.max_line_bytes = 8;
        let error = reader.next_lines().map(|lines| lines.len()).unwrap_err();
        let shown = error.to_string();
        assert!(shown.ends_with("line 2 is longer than 8 bytes"), "{shown}");
    }
}
