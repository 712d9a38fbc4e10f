//! `ilab model train`: flags only.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::commands;
use crate::error::CommandResult;
use crate::settings::{Invocation, TrainSettings};

#[derive(Debug, Args)]
pub(crate) struct TrainArgs {
    /// Training data: one JSON lines file with messages; with `--pipeline simple` also a folder of them
    #[arg(long, value_name = "FILE")]
    pub(crate) data_path: Option<PathBuf>,
    /// Model to start from: a Hugging Face folder, or a GGUF file
    #[arg(long, value_name = "PATH")]
    pub(crate) model_path: Option<PathBuf>,
    /// The same as `--model-path` with a GGUF file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model_path", "model_id"])]
    pub(crate) gguf_model_path: Option<PathBuf>,
    /// Folder with the tokenizer of a GGUF file [default: from the file itself]
    #[arg(long, value_name = "DIR")]
    pub(crate) tokenizer_dir: Option<PathBuf>,
    /// Model to start from: an entry of `models` in the configuration
    #[arg(long, value_name = "ID", conflicts_with = "model_path")]
    pub(crate) model_id: Option<String>,
    /// Where checkpoints, metrics and the state of the run go
    #[arg(long, value_name = "DIR")]
    pub(crate) ckpt_output_dir: Option<PathBuf>,
    /// Where the processed data goes
    #[arg(long, value_name = "DIR")]
    pub(crate) data_output_dir: Option<PathBuf>,
    /// With `--pipeline simple`: where the newest training file is looked for
    #[arg(long, value_name = "DIR")]
    pub(crate) input_dir: Option<PathBuf>,
    /// How to train: `simple` learns a small adapter, `full` every weight or `--lora-rank`
    #[arg(long, value_parser = ["simple", "full", "accelerated"])]
    pub(crate) pipeline: Option<String>,
    /// What to train on
    #[arg(long, value_parser = ["cpu", "cuda", "hpu", "mps"])]
    pub(crate) device: Option<String>,
    #[command(flatten)]
    pub(crate) course: CourseArgs,
    #[command(flatten)]
    pub(crate) lora: LoraArgs,
    #[command(flatten)]
    pub(crate) memory: MemoryArgs,
    #[command(flatten)]
    pub(crate) saving: SavingArgs,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    #[command(flatten)]
    pub(crate) elsewhere: ElsewhereArgs,
}

/// The course of the training.
#[derive(Debug, Args)]
#[command(next_help_heading = "Course")]
pub(crate) struct CourseArgs {
    /// Passes over the data
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) num_epochs: Option<u32>,
    /// Samples of one optimiser step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) effective_batch_size: Option<u32>,
    /// Highest learning rate [default: 2e-5]
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, value_parser = learning_rate)]
    pub(crate) learning_rate: Option<f64>,
    /// How the learning rate falls [default: cosine; linear with `--pipeline simple`]
    #[arg(long, value_name = "SHAPE")]
    pub(crate) lr_scheduler: Option<DecayArg>,
    /// Steps over which the learning rate rises [default: 25, or a tenth of all; 0 with `--pipeline simple`]
    #[arg(long, value_name = "N")]
    pub(crate) warmup_steps: Option<u64>,
    /// Who updates the weights [default: adamw]
    #[arg(long, value_name = "NAME")]
    pub(crate) optimizer: Option<OptimiserArg>,
    /// Seed of the sample order and of all that is drawn [default: 42]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Share of the samples that is held out to measure what was learned [default: 0]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) validation_split: Option<f64>,
    /// Measure the held-out samples every so many steps [default: once an epoch]
    #[arg(long, value_name = "STEPS", requires = "validation_split", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) validation_frequency: Option<u64>,
    /// Stop when the held-out loss has not fallen for so many measurements
    #[arg(long, value_name = "N", requires = "validation_split", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) early_stop: Option<u32>,
}

