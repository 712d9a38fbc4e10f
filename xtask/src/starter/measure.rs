//! How well a model reads: the share of answers that are right in every token.

use std::path::PathBuf;

use ilab_base::cancel::Cancel;
use ilab_text::tokenizer::Tokenizer;
use ilab_train::dataset::Dataset;
use ilab_train::error::TrainError;
use ilab_train::method::Method;
use ilab_train::model::Model;
use ilab_train::packing::Batch;

use crate::starter::error::StarterError;
use crate::starter::train::{MAX_SEQ_LEN, report};

/// Samples that go through the model together.
const SAMPLES_AT_ONCE: usize = 8;

/// Which model to measure on what.
#[derive(Debug, clap::Args)]
pub struct MeasureArgs {
    /// The folder of the model.
    #[arg(long)]
    model: PathBuf,
    /// A corpus, best of held-out frames.
    #[arg(long)]
    corpus: PathBuf,
    /// Show so many wrong answers.
    #[arg(long, default_value_t = 0)]
    show: usize,
}

/// Answers of a model to what a corpus asks.
#[derive(Debug, Default)]
pub struct Score {
    /// Answers in all.
    pub n: usize,
    /// Those whose every token is the most likely one.
    pub n_right: usize,
    /// Wanted and most likely texts of the others.
    pub wrong: Vec<(String, String)>,
}

impl Score {
    /// The share that is right.
    pub fn share(&self) -> f64 {
        self.n_right as f64 / self.n.max(1) as f64
    }
}

/// Measures and reports.
pub fn run(args: &MeasureArgs) -> Result<(), StarterError> {
    let tokenizer = Tokenizer::from_dir(&args.model).map_err(TrainError::from)?;
    let corpus = Dataset::read(&args.corpus, &tokenizer, MAX_SEQ_LEN, &Cancel::new())?;
    let mut model = Model::from_dir(&args.model, Method::Full, MAX_SEQ_LEN)?;
    let mut total = Score::default();
    for samples in corpus.samples.chunks(SAMPLES_AT_ONCE) {
        let score = score(&mut model, &tokenizer, &Batch::pack(samples))?;
        total.n += score.n;
        total.n_right += score.n_right;
        total.wrong.extend(score.wrong);
    }
    for (wanted, likely) in total.wrong.iter().take(args.show) {
        report(&format!("wanted `{wanted}`\nlikely `{likely}`\n"));
    }
    let percent = 100.0 * total.share();
    report(&format!(
        "{} of {} answers right in every token, {percent:.1} %",
        total.n_right, total.n
    ));
    Ok(())
}

/// Counts the learned texts of a batch that are right, for the loss hides a first token that is always wrong. Where a text is
/// a question with its answer, the answer alone counts: many questions can be asked.
pub fn score(
    model: &mut Model,
    tokenizer: &Tokenizer,
    batch: &Batch,
) -> Result<Score, StarterError> {
    let logits = model.logits(batch)?;
    let rows = logits.chunks_exact(model.config().vocab_size);
    let likely: Vec<u32> = rows.map(most_likely).collect();
    let text = |ids: &[u32]| tokenizer.decode(ids).map_err(TrainError::from);
    let mut score = Score::default();
    let rows: Vec<_> = batch.targets.iter().zip(&likely).collect();
    for learned in rows.split(|(target, _)| target.is_none()) {
        let wanted: Vec<u32> = learned.iter().filter_map(|(target, _)| **target).collect();
        let mut start = 0;
        for (i, id) in wanted.iter().enumerate() {
            if text(&[*id])?.contains('?') {
                start = i + 1;
            }
        }
        let likely: Vec<u32> = learned[start..]
            .iter()
            .map(|(_, likely)| **likely)
            .collect();
        let wanted = &wanted[start..];
        if wanted.is_empty() {
            continue;
        }
        score.n += 1;
        if wanted == likely {
            score.n_right += 1;
        } else {
            score.wrong.push((text(wanted)?, text(&likely)?));
        }
    }
    Ok(score)
}

/// The token of the highest score.
fn most_likely(logits: &[f32]) -> u32 {
    let highest = (0..).zip(logits).max_by(|a, b| a.1.total_cmp(b.1));
    highest.map_or(0, |(token, _)| token)
}
