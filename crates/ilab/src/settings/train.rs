//! `ilab model train`.

mod adapters;
mod elsewhere;

use std::path::{Path, PathBuf};
use std::time::Duration;

use ilab_config::Train;
use ilab_kernels::matmul::Precision;
use ilab_text::builtin_template::TemplateSource;
use ilab_train::device::Device;
use ilab_train::layer::Keep;
use ilab_train::method::Method;
use ilab_train::optimiser::OptimiserKind;
use ilab_train::schedule::Decay;
use ilab_train::trainer::TrainOptions;
use ilab_weights::gguf_model::is_gguf;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::cli::train::{
    CourseArgs, DecayArg, KeepArg, MemoryArgs, OptimiserArg, SavingArgs, TrainArgs, WhenArg,
};
use crate::error::{CommandError, Kind};
use crate::settings::{Invocation, named_model};

/// What `ilab model train` needs.
#[derive(Debug, Clone)]
pub(crate) struct TrainSettings {
    /// The model to start from: a folder, or a GGUF file.
    pub(crate) model_path: PathBuf,
    /// The folder of its tokenizer, where that is another.
    pub(crate) tokenizer_dir: Option<PathBuf>,
    /// The training file.
    pub(crate) data_path: PathBuf,
    /// Where checkpoints and metrics go.
    pub(crate) checkpoint_dir: PathBuf,
    /// Where the processed data goes.
    pub(crate) data_output_dir: PathBuf,
    /// Longest sample, in tokens.
    pub(crate) max_seq_len: usize,
    /// What of the model is trained.
    pub(crate) method: Method,
    /// What it is trained on.
    pub(crate) device: Device,
    /// In which precision products are computed.
    pub(crate) precision: Precision,
    /// What is kept of the forward pass; `None` asks the memory.
    pub(crate) keep: Option<Keep>,
    pub(crate) validation: Option<ValidationSettings>,
    pub(crate) saving: SavingSettings,
    /// A chat template in place of the model's own.
    pub(crate) template: Option<TemplateSource>,
    /// Leave out lines of the data that cannot be used.
    pub(crate) skips_invalid: bool,
    /// Show samples and do not train.
    pub(crate) preview: Option<PreviewSettings>,
    /// Print the plan and do not train.
    pub(crate) dry_run: Option<DryRunSettings>,
    pub(crate) options: TrainOptions,
    /// What is said before anything else.
    pub(crate) notes: Vec<String>,
}

/// How the held-out samples are used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ValidationSettings {
    /// The share of the samples, in (0, 1).
    pub(crate) share: f64,
    /// Steps between two measurements; once an epoch without.
    pub(crate) n_steps: Option<u64>,
    /// Stop after so many measurements without a lower loss.
    pub(crate) patience: Option<u32>,
}

/// What is written, and what of it stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SavingSettings {
    /// Save after every epoch, not only after the last.
    pub(crate) every_epoch: bool,
    /// Save whenever so many more samples are learned.
    pub(crate) n_samples: Option<u64>,
    /// Keep every checkpoint, not only the best and the last.
    pub(crate) keeps_all: bool,
    /// Put GGUF files into each checkpoint.
    pub(crate) writes_gguf: bool,
    /// One of them quantised.
    pub(crate) quantises: bool,
    /// A copy of the F16 file under this name, as the original's `simple` pipeline leaves it.
    pub(crate) final_gguf: Option<PathBuf>,
    /// Keep the state of the run, so that it can be gone on with.
    pub(crate) keeps_state: bool,
    /// How often it is written; as often as it costs little without.
    pub(crate) state_interval: Option<Duration>,
    /// Start over where there is such a state.
    pub(crate) is_fresh: bool,
    /// Write event files for TensorBoard.
    pub(crate) tensorboard: bool,
}

/// Which samples to show, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PreviewSettings {
    /// So many of the first samples.
    pub(crate) n_samples: usize,
    /// As JSON, with tokens and labels.
    pub(crate) is_json: bool,
}

/// How the plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DryRunSettings {
    pub(crate) is_json: bool,
}

/// More passes than this rarely teach more, and forget what the model knew.
const MOST_EPOCHS: usize = 10;
/// A rate above this rarely leaves a model that speaks.
const HIGH_LEARNING_RATE: f64 = 1e-2;