/// Adapters.
#[derive(Debug, Args)]
#[command(next_help_heading = "Adapters (LoRA)")]
pub(crate) struct LoraArgs {
    /// Width of the adapters; 0 trains every weight, or takes 4 with `--pipeline simple` [default: 0]
    #[arg(long, value_name = "RANK")]
    pub(crate) lora_rank: Option<u32>,
    /// An adapter counts alpha/rank [default: 32]
    #[arg(long, value_name = "ALPHA", value_parser = alpha)]
    pub(crate) lora_alpha: Option<f32>,
    /// Share of an adapter's input that is left out at random [default: 0.1]
    #[arg(long, value_name = "SHARE", value_parser = dropout)]
    pub(crate) lora_dropout: Option<f32>,
    /// Linear layers with an adapter; may be repeated [default: q_proj k_proj v_proj o_proj]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) lora_target_modules: Vec<String>,
    /// How the frozen weights are kept [default: nf4; none with `--pipeline simple`]
    #[arg(long, value_name = "FORM", value_parser = ["nf4", "int8", "none", "null"])]
    pub(crate) lora_quantize_dtype: Option<String>,
    /// The same as `--lora-quantize-dtype nf4`
    #[arg(long = "4-bit-quant", conflicts_with = "lora_quantize_dtype")]
    pub(crate) four_bit_quant: bool,
}

/// Memory.
#[derive(Debug, Args)]
#[command(next_help_heading = "Memory and speed")]
pub(crate) struct MemoryArgs {
    /// Tokens that go through the model together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_batch_len: Option<u32>,
    /// Compute activations again in place of keeping them: less memory, a third more time
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) gradient_checkpointing: WhenArg,
    /// Least memory: activations computed again, moments of the optimiser in eight bits
    #[arg(long)]
    pub(crate) optimize_memory: bool,
    /// In which precision matrices are multiplied; sums and weights are f32
    #[arg(long, value_name = "TYPE", value_parser = ["bf16", "f32"], default_value = "bf16")]
    pub(crate) compute_dtype: String,
}

/// What is written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Saving")]
pub(crate) struct SavingArgs {
    /// Save a checkpoint every so many samples too [default: 250000]
    #[arg(long, value_name = "N")]
    pub(crate) save_samples: Option<u64>,
    /// Save a checkpoint after every epoch: the default
    #[arg(long, conflicts_with = "last_epoch_only")]
    pub(crate) checkpoint_at_epoch: bool,
    /// Save after the last epoch only, not after each
    #[arg(long)]
    pub(crate) last_epoch_only: bool,
    /// Which checkpoints stay
    #[arg(long, value_name = "WHICH", default_value = "best-and-last")]
    pub(crate) keep_checkpoints: KeepArg,
    /// Write no quantized GGUF file [short: -sq]
    #[arg(long)]
    pub(crate) skip_quantize: bool,
    /// Do not keep the state of the run: what is cut off starts over
    #[arg(long)]
    pub(crate) disable_accelerate_full_state_at_epoch: bool,
    /// Seconds between two states of the run [default: 60, or more where writing takes long]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) state_interval: Option<u64>,
    /// Start over where an unfinished run would be gone on with
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Write event files for TensorBoard beside the metrics
    #[arg(long)]
    pub(crate) tensorboard: bool,
}

/// The data.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// Longest sample in tokens; longer ones are left out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) max_seq_len: Option<u32>,
    /// Chat template in place of the model's own: a file, or the name of a built-in one
    #[arg(long, value_name = "FILE|NAME")]
    pub(crate) chat_template: Option<String>,
    /// Leave out lines that cannot be used, instead of stopping at the first
    #[arg(long)]
    pub(crate) skip_invalid: bool,
    /// Show N samples as the model sees them, and do not train
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "3")]
    pub(crate) preview: Option<u32>,
    /// Print the plan (memory, disk, time) and do not train
    #[arg(long, conflicts_with = "preview")]
    pub(crate) dry_run: bool,
    /// `--preview` and `--dry-run`: as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of the original for several devices or machines and for other trainers.
