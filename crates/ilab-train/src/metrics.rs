//! The record of a run: one JSON object a line, with the keys of the original.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, WithPath, create_dir_all};
use serde::Serialize;

/// What happened in one step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepMetrics {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Steps taken, this one included.
    pub step: u64,
    /// Always 0: one process trains.
    pub rank: u32,
    /// Samples a second in this step.
    pub overall_throughput: f64,
    /// Tokens a second in this step, masked ones included.
    pub tokens_per_second: f64,
    /// Learning rate.
    pub lr: f64,
    /// Tokens of this step that are learned.
    pub num_loss_counted_tokens: usize,
    /// Tokens of this step.
    pub num_tokens_rank0: usize,
    /// Samples of this step.
    pub batch_size: usize,
    /// Batches of this step.
    pub num_minibatches: usize,
    /// Mean loss of the learned tokens, in nats.
    pub avg_loss: f64,
    /// Samples learned since the start.
    pub samples_seen: usize,
    /// Norm of the gradient before clipping.
    pub gradnorm: f64,
    /// Samples of the data set.
    pub total_samples: usize,
    /// Steps of an epoch.
    pub num_epoch_steps: usize,
    /// Steps of the run.
    pub num_steps: u64,
    /// Whether this is the last step of its epoch.
    pub is_epoch_end: bool,
}

/// An open metrics file; rows are appended and reach the disk one by one.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
}

impl MetricsFile {
    /// Opens `training_params_and_metrics_global0.jsonl` in a folder and appends the settings of the run.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn open(folder: &Path, settings: &impl Serialize) -> Result<Self, IoError> {
        create_dir_all(folder)?;
        let path = folder.join("training_params_and_metrics_global0.jsonl");
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_path("open", &path)?;
        let mut metrics = Self { path, file };
        metrics.append(settings)?;
        Ok(metrics)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends one row.
    ///
    /// # Errors
    /// Any operating system error, with the path.
    pub fn append(&mut self, row: &impl Serialize) -> Result<(), IoError> {
        let mut line = serde_json::to_vec(row)
            .map_err(std::io::Error::from)
            .with_path("write", &self.path)?;
        line.push(b'\n');
        self.file.write_all(&line).with_path("write", &self.path)
    }
}