impl TrainSettings {
    /// A training of all weights that leaves its last checkpoint and nothing else.
    pub(crate) fn of_last_checkpoint(
        model_path: PathBuf,
        data_path: PathBuf,
        checkpoint_dir: PathBuf,
        max_seq_len: usize,
        options: TrainOptions,
    ) -> Self {
        Self {
            model_path,
            tokenizer_dir: None,
            data_path,
            data_output_dir: checkpoint_dir.clone(),
            checkpoint_dir,
            max_seq_len,
            method: Method::Full,
            device: Device::Cpu,
            precision: Precision::Bf16,
            keep: Some(Keep::Activations),
            validation: None,
            saving: SavingSettings {
                every_epoch: false,
                n_samples: None,
                keeps_all: true,
                writes_gguf: false,
                quantises: false,
                final_gguf: None,
                keeps_state: false,
                state_interval: None,
                is_fresh: true,
                tensorboard: false,
            },
            template: None,
            skips_invalid: false,
            preview: None,
            dry_run: None,
            options,
            notes: Vec::new(),
        }
    }

    pub(crate) fn resolve(args: TrainArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let config = invocation.config()?.train;
        let pipeline = args.pipeline.clone().unwrap_or(config.pipeline.clone());
        let device = args.device.clone().unwrap_or(config.device.clone());
        let is_simple = pipeline == "simple";
        elsewhere::check(&args.elsewhere, &pipeline, &device)?;
        let device = Device::parse(&device)?;
        device.check()?;
        if args.data.json && args.data.preview.is_none() && !args.data.dry_run {
            return Err(CommandError::message(
                Kind::Usage,
                "`--json` is for `--preview` and `--dry-run`",
                "the metrics of a training are in training_params_and_metrics_global0.jsonl, as JSON",
            ));
        }
        let data_path = args.data_path.unwrap_or(config.data_path.clone());
        let data_path = match args.input_dir.filter(|_| is_simple) {
            Some(folder) => newest_of(&[&folder])?,
            None => {
                let generated = invocation.config()?.generate.output_dir;
                training_file(data_path, &generated, is_simple)?
            }
        };
        let model_path = model_path(
            args.gguf_model_path,
            args.model_path,
            args.model_id,
            &config.model_path,
            invocation,
        )?;
        let additional = Additional::read(config.additional_args.clone())?;
        let memory = &args.memory;
        let checkpoint_dir = args
            .ckpt_output_dir
            .unwrap_or(config.ckpt_output_dir.clone());
        let saving = saving_settings(&args.saving, &config, &checkpoint_dir, is_simple);
        let course = &args.course;
        let options = train_options(course, memory, &config, &additional, is_simple);
        let rank = args.lora.lora_rank.or(config.lora_rank);
        // Blocks are not read by tensor operations.
        let is_default_kept = device == Device::Cpu;
        let quantisation = (config.lora_quantize_dtype.as_deref()).filter(|_| is_default_kept);
        let method = adapters::method(
            &args.lora,
            rank,
            quantisation,
            &additional,
            is_simple,
            options.random_seed,
        )?;
        let mut notes = elsewhere::notes(&args.elsewhere, is_simple);
        notes.extend(warnings(&options));
        Ok(Self {
            model_path,
            tokenizer_dir: args.tokenizer_dir,
            data_path,
            checkpoint_dir,
            data_output_dir: args.data_output_dir.unwrap_or(config.data_output_dir),
            max_seq_len: args.data.max_seq_len.unwrap_or(config.max_seq_len) as usize,
            method,
            device,
            precision: match memory.compute_dtype.as_str() {
                "f32" => Precision::F32,
                _ => Precision::Bf16,
            },
            keep: match (memory.gradient_checkpointing, memory.optimize_memory) {
                (WhenArg::On, _) | (WhenArg::Auto, true) => Some(Keep::Input),
                (WhenArg::Off, _) => Some(Keep::Activations),
                (WhenArg::Auto, false) => None,
            },
            validation: (course.validation_split.filter(|share| *share > 0.0)).map(|share| {
                ValidationSettings {
                    share,
                    n_steps: course.validation_frequency,
                    patience: course.early_stop,
                }
            }),
            saving,
            template: args
                .data
                .chat_template
                .as_deref()
                .map(TemplateSource::named)
                .transpose()?,
            skips_invalid: args.data.skip_invalid,
            preview: args.data.preview.map(|n_samples| PreviewSettings {
                n_samples: n_samples as usize,
                is_json: args.data.json,
            }),
            dry_run: args.data.dry_run.then_some(DryRunSettings {
                is_json: args.data.json,
            }),
            options,
            notes,
        })
    }
}

