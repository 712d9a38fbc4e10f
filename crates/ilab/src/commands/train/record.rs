//! What is recorded of a run: the metrics, event files, the line on the screen and the page at the end.

use std::path::PathBuf;
use std::time::Instant;

use ilab_train::metrics::{self, DataMetrics, MetricsFile, StepMetrics, ValidationMetrics};
use ilab_train::report::{DataAccount, Report, page};
use ilab_train::tensorboard::EventFile;
use ilab_train::trainer::Trainer;

use super::checkpoints::Checkpoints;
use super::prepare;
use crate::commands::timestamp;
use crate::error::CommandResult;
use crate::settings::TrainSettings;
use crate::ui::{TrainingProgress, Ui};

/// The page about a run, beside its metrics.
const PAGE: &str = "report.html";

/// The record of one run.
pub(super) struct Record<'a> {
    settings: &'a TrainSettings,
    metrics: MetricsFile,
    events: Option<EventFile>,
    data: DataAccount,
    steps: Vec<StepMetrics>,
    validations: Vec<ValidationMetrics>,
    progress: Option<TrainingProgress>,
    started: Instant,
}

impl<'a> Record<'a> {
    /// Begins the record of a run, or cuts that of one that goes on at the step from where it does.
    pub(super) fn open(
        settings: &'a TrainSettings,
        ui: Ui,
        trainer: &Trainer,
        data: DataAccount,
        step: u64,
    ) -> Result<Self, crate::error::CommandError> {
        let folder = &settings.checkpoint_dir;
        let (mut steps, mut validations) = (Vec::new(), Vec::new());
        let metrics = if step > 0 {
            let metrics = MetricsFile::resume_at(folder, step)?;
            let history = metrics::read(metrics.path())?;
            (steps, validations) = (history.steps, history.validations);
            metrics
        } else {
            let mut told = prepare::told(settings);
            told["model_path"] = serde_json::json!(settings.model_path);
            let mut metrics = MetricsFile::open(folder, &told)?;
            let options = &settings.options;
            metrics.append_data(&DataMetrics::new(
                &data.lengths,
                options.effective_batch_size,
                options.max_batch_len,
            ))?;
            metrics
        };
        let events = match settings.saving.tensorboard {
            true => Some(EventFile::create(
                &folder.join("tensorboard"),
                &host(),
                step,
            )?),
            false => None,
        };
        Ok(Self {
            settings,
            metrics,
            events,
            data,
            steps,
            validations,
            progress: Some(ui.training_progress(trainer.n_steps())),
            started: Instant::now(),
        })
    }

    pub(super) fn step(&mut self, step: &StepMetrics) -> CommandResult {
        self.metrics.append_step(step)?;
        if let Some(events) = &mut self.events {
            events.append_step(step)?;
        }
        self.steps.push(step.clone());
        self.show();
        Ok(())
    }

    pub(super) fn validation(
        &mut self,
        step: &StepMetrics,
        loss: f64,
        n_tokens: usize,
    ) -> CommandResult {
        let validation = ValidationMetrics {
            epoch: step.epoch,
            step: step.step,
            rank: 0,
            val_loss: loss,
            val_num_tokens: n_tokens,
        };
        self.metrics.append_validation(&validation)?;
        if let Some(events) = &mut self.events {
            events.append_validation(&validation)?;
        }
        self.validations.push(validation);
        self.show();
        Ok(())
    }

    fn show(&mut self) {
        if let Some(progress) = &mut self.progress {
            progress.show(&self.steps, &self.validations);
        }
    }

    pub(super) fn end_progress(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.finish();
        }
    }

    pub(super) fn last_step(&self) -> Option<&StepMetrics> {
        self.steps.last()
    }

    pub(super) fn metrics_path(&self) -> PathBuf {
        self.metrics.path().to_owned()
    }

    /// Writes the page about the run.
    pub(super) fn page(&self, checkpoints: &Checkpoints<'_>, ui: Ui) -> CommandResult {
        let history = metrics::read(self.metrics.path())?;
        let report = Report {
            model: self.settings.model_path.display().to_string(),
            data_file: self.settings.data_path.display().to_string(),
            finished_at: timestamp::shown(),
            seconds: self.started.elapsed().as_secs_f64(),
            settings: history.shown_settings(),
            history,
            data: self.data.clone(),
            exam: None,
            checkpoints: checkpoints.shown(),
        };
        let path = self.settings.checkpoint_dir.join(PAGE);
        ilab_base::atomic::write(&path, page(&report).as_bytes())?;
        ui.status(format!("the course of the training: `{}`", path.display()));
        Ok(())
    }
}

/// The name of this machine, for the names of event files.
fn host() -> String {
    let name = nix::unistd::gethostname().ok();
    let name = name.and_then(|name| name.into_string().ok());
    name.unwrap_or_else(|| "localhost".to_owned())
}
