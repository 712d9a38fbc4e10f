//! Writing the record.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, WithPath, create_dir_all, read};
use jiff::Timestamp;
use serde::Serialize;

use super::history::{Row, rows};
use super::{DataMetrics, FILE_NAME, StepMetrics, ValidationMetrics};

/// An open metrics file; rows are appended and reach the file one by one.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

/// A row with what every row and what this kind of row has beside its values.
#[derive(Serialize)]
struct Stamped<'row, T> {
    #[serde(flatten)]
    row: &'row T,
    timestamp: String,
}

/// A step with the original's keys about graphics memory, of which the processor needs none.
#[derive(Serialize)]
struct OnProcessor<'row> {
    #[serde(flatten)]
    step: &'row StepMetrics,
    cuda_mem_allocated: f64,
    cuda_malloc_retries: u64,
}

impl MetricsFile {
    /// Begins a run: opens [`FILE_NAME`] in a folder and appends the settings. Runs that are recorded there already stay.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn open(folder: &Path, settings: &impl Serialize) -> Result<Self, IoError> {
        create_dir_all(folder)?;
        let path = folder.join(FILE_NAME);
        if path.exists() {
            let bytes = read(&path)?;
            cut(&path, whole_lines(&bytes).len())?;
        }
        let mut metrics = Self::append_to(path)?;
        metrics.append(settings)?;
        Ok(metrics)
    }

    /// Goes on with the last run that is recorded in a folder, of which the first `step` steps are done: rows about later
    /// steps are cut off, and what a killed process left of a line. Where there is no record, one is begun without settings.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn resume_at(folder: &Path, step: u64) -> Result<Self, IoError> {
        create_dir_all(folder)?;
        let path = folder.join(FILE_NAME);
        if path.exists() {
            let bytes = read(&path)?;
            cut(&path, n_bytes_up_to(whole_lines(&bytes), step))?;
        }
        Self::append_to(path)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a row of any keys, and when that was.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append(&mut self, row: &impl Serialize) -> Result<(), IoError> {
        let timestamp = Timestamp::now().to_string();
        let mut line = serde_json::to_vec(&Stamped { row, timestamp })
            .map_err(std::io::Error::from)
            .with_path("write", &self.path)?;
        line.push(b'\n');
        self.file.write_all(&line).with_path("write", &self.path)
    }

    /// Appends the account of the data.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append_data(&mut self, data: &DataMetrics) -> Result<(), IoError> {
        self.append(data)
    }

    /// Appends a step.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append_step(&mut self, step: &StepMetrics) -> Result<(), IoError> {
        self.append(&OnProcessor {
            step,
            cuda_mem_allocated: 0.0,
            cuda_malloc_retries: 0,
        })
    }

    /// Appends a validation.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append_validation(&mut self, validation: &ValidationMetrics) -> Result<(), IoError> {
        self.append(validation)
    }

    fn append_to(path: PathBuf) -> Result<Self, IoError> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_path("open", &path)?;
        Ok(Self { path, file })
    }
}

/// Everything up to the last end of a line.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    &bytes[..end.map_or(0, |end| end + 1)]
}

fn cut(path: &Path, n_bytes: usize) -> Result<(), IoError> {
    let file = OpenOptions::new().write(true).open(path);
    let file = file.with_path("open", path)?;
    file.set_len(n_bytes as u64).with_path("cut", path)
}

/// Where the first row of the last run begins that is about a step after `step`.
fn n_bytes_up_to(bytes: &[u8], step: u64) -> usize {
    let mut n_bytes = 0;
    let mut end = None;
    for (line, row) in rows(bytes) {
        let is_later = match row {
            Some(Row::Settings(_)) => {
                end = None;
                false
            }
            Some(Row::Step(row)) => row.step > step,
            Some(Row::Validation(row)) => row.step > step,
            Some(Row::Other(of_step)) => of_step > step,
            Some(Row::Data(_)) | None => false,
        };
        if is_later {
            end.get_or_insert(n_bytes);
        }
        n_bytes += line.len();
    }
    end.unwrap_or(n_bytes)
}
