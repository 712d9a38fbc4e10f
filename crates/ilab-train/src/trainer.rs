//! The training loop, one optimiser step at a time.

use std::time::Instant;

use ilab_base::cancel::{Cancel, Cancelled};
use ilab_base::hint::Hint;
use ilab_base::io::IoError;
use ilab_kernels::adamw::AdamW;
use ilab_kernels::muon::Muon;
use ilab_text::sample::EncodedSample;
use ilab_text::tokenizer::TokenizerError;
use ilab_weights::config::ConfigError;
use ilab_weights::safetensors::CheckpointError;
use serde::Serialize;

use crate::dataset::DatasetError;
use crate::metrics::StepMetrics;
use crate::model::Model;
use crate::optimiser::{Gradients, Optimiser};
use crate::packing::{Batch, StepPlan, plan_epoch};
use crate::schedule::CosineSchedule;

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainOptions {
    /// Passes over the data.
    pub num_epochs: usize,
    /// Samples of one optimiser step.
    pub effective_batch_size: usize,
    /// Tokens that go through the model together; bounds the memory.
    pub max_batch_len: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises; at most a tenth of all steps.
    pub warmup_steps: u64,
    /// Weight decay of the optimiser.
    pub weight_decay: f32,
    /// Who updates the matrices inside the layers.
    pub matrices: MatrixOptimiser,
    /// Gradients are scaled down to this norm.
    pub max_grad_norm: f64,
    /// Seed of the sample order; without one the samples are learned in the order in which they come.
    pub random_seed: Option<u64>,
}

impl Default for TrainOptions {
    /// The original's defaults; decay and betas are those of its accelerated pipeline.
    fn default() -> Self {
        Self {
            num_epochs: 10,
            effective_batch_size: 64,
            max_batch_len: 5000,
            learning_rate: 2e-5,
            warmup_steps: 25,
            weight_decay: 0.0,
            matrices: MatrixOptimiser::AdamW,
            max_grad_norm: 1.0,
            random_seed: Some(42),
        }
    }
}

/// Who updates the matrices inside the layers; everything else is AdamW's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum MatrixOptimiser {
    /// AdamW.
    AdamW,
    /// Muon: fewer steps for a model that learns from nothing.
    Muon,
}

/// Training cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// `config.json` cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The data cannot be used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The tokenizer knows more tokens than the model has embeddings for.
    #[error("the tokenizer has {n_tokens} tokens and the model embeds {vocab_size}")]
    Vocabulary {
        /// Tokens of the tokenizer.
        n_tokens: usize,
        /// Rows of the embedding.
        vocab_size: usize,
    },
    /// The loss or the gradient is not a number any more; the weights are those of the step before.
    #[error("the {what} of step {step} is {value} at a learning rate of {lr:.2e}")]
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// What is not finite.
        what: &'static str,
        /// What it is instead.
        value: f64,
        /// Its learning rate.
        lr: f64,
    },
    /// The run was cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A tensor operation failed.
    #[error("a tensor operation failed")]
    Tensor(#[from] candle_core::Error),
}

impl Hint for TrainError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Config(error) => error.hints(),
            Self::Checkpoint(error) => error.hints(),
            Self::Tokenizer(error) => error.hints(),
            Self::Dataset(error) => error.hints(),
            Self::Io(error) => error.hints(),
            Self::Vocabulary { .. } => {
                vec!["use the tokenizer that belongs to the model".to_owned()]
            }
            // Nothing was changed before the first step.
            Self::NotFinite { step: 1, .. } => vec![
                "the weights of the model may be damaged: download or copy its folder again"
                    .to_owned(),
            ],
            Self::NotFinite { .. } => vec!["lower `--learning-rate`".to_owned()],
            Self::Cancelled(_) | Self::Tensor(_) => Vec::new(),
        }
    }
}

/// A run in progress.
#[derive(Debug)]
pub struct Trainer {
    model: Model,
    samples: Vec<EncodedSample>,
    options: TrainOptions,
    optimiser: Optimiser,
    schedule: CosineSchedule,
    epoch: usize,
    epoch_plan: Vec<StepPlan>,
    step_of_epoch: usize,
    step: u64,
    samples_seen: usize,
}

