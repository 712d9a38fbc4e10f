//! `ilab model train`.

use std::path::{Path, PathBuf};

use ilab_text::builtin_template::TemplateSource;
use ilab_train::trainer::TrainOptions;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::model::TrainArgs;
use crate::error::{CommandError, Kind};
use crate::settings::Invocation;

/// What `ilab model train` needs.
#[derive(Debug)]
pub(crate) struct TrainSettings {
    /// The model folder to start from.
    pub(crate) model_path: PathBuf,
    /// The training file.
    pub(crate) data_path: PathBuf,
    /// Where checkpoints and metrics go.
    pub(crate) checkpoint_dir: PathBuf,
    /// Where the processed data goes.
    pub(crate) data_output_dir: PathBuf,
    /// Longest sample, in tokens.
    pub(crate) max_seq_len: usize,
    /// Save after every epoch, not only after the last.
    pub(crate) is_saved_every_epoch: bool,
    /// Put GGUF files into each checkpoint.
    pub(crate) writes_gguf: bool,
    /// A chat template in place of the model's own.
    pub(crate) template: Option<TemplateSource>,
    /// Leave out lines of the data that cannot be used.
    pub(crate) skips_invalid: bool,
    /// Show samples and do not train.
    pub(crate) preview: Option<PreviewSettings>,
    pub(crate) options: TrainOptions,
}

/// Which samples to show, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreviewSettings {
    /// So many of the first samples.
    pub(crate) n_samples: usize,
    /// As JSON, with tokens and labels.
    pub(crate) is_json: bool,
}

impl TrainSettings {
    pub(crate) fn resolve(args: TrainArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let config = invocation.config()?.train;
        let pipeline = args.pipeline.unwrap_or(config.pipeline);
        let device = args.device.unwrap_or(config.device);
        if (pipeline.as_str(), device.as_str()) != ("full", "cpu") {
            return Err(CommandError::message(
                Kind::User,
                format!("Unable to train with device={device} and pipeline={pipeline}"),
                "this version trains with `--pipeline full --device cpu`",
            ));
        }
        let data_path = args.data_path.unwrap_or(config.data_path);
        if data_path.is_dir() {
            return Err(CommandError::message(
                Kind::Usage,
                format!("`--data-path` is a directory: `{}`", data_path.display()),
                "pass one .jsonl file, such as knowledge_train_msgs_*.jsonl of a run of `ilab data generate`",
            ));
        }
        let model_path = args
            .model_path
            .unwrap_or_else(|| PathBuf::from(config.model_path));
        check_is_folder(&model_path)?;
        let additional = Additional::read(config.additional_args)?;
        let defaults = TrainOptions::default();
        Ok(Self {
            model_path,
            data_path,
            checkpoint_dir: args.ckpt_output_dir.unwrap_or(config.ckpt_output_dir),
            data_output_dir: args.data_output_dir.unwrap_or(config.data_output_dir),
            max_seq_len: args.max_seq_len.unwrap_or(config.max_seq_len) as usize,
            is_saved_every_epoch: config.checkpoint_at_epoch && !args.last_epoch_only,
            writes_gguf: true,
            template: args
                .chat_template
                .as_deref()
                .map(TemplateSource::named)
                .transpose()?,
            skips_invalid: args.skip_invalid,
            preview: args.preview.map(|n_samples| PreviewSettings {
                n_samples: n_samples as usize,
                is_json: args.json,
            }),
            options: TrainOptions {
                num_epochs: args.num_epochs.unwrap_or(config.num_epochs) as usize,
                effective_batch_size: args
                    .effective_batch_size
                    .unwrap_or(config.effective_batch_size)
                    as usize,
                max_batch_len: args.max_batch_len.unwrap_or(config.max_batch_len) as usize,
                learning_rate: (args.learning_rate)
                    .or(additional.learning_rate)
                    .unwrap_or(defaults.learning_rate),
                warmup_steps: (args.warmup_steps)
                    .or(additional.warmup_steps)
                    .unwrap_or(defaults.warmup_steps),
                random_seed: (args.seed)
                    .or(additional.random_seed)
                    .or(defaults.random_seed),
                ..defaults
            },
        })
    }
}

/// What `train.additional_args` of the configuration may set here; its other names belong to trainers on many machines.
#[derive(Debug, Default, Deserialize)]
struct Additional {
    learning_rate: Option<f64>,
    warmup_steps: Option<u64>,
    random_seed: Option<u64>,
}

impl Additional {
    fn read(settings: Map<String, Value>) -> Result<Self, CommandError> {
        let read: Self = serde_json::from_value(Value::Object(settings)).map_err(|error| {
            CommandError::message(
                Kind::Usage,
                format!("`train.additional_args` of the configuration: {error}"),
                "`learning_rate` is a number, `warmup_steps` and `random_seed` are whole numbers",
            )
        })?;
        match read.learning_rate {
            Some(rate) if !(rate.is_finite() && rate > 0.0) => Err(CommandError::message(
                Kind::Usage,
                format!("`train.additional_args.learning_rate` of the configuration is {rate}"),
                "it is a number above 0, such as 2e-5",
            )),
            _ => Ok(read),
        }
    }
}

/// The default is a name on Hugging Face, as many other models have.
fn check_is_folder(model_path: &Path) -> Result<(), CommandError> {
    if model_path.is_dir() {
        return Ok(());
    }
    Err(CommandError::message(
        Kind::User,
        format!("the model `{}` is not a folder", model_path.display()),
        "this version downloads no models: pass the folder of a Hugging Face model with `--model-path`",
    ))
}
