//! `ilab model train`: a training file to checkpoints, with the loss on the screen while it falls.

use std::path::{Path, PathBuf};

use ilab_base::cancel::Cancel;
use ilab_base::hint::Hint;
use ilab_convert::{ConvertError, OutputType, convert};
use ilab_infer::quantize::{QuantKind, QuantizeError, quantize};
use ilab_kernels::matmul::Precision;
use ilab_text::sample::EncodedSample;
use ilab_text::vocabulary::check_rows;
use ilab_train::checkpoint;
use ilab_train::method::Method;
use ilab_train::metrics::MetricsFile;
use ilab_train::model::Model;
use ilab_train::trainer::Trainer;
use ilab_weights::safetensors::FloatType;

use crate::commands::stop::cancel_on_signal;
use crate::commands::training_data;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::TrainSettings;
use crate::ui::Ui;

/// What a run left.
#[derive(Debug)]
pub(crate) struct Trained {
    /// The last checkpoint.
    pub(crate) checkpoint: PathBuf,
    pub(crate) metrics: PathBuf,
    pub(crate) n_steps: u64,
    /// Samples that were learned; those that are too long or teach nothing are none.
    pub(crate) n_samples: usize,
    /// Mean loss of the last step.
    pub(crate) loss: f64,
}

/// A checkpoint is there and its GGUF files are not.
#[derive(Debug, thiserror::Error)]
#[error("the checkpoint `{}` is complete, but its GGUF files cannot be written", checkpoint.display())]
struct WithoutGguf {
    checkpoint: PathBuf,
    source: GgufError,
}

/// The GGUF files of a checkpoint cannot be written.
#[derive(Debug, thiserror::Error)]
enum GgufError {
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
}

impl Hint for WithoutGguf {
    fn hints(&self) -> Vec<String> {
        let mut hints = match &self.source {
            GgufError::Convert(error) => error.hints(),
            GgufError::Quantize(error) => error.hints(),
        };
        hints.push(format!(
            "nothing that was learned is lost: `ilab model convert --model-dir {}` writes a GGUF file later",
            self.checkpoint.display()
        ));
        hints
    }
}

/// Trains and says what came of it.
pub(crate) fn run(settings: &TrainSettings, ui: Ui) -> CommandResult {
    let cancel = Cancel::new();
    let _signals = cancel_on_signal(&cancel)?;
    if let Some(preview) = settings.preview {
        return training_data::show(settings, preview, ui, &cancel);
    }
    match train(settings, ui, &cancel) {
        Err(_) if cancel.is_cancelled() => Err(CommandError::interrupted(
            "the checkpoints of finished epochs are kept; running the command again starts from the beginning",
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
    let (model, samples) = prepare(settings, ui, cancel)?;
    let mut metrics = MetricsFile::open(&settings.checkpoint_dir, &settings.options)?;
    let mut trainer = Trainer::new(model, samples, settings.options.clone());
    let mut progress = ui.training_progress(trainer.n_steps());
    let mut steps = Vec::new();
    let mut trained = None;
    while let Some(step) = trainer.step(cancel)? {
        metrics.append_step(&step)?;
        steps.push(step.clone());
        progress.show(&steps, &[]);
        let is_last = step.step == step.num_steps;
        if is_last || (step.is_epoch_end && settings.is_saved_every_epoch) {
            let checkpoint = save(&trainer, settings)?;
            let metrics = metrics.path().to_owned();
            trained = Some(Trained {
                checkpoint,
                metrics,
                n_steps: step.step,
                n_samples: step.total_samples,
                loss: step.avg_loss,
            });
        }
    }
    progress.finish();
    trained.ok_or_else(|| {
        CommandError::message(
            Kind::Usage,
            "no epoch was asked for",
            "pass `--num-epochs` of 1 or more",
        )
    })
}

/// Reads the model and the data, and refuses whatever would end the run later on.
fn prepare(
    settings: &TrainSettings,
    ui: Ui,
    cancel: &Cancel,
) -> Result<(Model, Vec<EncodedSample>), CommandError> {
    let tokenizer = training_data::tokenizer(settings)?;
    if settings.writes_gguf {
        ilab_convert::check(&settings.model_path)?;
    }
    let dataset = training_data::read(settings, &tokenizer, ui, cancel)?;
    check_destinations(settings, dataset.samples.len())?;
    training_data::write(&dataset, settings, ui)?;
    let lengths = dataset.samples.iter().map(|sample| sample.input_ids.len());
    let longest = lengths.max().unwrap_or_default();
    let model = Model::from_dir(&settings.model_path, Method::Full, longest)?
        .with_precision(Precision::Bf16);
    check_rows(&tokenizer, model.config().vocab_size)?;
    ui.status(format!(
        "{} samples, {:.1} million parameters, {} epochs",
        dataset.samples.len(),
        model.n_parameters() as f64 / 1e6,
        settings.options.num_epochs
    ));
    Ok((model, dataset.samples))
}

/// Refuses a run of which a checkpoint would take the place of the model that it starts from.
fn check_destinations(settings: &TrainSettings, n_samples: usize) -> Result<(), CommandError> {
    let folder = settings.checkpoint_dir.join("hf_format").canonicalize();
    let (Ok(source), Ok(folder)) = (settings.model_path.canonicalize(), folder) else {
        // Without checkpoints there is none to train on from, and a model that cannot be read is told of in a moment.
        return Ok(());
    };
    let n_epochs = settings.options.num_epochs;
    let first = match settings.is_saved_every_epoch {
        true => 1,
        false => n_epochs,
    };
    let is_replaced =
        |epoch: usize| folder.join(format!("samples_{}", epoch * n_samples)) == source;
    match (first..=n_epochs).find(|epoch| is_replaced(*epoch)) {
        None => Ok(()),
        Some(epoch) => Err(CommandError::message(
            Kind::User,
            format!(
                "the checkpoint `{}` would replace the model that training starts from, `{}`",
                destination(settings, epoch * n_samples).display(),
                settings.model_path.display()
            ),
            "pass another folder with `--ckpt-output-dir`",
        )),
    }
}

fn destination(settings: &TrainSettings, n_samples_seen: usize) -> PathBuf {
    settings
        .checkpoint_dir
        .join(format!("hf_format/samples_{n_samples_seen}"))
}

/// Writes `hf_format/samples_N`; it appears when everything in it is complete, if need be without GGUF files.
fn save(trainer: &Trainer, settings: &TrainSettings) -> Result<PathBuf, CommandError> {
    let staged = checkpoint::stage(
        trainer.model(),
        &settings.model_path,
        &destination(settings, trainer.progress().samples_seen),
        FloatType::F32,
    )?;
    let written = match settings.writes_gguf {
        true => write_gguf(staged.path()),
        false => Ok(()),
    };
    let checkpoint = staged.commit()?;
    match written {
        Ok(()) => Ok(checkpoint),
        Err(source) => Err(WithoutGguf { checkpoint, source }.into()),
    }
}

fn write_gguf(folder: &Path) -> Result<(), GgufError> {
    let full = folder.join("pytorch_model.gguf");
    convert(folder, &full, OutputType::F32, &mut |_| Ok(()))?;
    quantize(
        &full,
        &folder.join("pytorch_model-Q4_K_M.gguf"),
        QuantKind::Q4KM,
        0,
    )?;
    Ok(())
}
