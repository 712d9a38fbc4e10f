//! Trains the starter model from random weights with the project's own trainer, and measures it on held-out frames.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use ilab_base::cancel::Cancel;
use ilab_base::io::{WithPath, create_dir_all};
use ilab_kernels::matmul::Precision;
use ilab_text::tokenizer::Tokenizer;
use ilab_train::checkpoint;
use ilab_train::dataset::Dataset;
use ilab_train::initialise;
use ilab_train::method::Method;
use ilab_train::metrics::{MetricsFile, StepMetrics};
use ilab_train::optimiser::OptimiserKind;
use ilab_train::packing::Batch;
use ilab_train::trainer::{TrainOptions, Trainer};
use ilab_weights::config::ModelConfig;
use ilab_weights::safetensors::FloatType;
use serde_json::json;

use crate::starter::error::StarterError;
use crate::starter::measure;
use crate::starter::tokenizer::VOCABULARY;
use crate::starter::vocabulary;

/// Longest sample, in tokens.
pub const MAX_SEQ_LEN: usize = 640;
/// Seed of the weights and of the order of the samples.
const SEED: u64 = 20_261_123;
/// Steps between two measurements on held-out frames, which also save the model.
const STEPS_PER_MEASUREMENT: u64 = 250;
/// Held-out samples that are measured.
const DEV_SAMPLES: usize = 200;

/// The recipe: passes over the corpus, samples a step, and the learning rate.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// The corpus to learn.
    #[arg(long)]
    corpus: PathBuf,
    /// A corpus of held-out frames, measured while training.
    #[arg(long)]
    dev: PathBuf,
    /// The folder with the tokenizer.
    #[arg(long)]
    tokenizer: PathBuf,
    /// The folder to write the model to.
    #[arg(long)]
    out: PathBuf,
    /// Samples of one optimiser step.
    #[arg(long, default_value_t = 24)]
    samples_per_step: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 2e-3)]
    learning_rate: f64,
    /// Continue from the weights of this folder instead of random ones; its vocabulary may be another.
    #[arg(long)]
    from: Option<PathBuf>,
}

/// Trains and writes the model.
pub fn run(args: &TrainArgs) -> Result<(), StarterError> {
    let cancel = Cancel::new();
    let tokenizer =
        Tokenizer::from_dir(&args.tokenizer).map_err(ilab_train::error::TrainError::from)?;
    let dataset = Dataset::read(&args.corpus, &tokenizer, MAX_SEQ_LEN, &cancel)?;
    let dev = Dataset::read(&args.dev, &tokenizer, MAX_SEQ_LEN, &cancel)?;
    let dev = [Batch::pack(dev.samples.iter().take(DEV_SAMPLES))];
    let options = TrainOptions {
        num_epochs: 1,
        effective_batch_size: args.samples_per_step,
        max_batch_len: 4096,
        learning_rate: args.learning_rate,
        warmup_steps: 100,
        weight_decay: 0.1,
        optimiser: OptimiserKind::Muon,
        // The small worlds of the closed-book lessons come and go in the order of the corpus.
        random_seed: None,
        ..TrainOptions::default()
    };
    let model = match &args.from {
        Some(folder) => vocabulary::with_tokenizer(folder, &args.tokenizer, MAX_SEQ_LEN)?,
        None => initialise::random(config(), Method::Full, MAX_SEQ_LEN, SEED)?,
    };
    let model = model.with_precision(Precision::Bf16);
    create_dir_all(&args.out)?;
    let mut metrics = MetricsFile::open(&args.out, &options)?;
    report(&format!(
        "{} samples, {} left out, {} parameters",
        dataset.samples.len(),
        dataset.counts().total(),
        model.n_parameters()
    ));
    let mut trainer = Trainer::new(model, dataset.samples, options);
    let started = Instant::now();
    while let Some(step) = trainer.step(&cancel)? {
        metrics.append_step(&step)?;
        if step.step % 20 == 0 {
            report_step(&step, started);
        }
        if step.step % STEPS_PER_MEASUREMENT == 0 || step.is_epoch_end {
            let loss = trainer.mean_loss(&dev, &cancel)?;
            let right = measure::score(trainer.model_mut(), &tokenizer, &dev[0])?.share();
            metrics.append(&json!({"step": step.step, "dev_loss": loss, "dev_right": right}))?;
            report(&format!(
                "step {} dev loss {loss:.4}, {:.1} % of answers right in every token",
                step.step,
                100.0 * right
            ));
            save(&trainer, &args.tokenizer, &args.out)?;
        }
    }
    Ok(())
}

/// Six layers, 256 wide: every width is a multiple of 256, so that all quantised types apply.
fn config() -> ModelConfig {
    ModelConfig {
        model_type: "llama".to_owned(),
        vocab_size: VOCABULARY,
        hidden_size: 256,
        intermediate_size: 768,
        num_hidden_layers: 6,
        num_attention_heads: 4,
        num_key_value_heads: Some(2),
        head_dim: None,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        rope_scaling: None,
        max_position_embeddings: 1024,
        tie_word_embeddings: true,
        rest: [
            ("architectures".to_owned(), json!(["LlamaForCausalLM"])),
            ("hidden_act".to_owned(), json!("silu")),
            ("bos_token_id".to_owned(), json!(null)),
            ("eos_token_id".to_owned(), json!(3)),
            ("pad_token_id".to_owned(), json!(3)),
        ]
        .into_iter()
        .collect(),
    }
}

fn save(trainer: &Trainer, tokenizer: &Path, out: &Path) -> Result<(), StarterError> {
    checkpoint::stage(
        trainer.model(),
        tokenizer,
        &out.join("model"),
        FloatType::Bf16,
    )?
    .commit()?;
    Ok(())
}

fn report_step(step: &StepMetrics, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    let left = seconds / step.step as f64 * (step.num_steps - step.step) as f64;
    report(&format!(
        "step {}/{} loss {:.4} lr {:.2e} norm {:.2} {:.0} tok/s, {:.0} min left",
        step.step,
        step.num_steps,
        step.avg_loss,
        step.lr,
        step.gradnorm,
        step.tokens_per_second,
        left / 60.0
    ));
}

/// Tells whoever is watching.
pub fn report(line: &str) {
    // Nobody is left to tell when stderr itself is gone.
    let _ = writeln!(std::io::stderr(), "{line}").with_path("write", "stderr");
}
