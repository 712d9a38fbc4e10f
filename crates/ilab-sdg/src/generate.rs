//! A whole run: leaves of a taxonomy in, a dataset out.

use std::path::PathBuf;
use std::sync::Arc;

use ilab_base::atomic::StagedDir;
use ilab_base::cancel::Cancel;
use ilab_documents::chunk::TokenCounter;
use ilab_openai::completer::Completer;
use serde::Serialize;

use crate::dataset::{self, Contents, ExamQuestion, LeafResult, PrecomputedData, RunFiles};
use crate::drops::Drops;
use crate::error::GenerateError;
use crate::journal::Journal;
use crate::near_duplicates;
use crate::observer::{Event, Observer};
use crate::pipeline::{PipelineSource, Pipelines, RowKind};
use crate::prepare::{DefaultRecipes, Prepared};
use crate::question::{self, Generated};
use crate::run::{Dropped, Run};
use crate::samples::{Leaf, LeafSource};
use crate::scheduler::{self, Limits, Produced};
use crate::teacher::Teacher;

/// The longest chunk of a document, in tokens.
pub const CHUNK_TOKENS: usize = 500;

/// What is generated and how.
#[derive(Clone)]
pub struct GenerateOptions {
    /// The leaves, all valid, with their documents.
    pub leaves: Vec<LeafSource>,
    /// Which pipeline files.
    pub pipeline: PipelineSource,
    /// What is mixed into the training files.
    pub recipes: DefaultRecipes,
    /// The folder of datasets: the run gets a folder in it, and the journal lies there.
    pub output_dir: PathBuf,
    /// When the run started.
    pub started: RunName,
    /// How many answers each row gets where the pipeline says `n: scaled`.
    pub scale_factor: u32,
    /// How freely the teacher writes; takes the place of what the pipeline says.
    pub temperature: Option<f32>,
    /// The longest answer in tokens; takes the place of what the pipeline says.
    pub max_tokens: Option<u32>,
    /// The longest chunk of a document in tokens, by `count_tokens`.
    pub chunk_tokens: usize,
    /// So many of the last tokens of a chunk are said again at the start of the next, where a section is cut.
    pub chunk_overlap_tokens: usize,
    /// The teacher's tokenizer, or [`ilab_documents::chunk::estimated_tokens`].
    pub count_tokens: Arc<TokenCounter>,
    /// At most this many requests wait for an answer at a time.
    pub max_in_flight: usize,
    /// Go on even when nearly all of the first answers are unusable.
    pub keeps_going: bool,
    /// Samples of a leaf that are more alike than this to an earlier one are left out: 0 for nothing in common, 1 for equal.
    pub max_similarity: Option<f64>,
    /// The same seed gives the same dataset.
    pub seed: u64,
    /// The system turn of training samples; none when empty.
    pub system_prompt: String,
    /// Tells teachers apart that have the same name, such as a hash of the model file.
    pub teacher_identity: Option<String>,
}

/// The time of a run as it appears in names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunName {
    /// Of the folder: `2026-11-23_091500`.
    pub directory: String,
    /// Of the files in it: `2026-11-23T09_15_00`.
    pub suffix: String,
}

/// What a run made.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// The files.
    pub files: RunFiles,
    /// What became of each leaf, in the order given.
    pub leaves: Vec<LeafSummary>,
    /// What was left out.
    #[serde(skip)]
    pub drops: Drops,
    /// Requests whose answers are in the journal now.
    pub n_requests: usize,
}

impl Summary {
    /// How many samples were made.
    pub fn n_samples(&self) -> usize {
        self.leaves.iter().map(|leaf| leaf.n_samples).sum()
    }
}

/// What became of a leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeafSummary {
    /// As the taxonomy names it: `knowledge->science->animals`.
    pub leaf_path: String,
    /// Rows that the pipeline started from.
    pub n_rows: usize,
    /// Answers that were asked for.
    pub n_answers: usize,
    /// Samples that were made.
    pub n_samples: usize,
    /// Samples that were left out.
    pub n_dropped: usize,
}

