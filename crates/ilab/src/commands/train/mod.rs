//! `ilab model train`: a training file to checkpoints, with the loss on the screen while it falls.

mod checkpoints;
mod course;
mod lock;
mod machine;
mod plan;
mod prepare;
mod record;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ilab_base::cancel::Cancel;
use ilab_train::error::TrainError;
use ilab_train::identity::Identity;
use ilab_train::metrics::StepMetrics;
use ilab_train::packing::Batch;
use ilab_train::resume;
use ilab_train::trainer::Trainer;
use serde_json::{Value, json};

use self::checkpoints::Checkpoints;
use self::course::Course;
use self::lock::FolderLock;
use self::prepare::Prepared;
use self::record::Record;
use crate::commands::stop::cancel_on_signal;
use crate::commands::training_data;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::TrainSettings;
use crate::ui::Ui;

/// What a run left.
#[derive(Debug)]
pub(crate) struct Trained {
    /// The best checkpoint: the last where nothing is held out.
    pub(crate) checkpoint: PathBuf,
    pub(crate) metrics: PathBuf,
    pub(crate) n_steps: u64,
    /// Samples that were learned; those that are too long or teach nothing are none.
    pub(crate) n_samples: usize,
    /// Mean loss of the last step.
    pub(crate) loss: f64,
}

/// The state of a run is written this long after the last one at the earliest, so that a kill costs little.
const LEAST_STATE_INTERVAL: Duration = Duration::from_secs(60);
/// And takes at most one part in so many of the time.
const STATE_SHARE: u32 = 20;

/// Trains and says what came of it.
pub(crate) fn run(settings: &TrainSettings, ui: Ui) -> CommandResult {
    let cancel = Cancel::new();
    let _signals = cancel_on_signal(&cancel)?;
    if let Some(preview) = settings.preview {
        return training_data::show(settings, preview, ui, &cancel);
    }
    for note in &settings.notes {
        ui.warning(note);
    }
    if let Some(dry_run) = settings.dry_run {
        return plan::show(settings, dry_run, ui, &cancel);
    }
    match train(settings, ui, &cancel) {
        Err(error) if error.is_cancelled() => Err(CommandError::interrupted(
            match settings.saving.keeps_state {
                true => "the same command goes on where it stopped",
                false => {
                    "the checkpoints of finished epochs are kept; the same command starts from the beginning"
                }
            },
        )),
        Err(error) => Err(error),
        Ok(trained) => {
            ui.status("ᕦ(òᴗóˇ)ᕤ Full model training completed successfully! ᕦ(òᴗóˇ)ᕤ");
            ui.data(trained.checkpoint.display().to_string());
            Ok(())
        }
    }
}

/// Trains a model and saves it after its epochs.
pub(crate) fn train(
    settings: &TrainSettings,
    ui: Ui,
    cancel: &Cancel,
) -> Result<Trained, CommandError> {
    let prepared = prepare::prepare(settings, ui, cancel)?;
    let mut run = Run::begin(settings, ui, prepared)?;
    let outcome = run.take_steps(cancel);
    let is_cancelled = outcome.as_ref().is_err_and(CommandError::is_cancelled);
    if is_cancelled && run.is_between_steps && settings.saving.keeps_state {
        run.save_state()?;
    }
    outcome?;
    run.finish(cancel)
}

/// A run in progress.
struct Run<'a> {
    settings: &'a TrainSettings,
    ui: Ui,
    trainer: Trainer,
    validation: Vec<Batch>,
    identity: Identity,
    checkpoints: Checkpoints<'a>,
    course: Course,
    record: Record<'a>,
    state_saved_at: Instant,
    state_cost: Duration,
    /// Whether all that belongs to the last step is done: only then its state is worth keeping.
    is_between_steps: bool,
    _lock: FolderLock,
}