/// The course of the training: flags, then the configuration, then the pipeline's defaults.
fn train_options(
    course: &CourseArgs,
    memory: &MemoryArgs,
    config: &Train,
    additional: &Additional,
    is_simple: bool,
) -> TrainOptions {
    let defaults = match is_simple {
        true => simple_options(),
        false => TrainOptions::default(),
    };
    TrainOptions {
        num_epochs: course.num_epochs.unwrap_or(config.num_epochs) as usize,
        effective_batch_size: match (course.effective_batch_size, is_simple) {
            (Some(size), _) => size as usize,
            (None, true) => defaults.effective_batch_size,
            (None, false) => config.effective_batch_size as usize,
        },
        max_batch_len: memory.max_batch_len.unwrap_or(config.max_batch_len) as usize,
        learning_rate: (course.learning_rate)
            .or(additional.learning_rate)
            .unwrap_or(defaults.learning_rate),
        lr_scheduler: course.lr_scheduler.map_or(defaults.lr_scheduler, decay),
        warmup_steps: (course.warmup_steps)
            .or(additional.warmup_steps.filter(|_| !is_simple))
            .unwrap_or(defaults.warmup_steps),
        shortens_warmup: course.warmup_steps.is_none(),
        optimiser: match (course.optimizer, memory.optimize_memory) {
            (Some(optimiser), _) => optimiser_kind(optimiser),
            (None, true) => OptimiserKind::AdamW8Bit,
            (None, false) => defaults.optimiser,
        },
        random_seed: (course.seed)
            .or(additional.random_seed)
            .or(defaults.random_seed),
        ..defaults
    }
}

fn saving_settings(
    args: &SavingArgs,
    config: &Train,
    checkpoint_dir: &Path,
    is_simple: bool,
) -> SavingSettings {
    SavingSettings {
        every_epoch: (config.checkpoint_at_epoch || args.checkpoint_at_epoch)
            && !args.last_epoch_only,
        n_samples: Some(args.save_samples.unwrap_or(config.save_samples)).filter(|n| *n > 0),
        keeps_all: args.keep_checkpoints == KeepArg::All,
        writes_gguf: true,
        quantises: !args.skip_quantize,
        final_gguf: is_simple.then(|| checkpoint_dir.join("ggml-model-f16.gguf")),
        keeps_state: !args.disable_accelerate_full_state_at_epoch,
        state_interval: args.state_interval.map(Duration::from_secs),
        is_fresh: args.fresh,
        tensorboard: args.tensorboard,
    }
}

/// The original's `simple` pipeline: one sample a step, a rate that falls in a straight line.
fn simple_options() -> TrainOptions {
    TrainOptions {
        effective_batch_size: 1,
        lr_scheduler: Decay::Linear,
        warmup_steps: 0,
        adamw_beta2: 0.999,
        ..TrainOptions::default()
    }
}

fn decay(decay: DecayArg) -> Decay {
    match decay {
        DecayArg::Cosine => Decay::Cosine,
        DecayArg::Linear => Decay::Linear,
        DecayArg::Constant => Decay::Constant,
    }
}

fn optimiser_kind(optimiser: OptimiserArg) -> OptimiserKind {
    match optimiser {
        OptimiserArg::Adamw => OptimiserKind::AdamW,
        OptimiserArg::Adamw8Bit => OptimiserKind::AdamW8Bit,
        OptimiserArg::Adafactor => OptimiserKind::Adafactor,
    }
}

/// What is allowed and rarely meant.
fn warnings(options: &TrainOptions) -> Vec<String> {
    let mut warnings = Vec::new();
    if options.num_epochs > MOST_EPOCHS {
        warnings.push(format!(
            "{} epochs: the workflow is meant for at most {MOST_EPOCHS}; more passes over the same samples rarely teach more, and the model forgets what it knew",
            options.num_epochs
        ));
    }
    if options.learning_rate > HIGH_LEARNING_RATE {
        warnings.push(format!(
            "a learning rate of {:e} is very high: 2e-5 is usual for all weights, 2e-4 for adapters",
            options.learning_rate
        ));
    }
    warnings
}