#[derive(Debug, Args)]
pub(crate) struct ElsewhereArgs {
    #[arg(long, hide = true, value_name = "NAME", ignore_case = true, value_parser = ["lab-multiphase", "lab-skills-only"])]
    pub(crate) strategy: Option<String>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) gpus: Option<u32>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) nnodes: Option<u32>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) node_rank: Option<u32>,
    #[arg(long, hide = true, value_name = "ID")]
    pub(crate) rdzv_id: Option<String>,
    #[arg(long, hide = true, value_name = "ADDRESS")]
    pub(crate) rdzv_endpoint: Option<String>,
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) distributed_backend: Option<String>,
    #[arg(long, hide = true, value_name = "BOOL", action = ArgAction::Set)]
    pub(crate) deepspeed_cpu_offload_optimizer: Option<bool>,
    #[arg(long, hide = true, value_name = "RATIO")]
    pub(crate) deepspeed_cpu_offload_optimizer_ratio: Option<f64>,
    #[arg(long, hide = true, value_name = "BOOL", action = ArgAction::Set)]
    pub(crate) deepspeed_cpu_offload_optimizer_pin_memory: Option<bool>,
    #[arg(long, hide = true, value_name = "BOOL", action = ArgAction::Set)]
    pub(crate) fsdp_cpu_offload_optimizer: Option<bool>,
    #[arg(long, hide = true, value_name = "BOOL", action = ArgAction::Set)]
    pub(crate) is_padding_free: Option<bool>,
    #[arg(long, hide = true)]
    pub(crate) disable_flash_attn: bool,
    #[arg(long, hide = true, value_name = "DIR")]
    pub(crate) phased_base_dir: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) phased_phase1_data: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) phased_phase2_data: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) phased_phase1_num_epochs: Option<u32>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) phased_phase2_num_epochs: Option<u32>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) phased_phase1_samples_per_save: Option<u64>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) phased_phase2_samples_per_save: Option<u64>,
    #[arg(long, hide = true, value_name = "RATE")]
    pub(crate) phased_phase1_learning_rate: Option<f64>,
    #[arg(long, hide = true, value_name = "RATE")]
    pub(crate) phased_phase2_learning_rate: Option<f64>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) phased_phase1_effective_batch_size: Option<u32>,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) phased_phase2_effective_batch_size: Option<u32>,
    #[arg(long, hide = true, value_name = "PATH")]
    pub(crate) phased_mt_bench_judge: Option<PathBuf>,
    #[arg(long, hide = true, value_name = "FILE")]
    pub(crate) training_journal: Option<PathBuf>,
    #[arg(long, hide = true)]
    pub(crate) force_clear_phased_cache: bool,
    #[arg(short = 'y', long, hide = true)]
    pub(crate) skip_user_confirm: bool,
    #[arg(long, hide = true)]
    pub(crate) enable_serving_output: bool,
    #[arg(long, hide = true)]
    pub(crate) skip_preprocessing: bool,
    #[arg(long, hide = true)]
    pub(crate) local: bool,
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) iters: Option<u32>,
}

/// How the learning rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecayArg {
    /// Half a cosine
    Cosine,
    /// A straight line
    Linear,
    /// Not at all
    Constant,
}

/// Who updates the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OptimiserArg {
    /// 8 bytes a trained weight
    Adamw,
    /// Moments in eight bits: 2 bytes a trained weight
    #[value(name = "adamw8bit")]
    Adamw8Bit,
    /// Hardly any memory
    Adafactor,
}

/// When something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhenArg {
    /// Where the memory asks for it
    Auto,
    /// Always
    On,
    /// Never
    Off,
}

/// Which checkpoints stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeepArg {
    /// The one of the lowest held-out loss, and the newest
    BestAndLast,
    /// All
    All,
}

fn learning_rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 1.0 => Ok(rate),
        _ => Err("expected a number above 0 and at most 1, such as 2e-5".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to below 1, such as 0.1".to_owned()),
    }
}

fn alpha(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(alpha) if f32::is_finite(alpha) && alpha > 0.0 => Ok(alpha),
        _ => Err("expected a number above 0, such as 32".to_owned()),
    }
}

fn dropout(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("expected a number from 0 to below 1, such as 0.1".to_owned()),
    }
}

impl TrainArgs {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        commands::train::run(&TrainSettings::resolve(self, invocation)?, invocation.ui)
    }
}
