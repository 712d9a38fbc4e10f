//! Why a model has not learned what it was taught, as far as the record of the training and an exam show it.

use std::fmt;

use ilab_base::hint::Hint;

use crate::metrics::{History, StepMetrics, ValidationMetrics};

/// A fact has to be met in several wordings; generated data of one document has hundreds of samples.
const FEW_SAMPLES: usize = 50;
/// With fewer updates than this not even a high learning rate gets far.
const FEW_STEPS: usize = 20;
/// A loss that is above this share of another one is much the same.
const FLAT_LOSS: f64 = 0.9;
/// A held-out loss that is this much above its lowest has risen.
const RISEN_LOSS: f64 = 1.05;
/// Who answers this share has learned, or knew before.
const KNOWN_SHARE: f64 = 0.9;
/// A gain of fewer points is chance in an exam of a few dozen questions.
const LEAST_GAIN: f64 = 0.1;
/// So many empty answers are no accident.
const EMPTY_SHARE: f64 = 0.25;

/// How an exam went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExamOutcome {
    /// How many questions were asked each time.
    pub n_questions: usize,
    /// Right answers of the model that the training began with.
    pub n_right_before: usize,
    /// Right answers of the trained model.
    pub n_right_after: usize,
    /// Answers of the trained model without any text.
    pub n_empty_after: usize,
}

impl ExamOutcome {
    /// Share of right answers before the training, 0 to 1.
    pub fn share_before(&self) -> f64 {
        self.n_right_before as f64 / self.n_questions.max(1) as f64
    }

    /// Share of right answers after it, 0 to 1.
    pub fn share_after(&self) -> f64 {
        self.n_right_after as f64 / self.n_questions.max(1) as f64
    }

    /// Whether the difference is more than chance, or hardly anything was left to learn.
    pub fn has_learned(&self) -> bool {
        self.n_questions > 0
            && (self.share_after() - self.share_before() >= LEAST_GAIN
                || self.share_after() >= KNOWN_SHARE)
    }

    /// "learned 71 % (+58)": the share of right answers, and by how many points it has grown.
    pub fn verdict(&self) -> String {
        let percent = |share: f64| (100.0 * share).round() as i64;
        let (before, after) = (percent(self.share_before()), percent(self.share_after()));
        let change = after - before;
        match self.has_learned() {
            true => format!("learned {after} % ({change:+})"),
            false => format!("not learned: {after} % ({change:+})"),
        }
    }
}

/// Something that explains a result that is not what it should be. It reads as a sentence; what to do is its hint.
#[derive(Debug, Clone, PartialEq)]
pub enum Diagnosis {
    /// There was little to learn from.
    FewSamples {
        /// How many there were.
        n_samples: usize,
    },
    /// The weights were changed a few times only.
    FewSteps {
        /// How often.
        n_steps: usize,
    },
    /// The loss has hardly fallen.
    FlatLoss {
        /// At the beginning, in nats.
        first: f64,
        /// At the end.
        last: f64,
    },
    /// The loss was still falling when the training ended.
    FallingLoss {
        /// At the end, in nats.
        last: f64,
    },
    /// The training data was learned, and yet the questions are not answered.
    OtherQuestions {
        /// The loss at the beginning, in nats.
        first: f64,
        /// At the end.
        last: f64,
    },
    /// The held-out loss was lower before.
    Overfitted {
        /// The step with the lowest.
        best_step: u64,
        /// The lowest, in nats.
        best: f64,
        /// At the end.
        last: f64,
    },
    /// The trained model often says nothing.
    EmptyAnswers {
        /// How often.
        n_empty: usize,
        /// Of so many questions.
        n_questions: usize,
    },
    /// More was right before than after.
    Forgotten {
        /// Right answers before.
        n_right_before: usize,
        /// And after.
        n_right_after: usize,
    },
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewSamples { n_samples } => write!(
                formatter,
                "too few samples: {n_samples}; a fact has to be met in several wordings"
            ),
            Self::FewSteps { n_steps } => write!(
                formatter,
                "too few steps: the weights were changed {n_steps} times"
            ),
            Self::FlatLoss { first, last } => write!(
                formatter,
                "the loss is flat: {first:.2} at the beginning, {last:.2} at the end"
            ),
            Self::FallingLoss { last } => write!(
                formatter,
                "the loss was still falling when the training ended, at {last:.2}"
            ),
            Self::OtherQuestions { first, last } => write!(
                formatter,
                "the training data was learned (loss {first:.2} to {last:.2}), and it does not answer these questions"
            ),
            Self::Overfitted {
                best_step,
                best,
                last,
            } => write!(
                formatter,
                "the held-out loss was lowest after step {best_step}, at {best:.2}, and has risen to {last:.2} since"
            ),
            Self::EmptyAnswers {
                n_empty,
                n_questions,
            } => write!(formatter, "{n_empty} of {n_questions} answers are empty"),
            Self::Forgotten {
                n_right_before,
                n_right_after,
            } => write!(
                formatter,
                "something was forgotten: {n_right_before} answers were right before, {n_right_after} are right now"
            ),
        }
    }
}