impl<'a> Run<'a> {
    /// Begins, or goes on where an earlier run of the same was cut off.
    fn begin(
        settings: &'a TrainSettings,
        ui: Ui,
        prepared: Prepared,
    ) -> Result<Self, CommandError> {
        let Prepared {
            model,
            samples,
            validation,
            data,
            tokenizer,
            lock,
        } = prepared;
        let identity =
            Identity::new(&model, &samples, &prepare::told(settings)).map_err(|error| {
                CommandError::message(Kind::User, error.to_string(), "report this as a defect")
            })?;
        let mut trainer = Trainer::new(model, samples, settings.options.clone());
        let saving = &settings.saving;
        let notes = match saving.keeps_state && !saving.is_fresh {
            true => resume::restore(&mut trainer, &identity, &settings.checkpoint_dir)
                .map_err(CommandError::from)?,
            false => None,
        };
        if !saving.keeps_state && !saving.is_fresh && resume::exists(&settings.checkpoint_dir)? {
            return Err(CommandError::message(
                Kind::User,
                format!(
                    "`{}` holds an unfinished run, and this one keeps no state to go on with it",
                    settings.checkpoint_dir.display()
                ),
                "leave out `--disable-accelerate-full-state-at-epoch`, start over with `--fresh`, or pass another folder with `--ckpt-output-dir`",
            ));
        }
        if saving.is_fresh {
            resume::clear(&settings.checkpoint_dir)?;
        }
        let step = trainer.progress().step;
        if notes.is_some() {
            ui.status(format!(
                "going on after step {step} of {}",
                trainer.n_steps()
            ));
        }
        let notes = notes.unwrap_or(Value::Null);
        Ok(Self {
            checkpoints: Checkpoints::new(settings, tokenizer, &notes["checkpoints"]),
            course: Course::new(settings.validation, &notes["course"]),
            record: Record::open(settings, ui, &trainer, data, step)?,
            settings,
            ui,
            trainer,
            validation,
            identity,
            state_saved_at: Instant::now(),
            state_cost: Duration::ZERO,
            is_between_steps: true,
            _lock: lock,
        })
    }

    fn take_steps(&mut self, cancel: &Cancel) -> CommandResult {
        while !self.course.is_over() {
            let step = match self.trainer.step(cancel) {
                Ok(Some(step)) => step,
                Ok(None) => break,
                Err(error) => return Err(self.stopped(error)),
            };
            self.is_between_steps = false;
            self.record.step(&step)?;
            if self.course.is_due(&step) && !self.validation.is_empty() {
                self.validate(&step, cancel)?;
            }
            if self.checkpoints.is_due(&step) {
                self.checkpoints.save(&self.trainer, &step)?;
                self.checkpoints.retain(self.course.best_step(), self.ui)?;
            }
            self.is_between_steps = true;
            self.save_state_when_due()?;
        }
        Ok(())
    }

    fn validate(&mut self, step: &StepMetrics, cancel: &Cancel) -> CommandResult {
        let loss = self.trainer.mean_loss(&self.validation, cancel)?;
        let n_tokens = self.validation.iter().map(Batch::n_learned).sum();
        self.record.validation(step, loss, n_tokens)?;
        let is_best = self.course.measured(step.step, loss);
        // The best is saved where it is found: no later checkpoint has its weights.
        if is_best && self.settings.validation.is_some() {
            self.checkpoints.save(&self.trainer, step)?;
            self.checkpoints.retain(self.course.best_step(), self.ui)?;
        }
        Ok(())
    }

    /// A step that cannot be taken; what is there to go back to is named.
    fn stopped(&self, error: TrainError) -> CommandError {
        let is_broken = matches!(error, TrainError::NotFinite { .. });
        let error = CommandError::from(error);
        match self.checkpoints.last() {
            Some(path) if is_broken => {
                error.and_hint(&format!("the last good checkpoint is `{}`", path.display()))
            }
            _ => error,
        }
    }

    fn save_state_when_due(&mut self) -> CommandResult {
        if !self.settings.saving.keeps_state {
            return Ok(());
        }
        let interval = self
            .settings
            .saving
            .state_interval
            .unwrap_or(LEAST_STATE_INTERVAL.max(self.state_cost * STATE_SHARE));
        match self.state_saved_at.elapsed() >= interval {
            true => self.save_state(),
            false => Ok(()),
        }
    }

    fn save_state(&mut self) -> CommandResult {
        let started = Instant::now();
        let notes = json!({
            "checkpoints": self.checkpoints.notes(),
            "course": self.course.notes(),
        });
        resume::save(
            &self.trainer,
            &self.identity,
            &notes,
            &self.settings.checkpoint_dir,
        )?;
        self.state_saved_at = Instant::now();
        self.state_cost = started.elapsed();
        Ok(())
    }

    fn finish(mut self, cancel: &Cancel) -> Result<Trained, CommandError> {
        self.record.end_progress();
        let Some(last) = self.record.last_step().cloned() else {
            return Err(CommandError::message(
                Kind::User,
                "the run was complete already",
                "start over with `--fresh`",
            ));
        };
        if self.checkpoints.last_step() < last.step {
            self.checkpoints.save(&self.trainer, &last)?;
        }
        self.checkpoints.retain(self.course.best_step(), self.ui)?;
        if let Some(reason) = self.course.told() {
            self.ui.status(reason);
        }
        let checkpoint = self.checkpoints.best(self.course.best_step());
        self.checkpoints.complete(&checkpoint, self.ui, cancel)?;
        self.record.page(&self.checkpoints, self.ui)?;
        resume::clear(&self.settings.checkpoint_dir)?;
        Ok(Trained {
            checkpoint,
            metrics: self.record.metrics_path(),
            n_steps: last.step,
            n_samples: last.total_samples,
            loss: last.avg_loss,
        })
    }
}
