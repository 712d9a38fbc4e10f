//! The plan before the work: memory, disk and time; and what to change where the machine has too little.

use ilab_base::cancel::Cancel;
use ilab_text::sample::EncodedSample;
use ilab_train::layer::Keep;
use ilab_train::method::{BaseFormat, LoraOptions, Method};
use ilab_train::optimiser::OptimiserKind;
use ilab_train::packing::{Batch, plan_epoch};
use ilab_train::plan::{Disk, Memory, Saving, Workload};
use ilab_train::resume;
use ilab_weights::config::ModelConfig;
use serde_json::json;

use super::checkpoints::n_bytes;
use super::{machine, prepare};
use crate::commands::training_data;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::{DryRunSettings, TrainSettings};
use crate::ui::Ui;

/// Of the free memory, so much is left to others.
const MEMORY_SHARE: f64 = 0.95;
/// Tokens of a batch that is small for any model; a single sample may be longer.
const SHORT_BATCH: usize = 1024;
/// Products run at this share of their full speed in a training, with everything around them.
const SPEED_SHARE: f64 = 0.8;

/// What a run will take.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) keep: Keep,
    /// Tokens of the largest batch.
    pub(super) batch_tokens: usize,
    memory: Memory,
    disk: Disk,
    seconds: f64,
    n_parameters: u64,
    n_trained: u64,
}

impl Plan {
    /// The plan of a run over these samples; refuses with numbers and a flag where the machine has too little.
    pub(super) fn new(
        settings: &TrainSettings,
        config: &ModelConfig,
        samples: &[EncodedSample],
        held_out: &[EncodedSample],
    ) -> Result<Self, CommandError> {
        let free = machine::free_memory().map(|bytes| (bytes as f64 * MEMORY_SHARE) as u64);
        let fits = |memory: Memory| free.is_none_or(|free| memory.total() <= free);
        let shape = Shape::of(settings, samples, held_out);
        let of = |keep| {
            shape.workload(
                settings,
                config,
                &settings.method,
                settings.options.optimiser,
                keep,
            )
        };
        let keep = settings
            .keep
            .unwrap_or(match fits(of(Keep::Activations).memory()) {
                true => Keep::Activations,
                false => Keep::Input,
            });
        let workload = of(keep);
        let memory = workload.memory();
        if !fits(memory) {
            let advice = advice(settings, config, &shape, &fits);
            return Err(CommandError::message(
                Kind::User,
                format!(
                    "this training takes {} of memory, and {} are free: {}",
                    gigabytes(memory.total()),
                    gigabytes(free.unwrap_or_default()),
                    parts(memory)
                ),
                advice,
            ));
        }
        let n_samples = samples.len();
        let disk = workload.disk(saving(settings, n_samples));
        check_disk(settings, disk)?;
        let speed = machine::flops_per_second(settings.precision) * SPEED_SHARE;
        Ok(Self {
            keep,
            batch_tokens: shape.batch_tokens,
            memory,
            disk,
            seconds: workload.flops() / speed,
            n_parameters: workload.n_parameters(),
            n_trained: workload.n_trained(),
        })
    }

    /// The plan in a line.
    pub(super) fn told(&self) -> String {
        let trained = match self.n_trained == self.n_parameters {
            true => "all".to_owned(),
            false => millions(self.n_trained),
        };
        format!(
            "plan: {} parameters, {trained} trained; {} of memory ({}), up to {} of disk, about {}{}",
            millions(self.n_parameters),
            gigabytes(self.memory.total()),
            parts(self.memory),
            gigabytes(self.disk.total()),
            duration(self.seconds),
            match self.keep {
                Keep::Activations => "",
                Keep::Input => "; activations are computed again",
            }
        )
    }
}

/// What the run writes.
fn saving(settings: &TrainSettings, n_samples: usize) -> Saving {
    let saving = &settings.saving;
    let n_epochs = settings.options.num_epochs as u64;
    let of_epochs = if saving.every_epoch { n_epochs } else { 1 };
    let of_samples = saving
        .n_samples
        .map_or(0, |n| n_samples as u64 * n_epochs / n);
    let of_best = if settings.validation.is_some() { 1 } else { 0 };
    let n_checkpoints = of_epochs + of_samples + of_best;
    Saving {
        n_checkpoints: match saving.keeps_all {
            true => n_checkpoints,
            // The best, the last, and the one that is being written.
            false => n_checkpoints.min(3),
        },
        writes_gguf: saving.writes_gguf,
        quantises: saving.quantises,
        has_final_copy: saving.final_gguf.is_some(),
        keeps_state: saving.keeps_state,
    }
}