/// Generates a dataset and writes its files; must be called from a tokio runtime with timers.
///
/// Answers go to the journal the moment they arrive. The folder of the run appears whole at the end or not at all.
///
/// # Errors
/// See [`GenerateError`]. Whatever happens, answers so far are kept and the next run with the same options goes on there.
pub async fn generate(
    options: &GenerateOptions,
    completer: Arc<dyn Completer>,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Summary, GenerateError> {
    let prepared = Prepared::new(options, observer, cancel)?;
    let journal = Journal::open(&options.output_dir)?;
    let teacher = Teacher::new(options, completer, &journal, observer, cancel);
    let run = Run::new(&teacher, options);
    let mut parts = prepared.parts(usize::MAX);
    let n_parts = parts.len();
    let (examined, exam_parts) = prepared.exam_parts();
    parts.extend(exam_parts);
    let produced = scheduler::flow(&run, parts, Limits::of(options), observer).await;
    teacher.keep_speed()?;
    let mut produced = produced?;
    let exams = examined.into_iter().zip(produced.split_off(n_parts));
    observer.event(Event::Writing);
    let Prepared {
        pipelines,
        leaves,
        precomputed,
    } = prepared;
    let mut finished = finish(&leaves, produced, options.max_similarity);
    for (position, produced) in exams {
        finished[position].examine(&leaves[position], produced);
    }
    let results = leaves.into_iter().zip(finished);
    summarise(options, (&pipelines, &precomputed), &teacher, results)
}

/// What a leaf has at the end of its pipelines.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) questions: Vec<Generated>,
    pub(crate) drops: Drops,
    pub(crate) exam: Vec<ExamQuestion>,
    /// Answers that were asked for.
    pub(crate) n_answers: usize,
}

impl Finished {
    /// Adds the exam about the documents of the leaf.
    fn examine(&mut self, leaf: &Leaf, produced: Produced) {
        self.drops.0.extend(produced.drops.0);
        self.n_answers += produced.n_answers;
        let mut dropped = Dropped {
            leaf: &leaf.name,
            block: question::CHECKS,
            drops: &mut self.drops,
        };
        let rows = produced.rows.into_iter().map(|judged| judged.row);
        self.exam = dataset::exam(rows.collect(), &mut dropped);
    }
}

/// Turns what came out of the pipelines into questions, leaf by leaf.
pub(crate) fn finish(
    leaves: &[Leaf],
    produced: Vec<Produced>,
    max_similarity: Option<f64>,
) -> Vec<Finished> {
    let mut produced = produced.into_iter();
    let finish = |leaf: &Leaf| {
        let mut drops = Drops::default();
        let mut rows = Vec::new();
        let mut n_answers = 0;
        for part in produced.by_ref().take(leaf.rows.len()) {
            drops.0.extend(part.drops.0);
            rows.extend(part.rows);
            n_answers += part.n_answers;
        }
        let mut dropped = Dropped {
            leaf: &leaf.name,
            block: question::CHECKS,
            drops: &mut drops,
        };
        let mut questions = question::questions(rows, &leaf.seeds, &mut dropped);
        if let Some(max_similarity) = max_similarity {
            near_duplicates::leave_out(&mut questions, max_similarity, &mut dropped);
        }
        Finished {
            questions,
            drops,
            exam: Vec::new(),
            n_answers,
        }
    };
    leaves.iter().map(finish).collect()
}

fn summarise(
    options: &GenerateOptions,
    (pipelines, precomputed): (&Pipelines, &PrecomputedData),
    teacher: &Teacher<'_>,
    finished: impl Iterator<Item = (Leaf, Finished)>,
) -> Result<Summary, GenerateError> {
    let mut drops = Drops::default();
    let mut leaves = Vec::new();
    let mut results = Vec::new();
    for (leaf, finished) in finished {
        leaves.push(LeafSummary {
            leaf_path: leaf.leaf_path.clone(),
            n_rows: leaf.n_rows(),
            n_answers: finished.n_answers,
            n_samples: finished.questions.len(),
            n_dropped: finished.drops.n_samples(),
        });
        drops.0.extend(finished.drops.0);
        results.push(LeafResult {
            leaf,
            questions: finished.questions,
            exam: finished.exam,
        });
    }
    teacher.keep_drops(&options.started.directory, &drops)?;
    if leaves.iter().all(|leaf| leaf.n_samples == 0) {
        return Err(GenerateError::NothingKept { drops });
    }
    let contents = Contents {
        leaves: &results,
        drops: &drops,
        system_prompt: &options.system_prompt,
        auxiliary: &pipelines.of(RowKind::Knowledge).auxiliary,
        seed: options.seed,
        precomputed,
        suffix: &options.started.suffix,
        model: teacher.model_id(),
        pipeline: &options.pipeline.name(),
    };
    let staged = StagedDir::new(free_directory(options))?;
    let files = dataset::write(staged.path(), staged.destination(), &contents)?;
    staged.commit()?;
    Ok(Summary {
        files,
        leaves,
        drops,
        n_requests: teacher.n_kept(),
    })
}

/// The folder of the run; when another run of the same second has it, the next number.
fn free_directory(options: &GenerateOptions) -> PathBuf {
    let name = |number: usize| match number {
        1 => options.started.directory.clone(),
        _ => format!("{}_{number}", options.started.directory),
    };
    (1..)
        .map(|number| options.output_dir.join(name(number)))
        .find(|path| !path.exists())
        .unwrap_or_else(|| options.output_dir.join(name(1)))
}