impl Trainer {
    /// Prepares a run over `samples`.
    pub fn new(model: Model, samples: Vec<EncodedSample>, options: TrainOptions) -> Self {
        let steps_per_epoch = samples.len().div_ceil(options.effective_batch_size.max(1));
        let n_steps = (steps_per_epoch * options.num_epochs) as u64;
        let schedule = CosineSchedule {
            peak: options.learning_rate,
            n_warmup_steps: options.warmup_steps.min(n_steps / 10),
            n_steps,
        };
        let adamw = AdamW {
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: options.weight_decay,
        };
        let muon = (options.matrices == MatrixOptimiser::Muon).then(|| Muon {
            momentum: 0.95,
            weight_decay: options.weight_decay,
            precision: model.precision(),
        });
        let optimiser = Optimiser::new(adamw, muon, model.weights());
        Self {
            model,
            samples,
            options,
            optimiser,
            schedule,
            epoch: 0,
            epoch_plan: Vec::new(),
            step_of_epoch: 0,
            step: 0,
            samples_seen: 0,
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Ends the run and hands the model over.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// Steps of the whole run.
    pub fn n_steps(&self) -> u64 {
        self.schedule.n_steps
    }

    /// Samples learned since the start, counted once an epoch.
    pub fn samples_seen(&self) -> usize {
        self.samples_seen
    }

    /// Takes the next step; `None` when the run is complete. Between two batches a cancelled run stops; its step is lost,
    /// the weights are those of the step before.
    ///
    /// # Errors
    /// A loss or a gradient that is not finite, or a cancelled run.
    pub fn step(&mut self, cancel: &Cancel) -> Result<Option<StepMetrics>, TrainError> {
        if self.step == self.schedule.n_steps {
            return Ok(None);
        }
        if self.step_of_epoch == 0 {
            let lengths: Vec<usize> = self
                .samples
                .iter()
                .map(|sample| sample.input_ids.len())
                .collect();
            let TrainOptions {
                effective_batch_size,
                max_batch_len,
                random_seed,
                ..
            } = self.options;
            self.epoch_plan = plan_epoch(
                &lengths,
                effective_batch_size,
                max_batch_len,
                random_seed,
                self.epoch,
            );
        }
        let started = Instant::now();
        let batches: Vec<Batch> = self.epoch_plan[self.step_of_epoch]
            .batches
            .iter()
            .map(|batch| Batch::pack(batch.iter().map(|sample| &self.samples[*sample])))
            .collect();
        let (loss, gradients) = self.loss_and_gradients(&batches, cancel)?;
        let lr = self.schedule.lr(self.step);
        let gradnorm = gradients.norm();
        for (what, value) in [("loss", loss), ("gradient norm", gradnorm)] {
            if !value.is_finite() {
                return Err(TrainError::NotFinite {
                    step: self.step + 1,
                    what,
                    value,
                    lr,
                });
            }
        }
        let weights = self.model.weights();
        let max_norm = self.options.max_grad_norm;
        self.optimiser
            .step(weights, &gradients, gradnorm, lr, max_norm)?;
        Ok(Some(self.advance(
            &batches,
            loss,
            lr,
            gradnorm,
            started.elapsed().as_secs_f64(),
        )))
    }

    /// Mean loss of all learned tokens of the batches, and its gradients: the same for any packing of the same samples.
    ///
    /// # Errors
    /// A cancelled run or a failed tensor operation.
    pub fn loss_and_gradients(
        &self,
        batches: &[Batch],
        cancel: &Cancel,
    ) -> Result<(f64, Gradients), TrainError> {
        let n_learned: usize = batches.iter().map(Batch::n_learned).sum();
        let mut gradients = Gradients::default();
        let mut loss = 0.0;
        for batch in batches {
            cancel.check()?;
            let factor = 1.0 / n_learned.max(1) as f64;
            let (of_batch, by_weight) =
                self.model.loss_sum(batch)?.backward(factor, &self.model)?;
            loss += of_batch;
            gradients.add(by_weight);
        }
        Ok((loss, gradients))
    }

    fn advance(
        &mut self,
        batches: &[Batch],
        loss: f64,
        lr: f64,
        gradnorm: f64,
        seconds: f64,
    ) -> StepMetrics {
        let batch_size: usize = batches.iter().map(|batch| batch.segments.len() - 1).sum();
        let n_tokens: usize = batches.iter().map(|batch| batch.input_ids.len()).sum();
        let num_epoch_steps = self.epoch_plan.len();
        self.step += 1;
        self.step_of_epoch += 1;
        self.samples_seen += batch_size;
        let metrics = StepMetrics {
            epoch: self.epoch,
            step: self.step,
            rank: 0,
            overall_throughput: batch_size as f64 / seconds,
            tokens_per_second: n_tokens as f64 / seconds,
            lr,
            num_loss_counted_tokens: batches.iter().map(Batch::n_learned).sum(),
            num_tokens_rank0: n_tokens,
            batch_size,
            num_minibatches: batches.len(),
            avg_loss: loss,
            samples_seen: self.samples_seen,
            gradnorm,
            total_samples: self.samples.len(),
            num_epoch_steps,
            num_steps: self.schedule.n_steps,
            is_epoch_end: self.step_of_epoch == num_epoch_steps,
        };
        if metrics.is_epoch_end {
            self.epoch += 1;
            self.step_of_epoch = 0;
        }
        metrics
    }
}
