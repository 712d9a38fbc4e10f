//! The data of `ilab model train`: read, told about, written and shown.

use std::path::{Path, PathBuf};

use ilab_base::cancel::Cancel;
use ilab_text::tokenizer::Tokenizer;
use ilab_text::vocabulary::tags_without_token;
use ilab_train::dataset::{Dataset, LeftOut, ReadOptions, ReadProgress, Reason};
use ilab_train::error::TrainError;
use ilab_train::packing::{PackingReport, plan_epoch};

use ilab_weights::gguf::GgufFile;
use ilab_weights::gguf_model::{is_gguf, write_tokenizer};

use crate::error::{CommandError, CommandResult};
use crate::settings::{PreviewSettings, TrainSettings};
use crate::ui::Ui;

/// Files from this size on, in bytes, take long enough for a bar.
const MIN_BYTES_OF_PROGRESS: u64 = 8_000_000;
/// Samples of each kind that are named when they are left out; the file beside the processed data has all of them.
const N_NAMED: usize = 3;

/// The folder of the model's tokenizer. That of a GGUF file is written beside the processed data.
pub(super) fn tokenizer_dir(settings: &TrainSettings) -> Result<PathBuf, CommandError> {
    if let Some(folder) = &settings.tokenizer_dir {
        return Ok(folder.clone());
    }
    if !is_gguf(&settings.model_path) {
        return Ok(settings.model_path.clone());
    }
    // Named after the file, so that no other run reads another model's.
    let name = settings.model_path.file_stem().unwrap_or_default();
    let name = format!("tokenizer_{}", name.to_string_lossy());
    let folder = settings.data_output_dir.join(name);
    write_tokenizer(&GgufFile::open(&settings.model_path)?, &folder)?;
    Ok(folder)
}

/// A tokenizer, with the chat template that was asked for.
pub(super) fn tokenizer(settings: &TrainSettings, folder: &Path) -> Result<Tokenizer, TrainError> {
    Ok(Tokenizer::from_dir_with(
        folder,
        settings.template.as_ref(),
    )?)
}

/// Reads the training file and tells what of it is left out.
pub(super) fn read(
    settings: &TrainSettings,
    tokenizer: &Tokenizer,
    ui: Ui,
    cancel: &Cancel,
) -> Result<Dataset, CommandError> {
    let tags = tags_without_token(tokenizer);
    if !tags.is_empty() {
        ui.warning(format!(
            "the chat template prints {}, which the model's vocabulary does not hold: it is learned in pieces",
            quoted(&tags)
        ));
    }
    let options = ReadOptions {
        max_seq_len: settings.max_seq_len,
        skips_invalid: settings.skips_invalid,
    };
    let mut bar = None;
    let mut progress = |progress: ReadProgress| {
        const MEGABYTE: u64 = 1_000_000;
        if progress.n_bytes >= MIN_BYTES_OF_PROGRESS {
            let total = progress.n_bytes / MEGABYTE;
            let bar = bar.get_or_insert_with(|| ui.progress("read", total, "MB"));
            let note = format!("{} samples", progress.n_samples);
            bar.set(progress.n_bytes_read / MEGABYTE, &note);
        }
    };
    let path = &settings.data_path;
    let dataset = Dataset::read_with(path, tokenizer, options, &mut progress, cancel)?;
    if let Some(bar) = bar {
        bar.finish();
    }
    tell_left_out(&dataset, settings.max_seq_len, ui);
    Ok(dataset)
}

/// Writes the processed data and tells how it will be learned.
pub(super) fn write(dataset: &Dataset, settings: &TrainSettings, ui: Ui) -> CommandResult {
    let path = settings.data_output_dir.join("data.jsonl");
    dataset.write_processed(&path)?;
    if !dataset.left_out.is_empty() {
        ui.status(format!(
            "each sample that is left out, and why: `{}`",
            path.with_file_name("left_out.jsonl").display()
        ));
    }
    let statistics = dataset.statistics();
    let quantile = |wanted: usize| {
        let mut quantiles = statistics.quantiles.iter();
        quantiles
            .find(|(percent, _)| *percent == wanted)
            .map_or(0, |(_, length)| *length)
    };
    let report = packing(dataset, settings);
    ui.status(format!(
        "{} to {} tokens a sample, half have at most {}; {:.1} % are learned; {} steps an epoch in {} batches of at most {} tokens",
        quantile(0),
        quantile(100),
        quantile(50),
        100.0 * statistics.learned_share(),
        report.n_steps,
        report.n_batches,
        report.largest_batch
    ));
    Ok(())
}

/// Shows samples as the model sees them.
pub(super) fn show(
    settings: &TrainSettings,
    preview: PreviewSettings,
    ui: Ui,
    cancel: &Cancel,
) -> CommandResult {
    let tokenizer = tokenizer(settings, &tokenizer_dir(settings)?)?;
    let dataset = read(settings, &tokenizer, ui, cancel)?;
    for sample in dataset
        .previews(preview.n_samples, &tokenizer)
        .map_err(TrainError::from)?
    {
        if preview.is_json {
            let line = serde_json::to_string(&sample).expect("a sample is plain data");
            ui.data(line);
        } else {
            ui.sample(&sample);
        }
    }
    if !preview.is_json {
        ui.lengths(&dataset.statistics());
        let report = packing(&dataset, settings);
        ui.data(format!(
            "an epoch: {} steps in {} batches, of which no packing saves more than {}; {:.0} tokens in a batch on average, {} at most",
            report.n_steps,
            report.n_batches,
            report.n_batches - report.n_batches_least,
            report.mean_batch,
            report.largest_batch
        ));
    }
    Ok(())
}

/// How the first epoch will be packed.
fn packing(dataset: &Dataset, settings: &TrainSettings) -> PackingReport {
    let lengths = dataset.samples.iter().map(|sample| sample.input_ids.len());
    let lengths: Vec<usize> = lengths.collect();
    let options = &settings.options;
    let plan = plan_epoch(
        &lengths,
        options.effective_batch_size,
        options.max_batch_len,
        options.random_seed,
        0,
    );
    PackingReport::of(&plan, &lengths, options.max_batch_len)
}

fn tell_left_out(dataset: &Dataset, max_seq_len: usize, ui: Ui) {
    let tell = |what: &str, is_meant: fn(&Reason) -> bool| {
        let samples = dataset.left_out.iter();
        let samples: Vec<_> = samples.filter(|sample| is_meant(&sample.reason)).collect();
        if !samples.is_empty() {
            let named = named(&samples);
            ui.warning(format!("{} {what} and are left out{named}", samples.len()));
        }
    };
    tell(
        &format!("samples are longer than {max_seq_len} tokens"),
        |reason| matches!(reason, Reason::TooLong { .. }),
    );
    tell("samples have no learnable token", |reason| {
        matches!(reason, Reason::NothingToLearn { .. })
    });
    tell("samples have no text", |reason| {
        matches!(reason, Reason::Empty)
    });
    tell("lines cannot be used", |reason| {
        matches!(reason, Reason::Invalid { .. })
    });
}

/// The first few, a line each.
fn named(samples: &[&LeftOut]) -> String {
    let mut lines: Vec<String> = samples
        .iter()
        .take(N_NAMED)
        .map(|sample| format!("\n  line {}: {}", sample.line, sample.reason))
        .collect();
    if samples.len() > N_NAMED {
        lines.push(format!("\n  and {} more", samples.len() - N_NAMED));
    }
    lines.concat()
}

fn quoted(tags: &[String]) -> String {
    let quoted: Vec<String> = tags.iter().map(|tag| format!("`{tag}`")).collect();
    quoted.join(", ")
}
