//! `ilab model test`: the same questions to a model before and after its training.

mod models;
mod outcome;
mod test_file;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use ilab_base::cancel::Cancel;
use ilab_infer::{Batching, Engine};
use ilab_openai::completer::{CompletionError, Score, ScoreRequest, Scorer};
use ilab_train::diagnosis::diagnose;
use tokio::runtime::Runtime;

use self::outcome::{Examined, Outcome};
use crate::commands::exam::{self, Answer, Question};
use crate::commands::local_model;
use crate::commands::stop::cancel_on_signal;
use crate::error::{CommandError, CommandResult};
use crate::settings::{EngineSettings, Questions, TestSettings};
use crate::ui::Ui;

/// The longest answer that is waited for, as with the original.
const MAX_ANSWER_TOKENS: u32 = 100;

/// Asks both models and says what the training has changed.
pub(crate) fn run(settings: &TestSettings, ui: Ui) -> CommandResult {
    settings.notes.iter().for_each(|note| ui.warning(note));
    let cancel = Cancel::new();
    let runtime = cancel_on_signal(&cancel)?;
    let exam = Exam {
        settings: &settings.engine,
        runtime: &runtime,
        ui,
        cancel: &cancel,
    };
    match compare(settings, &exam) {
        Err(_) if cancel.is_cancelled() => Err(CommandError::interrupted(
            "`ilab model test` asks all questions again when it is run again",
        )),
        Err(error) => Err(error),
        Ok(outcome) if settings.is_json => {
            ui.data(outcome.to_json());
            Ok(())
        }
        Ok(outcome) => {
            ui.data(outcome.to_text());
            ui.status("ᕦ(òᴗóˇ)ᕤ Model test completed successfully! ᕦ(òᴗóˇ)ᕤ");
            Ok(())
        }
    }
}

fn compare(settings: &TestSettings, exam: &Exam<'_>) -> Result<Outcome, CommandError> {
    let ui = exam.ui;
    let (test_file, questions) = read_questions(&settings.questions, ui)?;
    let trained = models::trained(&settings.trained, ui)?;
    let record = models::record(&trained.file);
    let base = models::base(settings, record.as_ref(), exam.cancel, ui)?;
    let before = exam.hold("before", &base.file, &questions)?;
    let after = exam.hold("after", &trained.file, &questions)?;
    let (answers_before, loss_before) = before;
    let (answers_after, loss_after) = after;
    let comparisons = exam::compare(questions, answers_before, answers_after);
    let counts = exam::in_report(&comparisons).outcome();
    Ok(Outcome {
        test_file,
        before: Examined {
            model: base.name,
            n_right: counts.n_right_before,
            answer_loss: loss_before,
        },
        after: Examined {
            model: trained.name,
            n_right: counts.n_right_after,
            answer_loss: loss_after,
        },
        diagnoses: diagnose(&record.unwrap_or_default(), Some(counts)),
        counts,
        comparisons,
    })
}

fn read_questions(questions: &Questions, ui: Ui) -> Result<(PathBuf, Vec<Question>), CommandError> {
    let file = match questions {
        Questions::File(file) => file.clone(),
        Questions::NewestIn(folder) => test_file::newest(folder)?,
    };
    let read = test_file::read(&file)?;
    ui.status(format!("{} questions in `{}`", read.len(), file.display()));
    Ok((file, read))
}

/// What both exams are held with.
struct Exam<'run> {
    settings: &'run EngineSettings,
    runtime: &'run Runtime,
    ui: Ui,
    cancel: &'run Cancel,
}

impl Exam<'_> {
    /// Loads a model, asks all questions and frees it again: the answers, and the mean loss of the expected ones.
    fn hold(
        &self,
        name: &str,
        file: &Path,
        questions: &[Question],
    ) -> Result<(Vec<Answer>, Option<f64>), CommandError> {
        let n_sequences = local_model::n_sequences_that_fit(file, self.settings.n_context_tokens)?;
        // The same questions get the same answers, however many are asked.
        let engine = local_model::load(file, self.settings, n_sequences, Batching::Reproducible)?;
        let progress = self.ui.progress(name, questions.len() as u64, "answers");
        let progress = RefCell::new(progress);
        let told = |n_answered: usize| progress.borrow_mut().set(n_answered as u64, "answers");
        let work = async {
            let answers = exam::take(&engine, questions, MAX_ANSWER_TOKENS, &told).await?;
            Ok((answers, answer_loss(&engine, questions).await?))
        };
        let examined = self.runtime.block_on(async {
            tokio::select! {
                examined = work => examined,
                () = ilab_sdg::cancelled(self.cancel) => Err(CompletionError::Cancelled),
            }
        });
        progress.into_inner().finish();
        Ok(examined?)
    }
}

/// The mean loss of the tokens of the expected answers, in nats: how much they surprise the model. `None` where the
/// questions have texts to look for only.
async fn answer_loss(
    engine: &Engine,
    questions: &[Question],
) -> Result<Option<f64>, CompletionError> {
    let (mut sum, mut n_tokens) = (0.0, 0u32);
    for question in questions {
        let Some(expected) = question.expected.answer() else {
            continue;
        };
        let prompt = engine.chat_prompt(&question.messages())?;
        match answer_score(engine, &prompt, expected).await {
            Ok(score) => {
                sum += score.log_likelihood;
                n_tokens += score.n_tokens;
            }
            // An expected answer that is too long is no reason to give none of the results.
            Err(CompletionError::ContextOverflow { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((n_tokens > 0).then(|| -sum / f64::from(n_tokens)))
}

/// The score of an answer alone. Blanks at the end of a prompt count as part of what follows, and no model is taught to
/// write them, so their share is taken off again.
async fn answer_score(
    scorer: &dyn Scorer,
    prompt: &str,
    expected: &str,
) -> Result<Score, CompletionError> {
    let request = |context: &str, continuation: &str| ScoreRequest {
        context: context.to_owned(),
        continuation: continuation.to_owned(),
    };
    let mut score = scorer.log_likelihood(request(prompt, expected)).await?;
    let text = prompt.trim_end();
    let blanks = &prompt[text.len()..];
    if !blanks.is_empty() {
        let of_blanks = scorer.log_likelihood(request(text, blanks)).await?;
        score.log_likelihood -= of_blanks.log_likelihood;
        score.n_tokens = score.n_tokens.saturating_sub(of_blanks.n_tokens);
    }
    Ok(score)
}
