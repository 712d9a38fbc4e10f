//! A few finished samples before a whole run is worth its time.

use std::sync::Arc;

use ilab_base::cancel::Cancel;
use ilab_openai::completer::Completer;
use serde::Serialize;

use crate::drops::Drops;
use crate::error::GenerateError;
use crate::generate::{Finished, GenerateOptions, finish};
use crate::journal::Journal;
use crate::observer::Observer;
use crate::prepare::Prepared;
use crate::row;
use crate::run::Run;
use crate::scheduler::{self, Limits};
use crate::teacher::Teacher;

/// Samples as the whole run would make them.
#[derive(Debug, Clone, Serialize)]
pub struct Preview {
    /// From all leaves in turn.
    pub samples: Vec<PreviewSample>,
    /// What was left out on the way.
    #[serde(skip)]
    pub drops: Drops,
    /// Rows that were worked on.
    pub n_rows: usize,
    /// Rows that the whole run has.
    pub n_rows_in_all: usize,
}

/// A generated question with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewSample {
    /// As the taxonomy names the leaf.
    pub leaf_path: String,
    /// The text that the question is about, if the sample has one.
    pub context: Option<String>,
    /// What is asked.
    pub question: String,
    /// The answer to learn.
    pub answer: String,
}

/// Works on a few rows of each leaf, and on more until there are `n_samples` samples or no rows are left.
///
/// Answers go to the journal, so that the whole run does not ask for them again.
///
/// # Errors
/// As [`generate()`](crate::generate()).
pub async fn preview(
    options: &GenerateOptions,
    n_samples: usize,
    completer: Arc<dyn Completer>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Preview, GenerateError> {
    let prepared = Prepared::new(options, observer, cancel)?;
    let journal = Journal::open(&options.output_dir)?;
    let n_rows_in_all = prepared.leaves.iter().map(|leaf| leaf.n_rows()).sum();
    let teacher = Teacher::new(options, completer, &journal, observer, cancel);
    let run = Run::new(&teacher, options);
    let mut n_rows_of_each = 1;
    // Later rounds find the answers of earlier ones in the journal.
    loop {
        let parts = prepared.parts(n_rows_of_each);
        let n_rows = parts.iter().map(|part| part.rows.len()).sum();
        let produced = scheduler::flow(&run, parts, Limits::of(options), observer).await;
        teacher.keep_speed()?;
        let produced = produced?;
        let found = finish(&prepared.leaves, produced, options.max_similarity);
        let n_found: usize = found.iter().map(|leaf| leaf.questions.len()).sum();
        if n_found >= n_samples || n_rows == n_rows_in_all {
            return Ok(Preview {
                samples: in_turn(&prepared, &found, n_samples),
                drops: Drops(found.into_iter().flat_map(|leaf| leaf.drops.0).collect()),
                n_rows,
                n_rows_in_all,
            });
        }
        n_rows_of_each *= 2;
    }
}

/// The first sample of each leaf, then the second of each.
fn in_turn(prepared: &Prepared, found: &[Finished], n_samples: usize) -> Vec<PreviewSample> {
    let longest = found.iter().map(|leaf| leaf.questions.len()).max();
    let leaves = prepared.leaves.iter().zip(found);
    let of_all = (0..longest.unwrap_or_default()).flat_map(|index| {
        leaves.clone().filter_map(move |(leaf, found)| {
            let generated = found.questions.get(index)?;
            let context = ["document", "seed_context", "context"]
                .into_iter()
                .map(|column| row::text(&generated.row, column))
                .rfind(|text| !text.is_empty());
            Some(PreviewSample {
                leaf_path: leaf.leaf_path.clone(),
                context: context.map(|text| text.into_owned()),
                question: generated.question.clone(),
                answer: generated.answer.clone(),
            })
        })
    });
    of_all.take(n_samples).collect()
}
