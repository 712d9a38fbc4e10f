//! The stages one after another.

use std::path::{Path, PathBuf};

use ilab_base::cancel::Cancel;
use ilab_convert::{OutputType, convert};
use ilab_infer::quantize::{QuantKind, quantize};
use ilab_infer::{Batching, Engine, EngineOptions};
use ilab_taxonomy::TaxonomyLeaf;
use tokio::runtime::Runtime;

use crate::commands::exam::{self, Answer, Comparison, Question};
use crate::commands::quickstart::folder::Folder;
use crate::commands::quickstart::report;
use crate::commands::quickstart::stages::Stages;
use crate::commands::quickstart::training_data::{self, Counts};
use crate::commands::quickstart::{generate, sample, serve, starter, train};
use crate::commands::train::Trained;
use crate::error::CommandError;
use crate::settings::{QuickstartSettings, Topic};
use crate::ui::Ui;

/// Tokens of a prompt with its answer.
const CONTEXT_TOKENS: u32 = 1024;
/// The longest answer that is waited for.
pub(super) const MAX_ANSWER_TOKENS: u32 = 64;
/// Sequences that are computed at once.
const PARALLEL_SEQUENCES: u32 = 16;

/// What the stages share.
#[derive(Clone, Copy)]
pub(super) struct Lesson<'run> {
    pub(super) folder: &'run Folder,
    pub(super) runtime: &'run Runtime,
    pub(super) ui: Ui,
    pub(super) cancel: &'run Cancel,
}

/// What a run made and measured.
pub(super) struct Taught {
    pub(super) counts: Counts,
    /// Samples that were short enough to be learned.
    pub(super) n_learned: usize,
    pub(super) comparisons: Vec<Comparison>,
    pub(super) question: String,
    pub(super) answer: String,
    pub(super) files: Vec<PathBuf>,
}

/// What is taught and asked, and the model before.
struct Prepared {
    taxonomy: PathBuf,
    questions_file: PathBuf,
    questions: Vec<Question>,
    /// A Hugging Face folder, and the same as GGUF.
    student: PathBuf,
    student_gguf: PathBuf,
}

/// The trained model for llama.cpp.
struct Converted {
    full: PathBuf,
    quantised: PathBuf,
}

