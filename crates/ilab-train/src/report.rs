//! A training as one page that needs no other file: what was learned, the curves, the settings, the data, answers before and
//! after, the checkpoints.
//!
//! Everything on the page comes from one plain value, [`Report`]; every text in it is escaped.

mod axis;
mod chart;
mod headline;
mod page;

use crate::diagnosis::ExamOutcome;
use crate::metrics::History;

pub use page::page;

/// Everything that the page shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What was trained, such as the name of the model's folder.
    pub model: String,
    /// What it was trained on, such as the path of the training file.
    pub data_file: String,
    /// When it ended, as it is shown.
    pub finished_at: String,
    /// How long it took.
    pub seconds: f64,
    /// Names and values, in their order.
    pub settings: Vec<(String, String)>,
    /// The record of the run.
    pub history: History,
    /// What became of the data.
    pub data: DataAccount,
    /// Answers before and after; `None` where no questions were asked.
    pub exam: Option<Exam>,
    /// What was saved, in the order of the steps.
    pub checkpoints: Vec<SavedCheckpoint>,
}

/// What became of the data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataAccount {
    /// Lengths of the samples that are learned, in tokens.
    pub lengths: Vec<usize>,
    /// Tokens among them that the model learns to write.
    pub n_learned_tokens: usize,
    /// Samples that are held out for the validation.
    pub n_validation_samples: usize,
    /// Samples that were left out, by reason.
    pub left_out: Vec<(String, usize)>,
}

/// Questions with the answers of the model that the training began with and of the trained one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Exam {
    /// The questions, in their order.
    pub answers: Vec<ComparedAnswer>,
}

/// A question with both answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ComparedAnswer {
    /// What was asked.
    pub question: String,
    /// What a right answer says.
    pub expected: String,
    /// The answer before.
    pub before: JudgedAnswer,
    /// The answer after.
    pub after: JudgedAnswer,
}

/// An answer, and whether it is right.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JudgedAnswer {
    /// The text.
    pub text: String,
    /// Whether it says what was expected.
    pub is_right: bool,
}

/// A saved model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedCheckpoint {
    /// Where it is, as it is shown.
    pub path: String,
    /// Steps taken before.
    pub step: u64,
    /// Bytes of all its files.
    pub n_bytes: u64,
}

impl Exam {
    /// The number of right answers before and after.
    pub fn outcome(&self) -> ExamOutcome {
        let count = |is_counted: fn(&ComparedAnswer) -> bool| {
            self.answers
                .iter()
                .filter(|answer| is_counted(answer))
                .count()
        };
        ExamOutcome {
            n_questions: self.answers.len(),
            n_right_before: count(|answer| answer.before.is_right),
            n_right_after: count(|answer| answer.after.is_right),
            n_empty_after: count(|answer| answer.after.text.trim().is_empty()),
        }
    }
}
