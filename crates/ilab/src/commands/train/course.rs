//! Held-out samples: when they are measured, which measurement was the best, and when to stop.

use ilab_train::metrics::StepMetrics;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::ValidationSettings;

/// The course of the held-out loss.
#[derive(Debug)]
pub(super) struct Course {
    settings: Option<ValidationSettings>,
    notes: Notes,
}

/// What a run that goes on has to know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Notes {
    best: Option<Best>,
    n_since_best: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Best {
    step: u64,
    loss: f64,
}

impl Course {
    /// Goes on from earlier notes, or begins without.
    pub(super) fn new(settings: Option<ValidationSettings>, notes: &Value) -> Self {
        Self {
            settings,
            notes: serde_json::from_value(notes.clone()).unwrap_or_default(),
        }
    }

    pub(super) fn notes(&self) -> Value {
        serde_json::to_value(&self.notes).unwrap_or_default()
    }

    /// Whether the held-out samples are measured after a step.
    pub(super) fn is_due(&self, step: &StepMetrics) -> bool {
        let Some(settings) = self.settings else {
            return false;
        };
        let is_turn = match settings.n_steps {
            Some(n_steps) => step.step.is_multiple_of(n_steps),
            None => step.is_epoch_end,
        };
        is_turn || step.step == step.num_steps
    }

    /// Takes a measurement; tells whether it is the best so far.
    pub(super) fn measured(&mut self, step: u64, loss: f64) -> bool {
        let is_best = loss.is_finite() && self.notes.best.is_none_or(|best| loss < best.loss);
        if is_best {
            self.notes = Notes {
                best: Some(Best { step, loss }),
                n_since_best: 0,
            };
        } else {
            self.notes.n_since_best += 1;
        }
        is_best
    }

    /// Whether the loss has not fallen for as long as was allowed.
    pub(super) fn is_over(&self) -> bool {
        let patience = self.settings.and_then(|settings| settings.patience);
        patience.is_some_and(|patience| self.notes.n_since_best >= patience)
    }

    /// The step of the lowest held-out loss.
    pub(super) fn best_step(&self) -> Option<u64> {
        self.notes.best.map(|best| best.step)
    }

    /// What came of it, in a line.
    pub(super) fn told(&self) -> Option<String> {
        let best = self.notes.best?;
        let end = match self.is_over() {
            true => format!(
                "; stopped early, {} measurements brought none lower",
                self.notes.n_since_best
            ),
            false => String::new(),
        };
        Some(format!(
            "lowest held-out loss {:.3} after step {}{end}",
            best.loss, best.step
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(patience: Option<u32>, n_steps: Option<u64>) -> Course {
        let settings = ValidationSettings {
            share: 0.1,
            n_steps,
            patience,
        };
        Course::new(Some(settings), &Value::Null)
    }

    #[test]
    fn patience_counts_measurements_since_the_best() {
        let mut course = course(Some(2), None);
        let seen: Vec<(bool, bool)> = [f64::NAN, 0.8, 0.9, 0.7, 0.7, f64::NAN]
            .into_iter()
            .zip(1..)
            .map(|(loss, step)| (course.measured(step, loss), course.is_over()))
            .collect();
        let expected = [
            (false, false),
            (true, false),
            (false, false),
            (true, false),
            (false, false),
            (false, true),
        ];
        assert_eq!(seen, expected);
        assert_eq!(course.best_step(), Some(4));
        let again = Course::new(course.settings, &course.notes());
        assert_eq!(again.notes, course.notes);
    }

    #[test]
    fn measures_at_its_turn_and_at_the_end() {
        let step = |step, is_epoch_end| StepMetrics {
            step,
            num_steps: 10,
            is_epoch_end,
            ..StepMetrics::default()
        };
        let due = |course: &Course| -> Vec<u64> {
            let steps = (1..=10).filter(|n| course.is_due(&step(*n, n % 5 == 0)));
            steps.collect()
        };
        assert_eq!(due(&course(None, None)), [5, 10]);
        assert_eq!(due(&course(None, Some(4))), [4, 8, 10]);
        assert_eq!(due(&Course::new(None, &Value::Null)), [0u64; 0]);
    }
}