impl Lesson<'_> {
    /// Gives the whole lesson.
    pub(super) fn give(
        self,
        settings: &QuickstartSettings,
        stages: &mut Stages,
    ) -> Result<Taught, CommandError> {
        let prepared = self.prepare(settings, stages)?;
        let leaves = self.diff(&prepared.taxonomy, stages)?;
        let teacher = load(&prepared.student_gguf)?;
        let (training_data, counts) = self.generate(leaves, &prepared, &teacher, stages)?;
        let before = self.examine("ask before", &teacher, &prepared.questions, stages)?;
        drop(teacher);
        let trained = self.train(&prepared.student, &training_data, stages)?;
        let converted = convert_both(&trained.checkpoint, stages)?;
        let engine = load(&converted.full)?;
        let after = self.examine("ask after", &engine, &prepared.questions, stages)?;
        let comparisons = exam::compare(prepared.questions, before, after);
        let question = report::best(&comparisons).to_owned();
        let answer = self.serve(&engine, &question, stages)?;
        let files = vec![
            prepared.taxonomy,
            prepared.questions_file,
            training_data,
            trained.metrics,
            trained.checkpoint,
            converted.full,
            converted.quantised,
        ];
        Ok(Taught {
            counts,
            n_learned: trained.n_samples,
            comparisons,
            question,
            answer,
            files,
        })
    }

    /// Lays out the topic and the student.
    fn prepare(
        self,
        settings: &QuickstartSettings,
        stages: &mut Stages,
    ) -> Result<Prepared, CommandError> {
        stages.run("prepare", "the topic, the questions and the model", || {
            let (taxonomy, questions_file) = match &settings.topic {
                Topic::Sample => {
                    let taxonomy = self.folder.join("taxonomy");
                    let questions = self.folder.join("questions.jsonl");
                    sample::write_taxonomy(&taxonomy)?;
                    sample::write_questions(&questions)?;
                    (taxonomy, questions)
                }
                Topic::Own {
                    taxonomy,
                    questions,
                } => (taxonomy.clone(), questions.clone()),
            };
            let questions = exam::read(&questions_file)?;
            let student = self.folder.join("student");
            starter::write(&student, settings.student.as_deref())?;
            let student_gguf = self.folder.join("student.gguf");
            let converted = convert(&student, &student_gguf, OutputType::F16, &mut |_| Ok(()))?;
            let outcome = format!(
                "{} questions, {:.1} million parameters",
                questions.len(),
                converted.n_parameters as f64 / 1e6
            );
            let prepared = Prepared {
                taxonomy,
                questions_file,
                questions,
                student,
                student_gguf,
            };
            Ok((prepared, outcome))
        })
    }

    /// Checks the taxonomy.
    fn diff(self, taxonomy: &Path, stages: &mut Stages) -> Result<Vec<TaxonomyLeaf>, CommandError> {
        stages.run("diff", "the taxonomy, checked", || {
            let checked = generate::read_taxonomy(taxonomy, self.ui)?;
            let leaves: Vec<_> = checked.leaves().cloned().collect();
            let outcome = format!("{} valid leaves", leaves.len());
            Ok((leaves, outcome))
        })
    }

    /// Has the student itself write questions and answers about the documents, and takes out what the exam asks.
    fn generate(
        self,
        leaves: Vec<TaxonomyLeaf>,
        prepared: &Prepared,
        teacher: &Engine,
        stages: &mut Stages,
    ) -> Result<(PathBuf, Counts), CommandError> {
        stages.run(
            "generate",
            "questions and answers from the taxonomy",
            || {
                let examples = training_data::examples(&leaves);
                let work = generate::run(leaves, self.folder, teacher, self.ui, self.cancel);
                let summary = self.runtime.block_on(work)?;
                let training_data = self.folder.join("training.jsonl");
                let counts = training_data::write(
                    &training_data,
                    &examples,
                    &summary.files.messages,
                    &prepared.questions,
                )?;
                let outcome = format!(
                    "{} samples beside {} examples; {} left out by the checks, {} because the exam asks them",
                    counts.n_samples - counts.n_examples,
                    counts.n_examples,
                    summary.drops.n_samples(),
                    counts.n_withheld
                );
                Ok(((training_data, counts), outcome))
            },
        )
    }

    fn examine(
        self,
        name: &'static str,
        engine: &Engine,
        questions: &[Question],
        stages: &mut Stages,
    ) -> Result<Vec<Answer>, CommandError> {
        let what = format!(
            "{} held-out questions, without the documents",
            questions.len()
        );
        stages.run(name, &what, || {
            let work = exam::take(engine, questions, MAX_ANSWER_TOKENS, &|_| {});
            let answers = self.runtime.block_on(work)?;
            let outcome = format!("{} right", exam::score(&answers));
            Ok((answers, outcome))
        })
    }

    fn train(
        self,
        student: &Path,
        training_data: &Path,
        stages: &mut Stages,
    ) -> Result<Trained, CommandError> {
        stages.run("train", "the model on what was generated", || {
            let trained = train::run(student, training_data, self.folder, self.ui, self.cancel)?;
            let outcome = format!("{} steps, last loss {:.3}", trained.n_steps, trained.loss);
            Ok((trained, outcome))
        })
    }

    fn serve(
        self,
        engine: &Engine,
        question: &str,
        stages: &mut Stages,
    ) -> Result<String, CommandError> {
        stages.run(
            "serve",
            "the trained model, and one question over HTTP",
            || {
                let served = self.runtime.block_on(serve::ask(engine, question))?;
                let outcome = format!("{} answered", served.url);
                Ok((served.answer, outcome))
            },
        )
    }
}

/// Writes both GGUF files into the checkpoint.
fn convert_both(checkpoint: &Path, stages: &mut Stages) -> Result<Converted, CommandError> {
    stages.run(
        "convert",
        "the trained model to GGUF, whole and quantised",
        || {
            let full = checkpoint.join("pytorch_model.gguf");
            let quantised = checkpoint.join("pytorch_model-Q4_K_M.gguf");
            convert(checkpoint, &full, OutputType::F16, &mut |_| Ok(()))?;
            quantize(&full, &quantised, QuantKind::Q4KM, 0)?;
            let bytes = |path: &Path| path.metadata().map_or(0, |metadata| metadata.len());
            let outcome = format!(
                "{:.1} MB and {:.1} MB",
                bytes(&full) as f64 / 1e6,
                bytes(&quantised) as f64 / 1e6
            );
            Ok((Converted { full, quantised }, outcome))
        },
    )
}

fn load(gguf: &Path) -> Result<Engine, CommandError> {
    Ok(Engine::load(EngineOptions {
        n_context_tokens: CONTEXT_TOKENS,
        n_parallel_sequences: PARALLEL_SEQUENCES,
        batching: Batching::Reproducible,
        ..EngineOptions::new(gguf)
    })?)
}