impl Hint for Diagnosis {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::FewSamples { .. } => {
                "generate more with `ilab data generate --sdg-scale-factor`, or add documents and examples to the taxonomy"
            }
            Self::FewSteps { .. } => {
                "raise `--num-epochs`, or lower `--effective-batch-size` so that an epoch has more steps"
            }
            Self::FlatLoss { .. } => "raise `--learning-rate`, ten times to begin with",
            Self::FallingLoss { .. } => "raise `--num-epochs`",
            Self::OtherQuestions { .. } => {
                "look whether the training data holds the facts that are asked for: `ilab data generate` leaves a report of it"
            }
            Self::Overfitted { .. } => "lower `--num-epochs`, or use the checkpoint of that step",
            Self::EmptyAnswers { .. } => {
                "the chat template of the model may differ from that of its training: convert the checkpoint again"
            }
            Self::Forgotten { .. } => "lower `--learning-rate`",
        };
        vec![hint.to_owned()]
    }
}

/// What there is to say about a training and, where it was held, an exam; the most telling first, nothing where all is well.
pub fn diagnose(history: &History, exam: Option<ExamOutcome>) -> Vec<Diagnosis> {
    let mut diagnoses = Vec::new();
    let has_failed = exam.is_some_and(|exam| !exam.has_learned());
    if let Some(exam) = exam {
        diagnoses.extend(about_answers(exam));
    }
    if has_failed || exam.is_none() {
        diagnoses.extend(about_data(history));
        diagnoses.extend(about_loss(&history.steps, has_failed));
    }
    diagnoses.extend(about_validation(&history.validations));
    diagnoses
}

fn about_answers(exam: ExamOutcome) -> Vec<Diagnosis> {
    let mut diagnoses = Vec::new();
    if exam.n_empty_after as f64 > EMPTY_SHARE * exam.n_questions as f64 {
        diagnoses.push(Diagnosis::EmptyAnswers {
            n_empty: exam.n_empty_after,
            n_questions: exam.n_questions,
        });
    }
    if exam.n_right_after < exam.n_right_before {
        diagnoses.push(Diagnosis::Forgotten {
            n_right_before: exam.n_right_before,
            n_right_after: exam.n_right_after,
        });
    }
    diagnoses
}

fn about_data(history: &History) -> Vec<Diagnosis> {
    let mut diagnoses = Vec::new();
    let Some(last) = history.steps.last() else {
        return diagnoses;
    };
    if (1..FEW_SAMPLES).contains(&last.total_samples) {
        diagnoses.push(Diagnosis::FewSamples {
            n_samples: last.total_samples,
        });
    }
    if history.steps.len() < FEW_STEPS {
        diagnoses.push(Diagnosis::FewSteps {
            n_steps: history.steps.len(),
        });
    }
    diagnoses
}

fn about_loss(steps: &[StepMetrics], has_failed: bool) -> Option<Diagnosis> {
    // Less is noise.
    if steps.len() < 2 {
        return None;
    }
    let tenth = steps.len().div_ceil(10);
    let n = steps.len();
    let (first, last) = (mean_loss(&steps[..tenth]), mean_loss(&steps[n - tenth..]));
    let before_last = mean_loss(&steps[n.saturating_sub(3 * tenth)..n - tenth]);
    if last > FLAT_LOSS * first {
        Some(Diagnosis::FlatLoss { first, last })
    } else if last < FLAT_LOSS * before_last {
        Some(Diagnosis::FallingLoss { last })
    } else {
        has_failed.then_some(Diagnosis::OtherQuestions { first, last })
    }
}

fn about_validation(validations: &[ValidationMetrics]) -> Option<Diagnosis> {
    let last = validations.last()?.val_loss;
    let best = validations
        .iter()
        .min_by(|one, other| one.val_loss.total_cmp(&other.val_loss))?;
    (last > RISEN_LOSS * best.val_loss).then_some(Diagnosis::Overfitted {
        best_step: best.step,
        best: best.val_loss,
        last,
    })
}

