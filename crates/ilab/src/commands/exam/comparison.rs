//! The answers of two exams side by side.

use ilab_train::report::{ComparedAnswer, Exam, JudgedAnswer};
use serde::Serialize;

use super::answer::Answer;
use super::expected::Expected;
use super::question::Question;

/// A held-out question with both answers.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Comparison {
    pub(crate) question: String,
    pub(crate) expect: Expected,
    pub(crate) before: Answer,
    pub(crate) after: Answer,
}

/// The answers of both exams side by side.
pub(crate) fn compare(
    questions: Vec<Question>,
    before: Vec<Answer>,
    after: Vec<Answer>,
) -> Vec<Comparison> {
    let answers = before.into_iter().zip(after);
    let compared = questions.into_iter().zip(answers);
    compared
        .map(|(question, (before, after))| Comparison {
            question: question.question,
            expect: question.expected,
            before,
            after,
        })
        .collect()
}

/// The same for the page about a training, which counts them too.
pub(crate) fn in_report(comparisons: &[Comparison]) -> Exam {
    let judged = |answer: &Answer| JudgedAnswer {
        text: answer.text.clone(),
        is_right: answer.is_right,
    };
    let answers = comparisons.iter().map(|comparison| ComparedAnswer {
        question: comparison.question.clone(),
        expected: comparison.expect.shown(),
        before: judged(&comparison.before),
        after: judged(&comparison.after),
    });
    Exam {
        answers: answers.collect(),
    }
}

/// The share of right answers, before or after.
pub(crate) fn accuracy(comparisons: &[Comparison], of: fn(&Comparison) -> &Answer) -> f64 {
    n_right(comparisons, of) as f64 / comparisons.len().max(1) as f64
}

/// The number of right answers, before or after.
pub(crate) fn n_right(comparisons: &[Comparison], of: fn(&Comparison) -> &Answer) -> usize {
    let right = comparisons
        .iter()
        .filter(|comparison| of(comparison).is_right);
    right.count()
}

/// "7 of 28 (25 %)".
pub(crate) fn score(answers: &[Answer]) -> String {
    let right = answers.iter().filter(|answer| answer.is_right);
    share(right.count(), answers.len())
}

/// "7 of 28 (25 %)".
pub(crate) fn share(n_right: usize, n: usize) -> String {
    let percent = 100.0 * n_right as f64 / n.max(1) as f64;
    format!("{n_right} of {n} ({percent:.0} %)")
}