/// What `train.additional_args` of the configuration may set here; its other names belong to trainers on many machines.
#[derive(Debug, Default, Deserialize)]
struct Additional {
    learning_rate: Option<f64>,
    warmup_steps: Option<u64>,
    random_seed: Option<u64>,
    lora_alpha: Option<f32>,
    lora_dropout: Option<f32>,
    lora_target_modules: Option<Vec<String>>,
}

impl Additional {
    fn read(settings: Map<String, Value>) -> Result<Self, CommandError> {
        let read: Self = serde_json::from_value(Value::Object(settings)).map_err(|error| {
            CommandError::message(
                Kind::Usage,
                format!("`train.additional_args` of the configuration: {error}"),
                "`learning_rate`, `lora_alpha` and `lora_dropout` are numbers, `warmup_steps` and `random_seed` are whole numbers",
            )
        })?;
        let refused = |key: &str, value: String, expected: &str| {
            Err(CommandError::message(
                Kind::Usage,
                format!("`train.additional_args.{key}` of the configuration is {value}"),
                format!("it is {expected}"),
            ))
        };
        match (read.learning_rate, read.lora_dropout) {
            (Some(rate), _) if !(rate.is_finite() && rate > 0.0) => refused(
                "learning_rate",
                rate.to_string(),
                "a number above 0, such as 2e-5",
            ),
            _ if read
                .lora_alpha
                .is_some_and(|alpha| !(alpha.is_finite() && alpha > 0.0)) =>
            {
                let alpha = read.lora_alpha.unwrap_or_default();
                refused(
                    "lora_alpha",
                    alpha.to_string(),
                    "a number above 0, such as 32",
                )
            }
            (_, Some(share)) if !(0.0..1.0).contains(&share) => refused(
                "lora_dropout",
                share.to_string(),
                "a number from 0 to below 1, such as 0.1",
            ),
            _ => Ok(read),
        }
    }
}

/// The file to learn: with `simple` the newest of a folder, as in the original.
fn training_file(
    data_path: PathBuf,
    input_dir: &Path,
    is_simple: bool,
) -> Result<PathBuf, CommandError> {
    if !data_path.is_dir() {
        return Ok(data_path);
    }
    if !is_simple {
        return Err(CommandError::message(
            Kind::Usage,
            format!("`--data-path` is a directory: `{}`", data_path.display()),
            "pass one .jsonl file, such as knowledge_train_msgs_*.jsonl of a run of `ilab data generate`",
        ));
    }
    newest_of(&[&data_path, input_dir])
}

/// The newest training file of the first folder that has one.
fn newest_of(folders: &[&Path]) -> Result<PathBuf, CommandError> {
    let newest = folders
        .iter()
        .find_map(|folder| newest_training_file(folder));
    newest.ok_or_else(|| {
        let folders: Vec<String> = folders
            .iter()
            .map(|folder| format!("`{}`", folder.display()))
            .collect();
        CommandError::message(
            Kind::User,
            format!("no training file in {}", folders.join(" or ")),
            "run `ilab data generate`, or pass a file with `--data-path`",
        )
    })
}

/// The newest `train_*.jsonl` in a folder or directly below.
fn newest_training_file(folder: &Path) -> Option<PathBuf> {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries(folder).filter(|entry| entry.path().is_dir());
    let files = entries(folder).chain(below.flat_map(|entry| entries(&entry.path())));
    let is_meant = |name: &str| name.starts_with("train_") && name.ends_with(".jsonl");
    files
        .filter(|entry| entry.file_name().to_str().is_some_and(is_meant))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .max()
        .map(|(_, path)| path)
}

/// The folder, or GGUF file, of the model.
fn model_path(
    gguf: Option<PathBuf>,
    path: Option<PathBuf>,
    id: Option<String>,
    configured: &str,
    invocation: &Invocation,
) -> Result<PathBuf, CommandError> {
    let path = match (gguf, path) {
        (Some(gguf), _) => gguf,
        (None, Some(path)) => path,
        (None, None) => match named_model::student(id, invocation)? {
            Some(model) => model.path,
            None => PathBuf::from(configured),
        },
    };
    if path.is_dir() || (path.is_file() && is_gguf(&path)) {
        return Ok(path);
    }
    // The default is a name on Hugging Face, as many other models have.
    Err(CommandError::message(
        Kind::User,
        format!("the model `{}` is not a folder", path.display()),
        "this version downloads no models: pass the folder of a Hugging Face model, or a GGUF file, with `--model-path`",
    ))
}