/// Prints the plan and does nothing else.
pub(super) fn show(
    settings: &TrainSettings,
    dry_run: DryRunSettings,
    ui: Ui,
    cancel: &Cancel,
) -> CommandResult {
    let source = prepare::source(settings)?;
    let dataset = training_data::read(settings, &source.tokenizer, ui, cancel)?;
    let (dataset, held_out) = prepare::split(dataset, settings)?;
    let held_out = held_out.map_or_else(Vec::new, |held_out| held_out.samples);
    let plan = Plan::new(settings, &source.config, &dataset.samples, &held_out)?;
    if dry_run.is_json {
        let value = json!({
            "n_parameters": plan.n_parameters, "n_trained": plan.n_trained, "n_samples": dataset.samples.len(),
            "memory_bytes": plan.memory, "memory_total_bytes": plan.memory.total(), "disk_bytes": plan.disk,
            "disk_total_bytes": plan.disk.total(), "seconds": plan.seconds, "keep": plan.keep,
            "settings": prepare::told(settings),
        });
        ui.data(value.to_string());
    } else {
        ui.data(plan.told());
    }
    Ok(())
}

/// The data, as far as its cost goes.
struct Shape {
    /// Tokens of the longest sample.
    longest: usize,
    batch_tokens: usize,
    batch_learned: usize,
    epoch_tokens: usize,
    epoch_learned: usize,
}

impl Shape {
    fn of(settings: &TrainSettings, samples: &[EncodedSample], held_out: &[EncodedSample]) -> Self {
        let lengths: Vec<usize> = samples
            .iter()
            .map(|sample| sample.input_ids.len())
            .collect();
        let options = &settings.options;
        let plan = plan_epoch(
            &lengths,
            options.effective_batch_size,
            options.max_batch_len,
            options.random_seed,
            0,
        );
        let batches = plan.iter().flat_map(|step| &step.batches);
        let of_batch = |batch: &Vec<usize>| {
            let tokens: usize = batch.iter().map(|sample| lengths[*sample]).sum();
            let learned: usize = batch
                .iter()
                .map(|sample| samples[*sample].n_learned())
                .sum();
            (tokens, learned)
        };
        let sizes: Vec<(usize, usize)> = batches.map(of_batch).collect();
        let longest_held_out = held_out.iter().map(|sample| sample.input_ids.len()).max();
        let most = |sizes: &mut dyn Iterator<Item = usize>| sizes.max().unwrap_or_default();
        Self {
            longest: lengths.iter().copied().max().unwrap_or_default(),
            // Batches of held-out samples are not larger, unless a single one of them is.
            batch_tokens: most(&mut sizes.iter().map(|(tokens, _)| *tokens))
                .max(longest_held_out.unwrap_or_default()),
            batch_learned: most(&mut sizes.iter().map(|(_, learned)| *learned)),
            epoch_tokens: sizes.iter().map(|(tokens, _)| tokens).sum(),
            epoch_learned: sizes.iter().map(|(_, learned)| learned).sum(),
        }
    }

    fn workload<'a>(
        &self,
        settings: &TrainSettings,
        config: &'a ModelConfig,
        method: &'a Method,
        optimiser: OptimiserKind,
        keep: Keep,
    ) -> Workload<'a> {
        Workload {
            config,
            method,
            optimiser,
            precision: settings.precision,
            keep,
            batch_tokens: self.batch_tokens,
            batch_learned: self.batch_learned,
            epoch_tokens: self.epoch_tokens,
            epoch_learned: self.epoch_learned,
            num_epochs: settings.options.num_epochs,
        }
    }
}