fn mean_loss(steps: &[StepMetrics]) -> f64 {
    let sum: f64 = steps.iter().map(|step| step.avg_loss).sum();
    sum / steps.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(losses: impl IntoIterator<Item = f64>, n_samples: usize) -> History {
        let steps = losses
            .into_iter()
            .enumerate()
            .map(|(index, avg_loss)| StepMetrics {
                step: index as u64 + 1,
                avg_loss,
                total_samples: n_samples,
                ..StepMetrics::default()
            });
        History {
            steps: steps.collect(),
            ..History::default()
        }
    }

    fn exam(
        n_right_before: usize,
        n_right_after: usize,
        n_empty_after: usize,
    ) -> Option<ExamOutcome> {
        Some(ExamOutcome {
            n_questions: 28,
            n_right_before,
            n_right_after,
            n_empty_after,
        })
    }

    fn said(history: &History, exam: Option<ExamOutcome>) -> String {
        let lines = diagnose(history, exam)
            .iter()
            .map(|diagnosis| format!("{diagnosis}; {}", diagnosis.hints().join("; ")))
            .collect::<Vec<_>>();
        lines.join("\n")
    }

    /// Falls to 1 within the first half, then stays.
    fn fallen() -> impl Iterator<Item = f64> {
        (0..100).map(|step| (4.0 - f64::from(step) * 0.06).max(1.0))
    }

    #[test]
    fn what_was_learned_needs_no_diagnosis() {
        assert_eq!(said(&history(fallen(), 500), exam(1, 20, 0)), "");
        assert_eq!(said(&history([3.0, 3.0], 2), exam(1, 20, 0)), "");
        assert_eq!(said(&history(fallen(), 500), None), "");
        assert_eq!(said(&History::default(), None), "");
        assert_eq!(exam(1, 20, 0).unwrap().verdict(), "learned 71 % (+67)");
        assert_eq!(exam(27, 27, 0).unwrap().verdict(), "learned 96 % (+0)");
        assert_eq!(exam(4, 2, 0).unwrap().verdict(), "not learned: 7 % (-7)");
        let none = ExamOutcome {
            n_questions: 0,
            n_right_before: 0,
            n_right_after: 0,
            n_empty_after: 0,
        };
        assert_eq!(none.verdict(), "not learned: 0 % (+0)");
    }

    #[test]
    fn little_data_and_few_steps_are_told() {
        let shown = said(&history([3.0, 2.0, 1.5, 1.5, 1.5], 6), exam(0, 1, 0));
        assert!(shown.starts_with("too few samples: 6; "), "{shown}");
        assert!(
            shown.contains(
                "\ntoo few steps: the weights were changed 5 times; raise `--num-epochs`"
            ),
            "{shown}"
        );
    }

    #[test]
    fn the_course_of_the_loss_is_told() {
        let flat = (0..100).map(|step| 4.0 - f64::from(step) * 0.001);
        assert_eq!(
            said(&history(flat, 500), exam(0, 0, 0)),
            "the loss is flat: 4.00 at the beginning, 3.91 at the end; raise `--learning-rate`, ten times to begin with"
        );
        let falling = (0..100).map(|step| 4.0 - f64::from(step) * 0.03);
        assert!(
            said(&history(falling, 500), exam(0, 0, 0)).starts_with("the loss was still falling")
        );
        let shown = said(&history(fallen(), 500), exam(0, 1, 0));
        assert!(
            shown.starts_with("the training data was learned (loss 3.73 to 1.00), and"),
            "{shown}"
        );
    }

    #[test]
    fn empty_and_forgotten_answers_are_told() {
        let shown = said(&history(fallen(), 500), exam(10, 2, 20));
        assert!(shown.starts_with("20 of 28 answers are empty; "), "{shown}");
        assert!(shown.contains(
            "\nsomething was forgotten: 10 answers were right before, 2 are right now; "
        ));
    }

    #[test]
    fn a_held_out_loss_that_rises_is_told_even_when_all_else_is_well() {
        let mut history = history(fallen(), 500);
        for (step, val_loss) in [(20, 2.0), (40, 1.5), (60, 1.9)] {
            history.validations.push(ValidationMetrics {
                step,
                val_loss,
                ..ValidationMetrics::default()
            });
        }
        assert_eq!(
            said(&history, exam(0, 20, 0)),
            "the held-out loss was lowest after step 40, at 1.50, and has risen to 1.90 since; lower `--num-epochs`, or use \
             the checkpoint of that step"
        );
    }
}
