//! The training loop, one optimiser step at a time.

use std::time::Instant;

use ilab_base::cancel::Cancel;
use ilab_base::seed;
use ilab_kernels::adamw::AdamW;
use ilab_text::sample::EncodedSample;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::metrics::StepMetrics;
use crate::model::Model;
use crate::optimiser::{Optimiser, OptimiserKind, gradient_norm};
use crate::packing::{Batch, StepPlan, plan_epoch};
use crate::resume::OptimiserState;
use crate::schedule::{Decay, LearningRate};

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
    /// How it falls.
    pub lr_scheduler: Decay,
    /// Steps over which the learning rate rises.
    pub warmup_steps: u64,
    /// Whether a short run rises over a tenth of its steps at most.
    pub shortens_warmup: bool,
    /// Decay of AdamW's first moment.
    pub adamw_beta1: f32,
    /// Decay of AdamW's second moment.
    pub adamw_beta2: f32,
    /// Weight decay of the optimiser.
    pub weight_decay: f32,
    /// Who updates the weights.
    pub optimiser: OptimiserKind,
    /// Gradients are scaled down to this norm.
    pub max_grad_norm: f64,
    /// Seed of the sample order and of what adapters leave out; without one the samples are learned in the order in which
    /// they come.
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
            lr_scheduler: Decay::Cosine,
            warmup_steps: 25,
            shortens_warmup: true,
            adamw_beta1: 0.9,
            adamw_beta2: 0.95,
            weight_decay: 0.0,
            optimiser: OptimiserKind::AdamW,
            max_grad_norm: 1.0,
            random_seed: Some(42),
        }
    }
}

/// How far a run is. Everything else of it follows from the weights, the optimiser's state and the settings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Epoch, from 0.
    pub epoch: usize,
    /// Steps taken in this epoch.
    pub step_of_epoch: usize,
    /// Steps taken since the start.
    pub step: u64,
    /// Samples learned since the start, counted once an epoch.
    pub samples_seen: usize,
}

/// A run in progress.
#[derive(Debug)]
pub struct Trainer {
    model: Model,
    samples: Vec<EncodedSample>,
    lengths: Vec<usize>,
    options: TrainOptions,
    optimiser: Optimiser,
    learning_rate: LearningRate,
    progress: Progress,
    /// That of the epoch in progress, once its first step is taken.
    epoch_plan: Vec<StepPlan>,
}