/// The first change that makes it fit, with what it takes then.
fn advice(
    settings: &TrainSettings,
    config: &ModelConfig,
    shape: &Shape,
    fits: &impl Fn(Memory) -> bool,
) -> String {
    let lora = |base| Method::Lora(LoraOptions::new(8, base));
    let (adapter, small_adapter) = (lora(BaseFormat::Bf16), lora(BaseFormat::Nf4));
    let own = settings.options.optimiser;
    let longest_batch = |n: usize| Shape {
        batch_tokens: shape.batch_tokens.min(n),
        batch_learned: shape.batch_learned.min(n),
        ..*shape
    };
    let short = longest_batch(shape.longest.max(SHORT_BATCH));
    let changes = [
        (
            "pass `--gradient-checkpointing on`",
            shape,
            &settings.method,
            own,
        ),
        (
            "pass `--optimize-memory`",
            shape,
            &settings.method,
            OptimiserKind::AdamW8Bit,
        ),
        (
            "pass `--max-batch-len 1024 --optimize-memory`",
            &short,
            &settings.method,
            OptimiserKind::AdamW8Bit,
        ),
        (
            "train an adapter: `--lora-rank 8 --lora-quantize-dtype none`",
            shape,
            &adapter,
            own,
        ),
        (
            "train an adapter on a base of four bits: `--lora-rank 8 --lora-quantize-dtype nf4`",
            shape,
            &small_adapter,
            own,
        ),
        (
            "train an adapter on a base of four bits, a little at a time: `--lora-rank 8 --lora-quantize-dtype nf4 --max-batch-len 1024 --gradient-checkpointing on`",
            &short,
            &small_adapter,
            own,
        ),
    ];
    for (change, shape, method, optimiser) in changes {
        let memory = shape
            .workload(settings, config, method, optimiser, Keep::Input)
            .memory();
        if fits(memory) {
            return format!("{change}: {}", gigabytes(memory.total()));
        }
    }
    "no setting makes this model fit: train a smaller one, or on a machine with more memory"
        .to_owned()
}

fn check_disk(settings: &TrainSettings, disk: Disk) -> CommandResult {
    let Some(free) = machine::free_disk(&settings.checkpoint_dir) else {
        return Ok(());
    };
    // What an unfinished run left is gone on with, and replaced.
    let own = match resume::exists(&settings.checkpoint_dir)? {
        true => n_bytes(&settings.checkpoint_dir),
        false => 0,
    };
    if disk.total() <= free + own {
        return Ok(());
    }
    Err(CommandError::message(
        Kind::User,
        format!(
            "checkpoints take up to {} in `{}`, and {} are free",
            gigabytes(disk.total()),
            settings.checkpoint_dir.display(),
            gigabytes(free + own)
        ),
        "free some, pass another folder with `--ckpt-output-dir`, `--keep-checkpoints best-and-last`, or `--last-epoch-only`",
    ))
}

fn parts(memory: Memory) -> String {
    let Memory {
        weights,
        gradients,
        optimiser,
        activations,
        buffers,
        program,
    } = memory;
    format!(
        "weights {}, gradients {}, optimiser {}, activations {}, buffers {}",
        gigabytes(weights),
        gigabytes(gradients),
        gigabytes(optimiser),
        gigabytes(activations),
        gigabytes(buffers + program)
    )
}

/// "1.23 GB", "45 MB".
fn gigabytes(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        _ if bytes >= 1e9 => format!("{:.2} GB", bytes / 1e9),
        _ => format!("{:.0} MB", bytes / 1e6),
    }
}

/// "5.3 million", "1.10 billion".
fn millions(n: u64) -> String {
    let n = n as f64;
    match n {
        _ if n >= 1e9 => format!("{:.2} billion", n / 1e9),
        _ => format!("{:.1} million", n / 1e6),
    }
}

/// "42 s", "3 min", "2 h 5 min".
fn duration(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Batches for a measurement of the held-out loss, of so many tokens.
pub(super) fn validation_batches(batch_tokens: usize, samples: &[EncodedSample]) -> Vec<Batch> {
    let lengths: Vec<usize> = samples
        .iter()
        .map(|sample| sample.input_ids.len())
        .collect();
    let plan = plan_epoch(&lengths, samples.len(), batch_tokens, None, 0);
    let batches = plan.iter().flat_map(|step| &step.batches);
    batches
        .map(|batch| Batch::pack(batch.iter().map(|sample| &samples[*sample])))
        .collect()
}
