//! The record of a run: one JSON object a line, with the keys of the original.
//!
//! A run begins with its settings and the account of its data; steps and validations follow in their order. Every row has
//! a `timestamp`. Keys that the original does not have are added, none of its is left out.

mod file;
mod history;

use serde::{Deserialize, Serialize};

pub use file::MetricsFile;
pub use history::{History, read};

/// The file's name in the folder of the checkpoints: that of the original's first process.
pub const FILE_NAME: &str = "training_params_and_metrics_global0.jsonl";

/// What happened in one step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
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
    /// Mean loss of the learned tokens, in nats. The original called it `total_loss` up to version 0.11.
    #[serde(alias = "total_loss")]
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

/// The loss on samples that are not learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ValidationMetrics {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Steps taken before.
    pub step: u64,
    /// Always 0: one process trains.
    pub rank: u32,
    /// Mean loss of the tokens that would be learned, in nats.
    pub val_loss: f64,
    /// How many tokens that are.
    pub val_num_tokens: usize,
}

/// The account of the data, once a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataMetrics {
    /// Devices that train; 1 for the processor.
    pub num_gpus: usize,
    /// Mean length of a sample, in tokens.
    pub avg_sample_len: f64,
    /// Samples of one step.
    pub effective_batch_size: usize,
    /// Most tokens of one batch.
    pub max_batch_len_per_gpu: usize,
    /// The same: nothing is padded.
    pub packing_max_batch_len: usize,
    /// Steps of an epoch.
    pub num_batches: usize,
    /// Samples of a step, on the mean.
    pub avg_samples_per_batch: f64,
    /// Samples of the data set.
    pub total_samples: usize,
}

impl DataMetrics {
    /// The account of samples of these lengths, in tokens, on one device.
    pub fn new(lengths: &[usize], effective_batch_size: usize, max_batch_len: usize) -> Self {
        let total_samples = lengths.len();
        let num_batches = total_samples.div_ceil(effective_batch_size.max(1));
        Self {
            num_gpus: 1,
            avg_sample_len: lengths.iter().sum::<usize>() as f64 / total_samples.max(1) as f64,
            effective_batch_size,
            max_batch_len_per_gpu: max_batch_len,
            packing_max_batch_len: max_batch_len,
            num_batches,
            avg_samples_per_batch: total_samples as f64 / num_batches.max(1) as f64,
            total_samples,
        }
    }
}
