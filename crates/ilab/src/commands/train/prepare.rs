//! Reads the model and the data, and refuses whatever would end the run later on.

use std::path::PathBuf;

use ilab_base::cancel::Cancel;
use ilab_text::sample::EncodedSample;
use ilab_text::tokenizer::Tokenizer;
use ilab_text::vocabulary::check_rows;
use ilab_train::dataset::Dataset;
use ilab_train::error::TrainError;
use ilab_train::model::Model;
use ilab_train::packing::Batch;
use ilab_train::report::DataAccount;
use ilab_weights::config::ModelConfig;
use serde_json::{Value, json};

use super::checkpoints::Checkpoints;
use super::lock::FolderLock;
use super::plan::{Plan, validation_batches};
use crate::commands::training_data;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::TrainSettings;
use crate::ui::Ui;

/// All that a run needs.
pub(super) struct Prepared {
    pub(super) model: Model,
    pub(super) samples: Vec<EncodedSample>,
    pub(super) validation: Vec<Batch>,
    pub(super) data: DataAccount,
    pub(super) tokenizer: SavedTokenizer,
    pub(super) lock: FolderLock,
}

/// What of the tokenizer goes into every checkpoint.
#[derive(Debug)]
pub(super) struct SavedTokenizer {
    /// Its folder.
    pub(super) folder: PathBuf,
    /// The chat template that was asked for in place of its own.
    pub(super) template: Option<String>,
}

/// The model before its weights are read.
pub(super) struct Source {
    pub(super) config: ModelConfig,
    pub(super) tokenizer: Tokenizer,
    tokenizer_dir: PathBuf,
}

/// What the record, and a run that goes on, say of the settings.
pub(super) fn told(settings: &TrainSettings) -> Value {
    let mut told = json!(settings.options);
    if let Some(keys) = told.as_object_mut() {
        keys.insert("method".to_owned(), json!(settings.method));
        keys.insert("max_seq_len".to_owned(), json!(settings.max_seq_len));
        keys.insert(
            "precision".to_owned(),
            json!(format!("{:?}", settings.precision)),
        );
        let share = settings
            .validation
            .map_or(0.0, |validation| validation.share);
        keys.insert("validation_split".to_owned(), json!(share));
    }
    told
}

/// Reads the configuration and the tokenizer.
pub(super) fn source(settings: &TrainSettings) -> Result<Source, CommandError> {
    let tokenizer_dir = training_data::tokenizer_dir(settings)?;
    let tokenizer = training_data::tokenizer(settings, &tokenizer_dir)?;
    let config = ModelConfig::from_dir(&settings.model_path).map_err(TrainError::from)?;
    check_rows(&tokenizer, config.vocab_size)?;
    Ok(Source {
        config,
        tokenizer,
        tokenizer_dir,
    })
}

/// Reads everything, cheapest first.
pub(super) fn prepare(
    settings: &TrainSettings,
    ui: Ui,
    cancel: &Cancel,
) -> Result<Prepared, CommandError> {
    let source = source(settings)?;
    if settings.saving.writes_gguf && settings.model_path.is_dir() {
        ilab_convert::check(&settings.model_path)?;
    }
    let lock = FolderLock::take(&settings.checkpoint_dir)?;
    let dataset = training_data::read(settings, &source.tokenizer, ui, cancel)?;
    let (dataset, held_out) = split(dataset, settings)?;
    check_destinations(settings, dataset.samples.len())?;
    training_data::write(&dataset, settings, ui)?;
    let held_out = held_out.map_or_else(Vec::new, |held_out| held_out.samples);
    let plan = Plan::new(settings, &source.config, &dataset.samples, &held_out)?;
    ui.status(plan.told());
    let lengths = dataset.samples.iter().chain(&held_out);
    let longest = lengths.map(|sample| sample.input_ids.len()).max();
    let model = Model::from_dir(
        &settings.model_path,
        settings.method.clone(),
        longest.unwrap_or_default(),
    )?;
    Ok(Prepared {
        model: model
            .with_precision(settings.precision)
            .with_keep(plan.keep)
            .on_device(settings.device)
            .map_err(TrainError::from)?,
        validation: validation_batches(plan.batch_tokens, &held_out),
        data: account(&dataset, held_out.len()),
        samples: dataset.samples,
        tokenizer: SavedTokenizer {
            folder: source.tokenizer_dir,
            template: (settings.template.as_ref())
                .map(|_| source.tokenizer.template().source().to_owned()),
        },
        lock,
    })
}

/// The samples that are learned, and those that are held out.
pub(super) fn split(
    dataset: Dataset,
    settings: &TrainSettings,
) -> Result<(Dataset, Option<Dataset>), CommandError> {
    let Some(validation) = settings.validation else {
        return Ok((dataset, None));
    };
    let seed = settings.options.random_seed.unwrap_or_default();
    let (training, held_out) = dataset.split(validation.share, seed)?;
    Ok((training, Some(held_out)))
}

fn account(dataset: &Dataset, n_validation_samples: usize) -> DataAccount {
    let counts = dataset.counts();
    let left_out = [
        ("longer than the limit", counts.too_long),
        ("nothing to learn", counts.nothing_to_learn),
        ("empty", counts.empty),
        ("unusable", counts.invalid),
    ];
    let samples = dataset.samples.iter();
    DataAccount {
        lengths: samples
            .clone()
            .map(|sample| sample.input_ids.len())
            .collect(),
        n_learned_tokens: samples.map(EncodedSample::n_learned).sum(),
        n_validation_samples,
        left_out: left_out
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(reason, n)| (reason.to_owned(), n))
            .collect(),
    }
}

/// Refuses a run of which a checkpoint would take the place of the model that it starts from.
fn check_destinations(settings: &TrainSettings, n_samples: usize) -> CommandResult {
    let folder = settings.checkpoint_dir.join("hf_format").canonicalize();
    let (Ok(source), Ok(folder)) = (settings.model_path.canonicalize(), folder) else {
        // Without checkpoints there is none to train on from, and a model that cannot be read is told of in a moment.
        return Ok(());
    };
    let n_epochs = settings.options.num_epochs;
    let first = match settings.saving.every_epoch {
        true => 1,
        false => n_epochs,
    };
    let is_replaced =
        |epoch: usize| folder.join(format!("samples_{}", epoch * n_samples)) == source;
    match (first..=n_epochs).find(|epoch| is_replaced(*epoch)) {
        None if source.parent() == Some(&folder) => Err(CommandError::message(
            Kind::User,
            format!(
                "the model that training starts from, `{}`, lies where this run puts its checkpoints",
                settings.model_path.display()
            ),
            "pass another folder with `--ckpt-output-dir`",
        )),
        None => Ok(()),
        Some(epoch) => Err(CommandError::message(
            Kind::User,
            format!(
                "the checkpoint `{}` would replace the model that training starts from, `{}`",
                Checkpoints::destination(settings, epoch * n_samples).display(),
                settings.model_path.display()
            ),
            "pass another folder with `--ckpt-output-dir`",
        )),
    }
}