impl Trainer {
    /// Prepares a run over `samples`.
    pub fn new(model: Model, samples: Vec<EncodedSample>, options: TrainOptions) -> Self {
        let steps_per_epoch = samples.len().div_ceil(options.effective_batch_size.max(1));
        let n_steps = (steps_per_epoch * options.num_epochs) as u64;
        let learning_rate = LearningRate {
            peak: options.learning_rate,
            decay: options.lr_scheduler,
            n_warmup_steps: match options.shortens_warmup {
                true => options.warmup_steps.min(n_steps / 10),
                false => options.warmup_steps,
            },
            n_steps,
        };
        let adamw = AdamW {
            beta1: options.adamw_beta1,
            beta2: options.adamw_beta2,
            eps: 1e-8,
            weight_decay: options.weight_decay,
        };
        let lengths = samples.iter().map(|sample| sample.input_ids.len());
        Self {
            optimiser: Optimiser::new(options.optimiser, adamw, &model),
            lengths: lengths.collect(),
            model,
            samples,
            options,
            learning_rate,
            progress: Progress::default(),
            epoch_plan: Vec::new(),
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model as it is now, whose buffers a forward pass uses.
    pub fn model_mut(&mut self) -> &mut Model {
        &mut self.model
    }

    pub(crate) fn optimiser(&self) -> &Optimiser {
        &self.optimiser
    }

    /// Ends the run and hands the model over.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// Steps of the whole run.
    pub fn n_steps(&self) -> u64 {
        self.learning_rate.n_steps
    }

    /// How far the run is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Goes on from where another run of the same model, data and options was; its weights are in the model already.
    ///
    /// `false` where no run of these samples and options can be that far; nothing is changed then.
    pub(crate) fn restore(
        &mut self,
        progress: Progress,
        optimiser: OptimiserState,
        optimiser_steps: u64,
    ) -> bool {
        let steps_per_epoch = self.learning_rate.n_steps / (self.options.num_epochs.max(1) as u64);
        let steps = progress.epoch as u64 * steps_per_epoch + progress.step_of_epoch as u64;
        let is_possible = progress.step == steps
            && progress.step <= self.learning_rate.n_steps
            && (progress.step_of_epoch as u64) < steps_per_epoch.max(1);
        if !is_possible {
            return false;
        }
        self.progress = progress;
        self.optimiser.restore(optimiser, optimiser_steps);
        self.epoch_plan.clear();
        true
    }

    /// Takes the next step; `None` when the run is complete. Between two batches a cancelled run stops; its step is lost,
    /// the weights are those of the step before.
    ///
    /// # Errors
    /// A loss or a gradient that is not finite, or a cancelled run.
    pub fn step(&mut self, cancel: &Cancel) -> Result<Option<StepMetrics>, TrainError> {
        let Progress { step, .. } = self.progress;
        if step == self.learning_rate.n_steps {
            return Ok(None);
        }
        let started = Instant::now();
        let batches = self.next_batches();
        let loss = self.loss_and_gradients(&batches, cancel)?;
        let lr = self.learning_rate.at(step);
        let gradnorm = gradient_norm(&self.model)?;
        for (what, value) in [("loss", loss), ("gradient norm", gradnorm)] {
            if !value.is_finite() {
                return Err(TrainError::NotFinite {
                    step: step + 1,
                    what,
                    value,
                    lr,
                    // Behind a loss that is no number every gradient is none.
                    tensor: match loss.is_finite() {
                        true => self.last_broken_gradient()?,
                        false => None,
                    },
                });
            }
        }
        let max_norm = self.options.max_grad_norm;
        self.optimiser
            .step(&mut self.model, gradnorm, lr, max_norm)?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(Some(self.advance(&batches, loss, lr, gradnorm, seconds)))
    }

    /// Mean loss of all learned tokens of the batches; its gradients are left in the model. Both are the same for any
    /// packing of the same samples.
    ///
    /// # Errors
    /// A cancelled run, or batches that the model cannot take.
    pub fn loss_and_gradients(
        &mut self,
        batches: &[Batch],
        cancel: &Cancel,
    ) -> Result<f64, TrainError> {
        let n_learned: usize = batches.iter().map(Batch::n_learned).sum();
        let factor = 1.0 / n_learned.max(1) as f64;
        self.model.clear_gradients();
        let mut loss = 0.0;
        for (index, batch) in batches.iter().enumerate() {
            cancel.check()?;
            let seed = self.options.random_seed;
            let seed = seed.map(|seed| dropout_seed(seed, self.progress.step, index));
            loss += self.model.accumulate(batch, factor, seed)?;
        }
        Ok(loss)
    }

    /// Mean loss of all learned tokens of the batches, with nothing left out.
    ///
    /// # Errors
    /// As for [`Trainer::loss_and_gradients`].
    pub fn mean_loss(&mut self, batches: &[Batch], cancel: &Cancel) -> Result<f64, TrainError> {
        let n_learned: usize = batches.iter().map(Batch::n_learned).sum();
        let mut loss = 0.0;
        for batch in batches {
            cancel.check()?;
            loss += self.model.loss_sum(batch)?;
        }
        Ok(loss / n_learned.max(1) as f64)
    }

    /// The batches of the next step.
    fn next_batches(&mut self) -> Vec<Batch> {
        let Progress {
            epoch,
            step_of_epoch,
            ..
        } = self.progress;
        if step_of_epoch == 0 || self.epoch_plan.is_empty() {
            self.epoch_plan = plan_epoch(
                &self.lengths,
                self.options.effective_batch_size,
                self.options.max_batch_len,
                self.options.random_seed,
                epoch,
            );
        }
        self.epoch_plan[step_of_epoch]
            .batches
            .iter()
            .map(|batch| Batch::pack(batch.iter().map(|sample| &self.samples[*sample])))
            .collect()
    }

    /// The last weight in the order of the model whose gradient is not finite: the backward pass comes to it first.
    fn last_broken_gradient(&self) -> Result<Option<String>, TrainError> {
        let mut broken = None;
        for parameter in self.model.parameters() {
            let gradient = parameter.gradient()?.unwrap_or_default();
            if gradient.iter().any(|value| !value.is_finite()) {
                broken = Some(parameter.name().to_owned());
            }
        }
        Ok(broken)
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
        let progress = &mut self.progress;
        progress.step += 1;
        progress.step_of_epoch += 1;
        progress.samples_seen += batch_size;
        let metrics = StepMetrics {
            epoch: progress.epoch,
            step: progress.step,
            rank: 0,
            overall_throughput: batch_size as f64 / seconds,
            tokens_per_second: n_tokens as f64 / seconds,
            lr,
            num_loss_counted_tokens: batches.iter().map(Batch::n_learned).sum(),
            num_tokens_rank0: n_tokens,
            batch_size,
            num_minibatches: batches.len(),
            avg_loss: loss,
            samples_seen: progress.samples_seen,
            gradnorm,
            total_samples: self.samples.len(),
            num_epoch_steps,
            num_steps: self.learning_rate.n_steps,
            is_epoch_end: progress.step_of_epoch == num_epoch_steps,
        };
        if metrics.is_epoch_end {
            progress.epoch += 1;
            progress.step_of_epoch = 0;
        }
        metrics
    }
}

/// What adapters leave out depends on the seed, the step and the batch, and on nothing that a resumed run does not know.
fn dropout_seed(seed: u64, step: u64, batch: usize) -> u64 {
    seed::rng(seed, &format!("dropout {step} {batch}")).random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_of_every_step_leaves_out_other_numbers() {
        let mut seeds: Vec<u64> = (0..50)
            .flat_map(|step| (0..4).map(move |batch| dropout_seed(42, step, batch)))
            .collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), 200);
    }
}
