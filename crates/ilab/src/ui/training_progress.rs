//! The progress of a training: how the loss goes, how fast, and how long still.

use std::time::{Duration, Instant};

use ilab_train::metrics::{StepMetrics, ValidationMetrics};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::eprint_line;

/// Signs of rising height.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// How many of them show the course of the loss.
const N_SIGNS: usize = 12;
/// The rate is that of so many steps: an early one, which reads files and warms caches, is soon forgotten.
const N_RATE_STEPS: usize = 50;
/// Where the terminal cannot redraw, epochs that end faster than this are told together.
const LEAST_LINE_INTERVAL: Duration = Duration::from_secs(2);
/// And longer ones are told in between.
const MOST_LINE_INTERVAL: Duration = Duration::from_secs(60);

/// The bar is not redrawn more often.
const DRAW_INTERVAL: Duration = Duration::from_millis(100);

/// A training on the screen: a bar that is redrawn, and in a pipe a line an epoch.
pub(crate) struct TrainingProgress {
    bar: ProgressBar,
    is_drawn: bool,
    is_quiet: bool,
    /// When something was shown last.
    last_shown: Instant,
}

impl TrainingProgress {
    pub(super) fn new(n_steps: u64, is_drawn: bool, is_quiet: bool) -> Self {
        let target = if is_drawn {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(n_steps), target);
        // What does not fit into the line is cut off at its end.
        if let Ok(style) =
            ProgressStyle::with_template("{prefix} [{bar:20}] {pos}/{len} {wide_msg}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix("train");
        Self {
            bar,
            is_drawn,
            is_quiet,
            last_shown: Instant::now(),
        }
    }

    /// Shows where a training is: all its steps and validations so far.
    pub(crate) fn show(&mut self, steps: &[StepMetrics], validations: &[ValidationMetrics]) {
        let Some(last) = steps.last().filter(|_| !self.is_quiet) else {
            return;
        };
        let elapsed = self.last_shown.elapsed();
        let is_due = match (self.is_drawn, last.is_epoch_end) {
            (true, _) => elapsed >= DRAW_INTERVAL,
            (false, true) => elapsed >= LEAST_LINE_INTERVAL,
            (false, false) => elapsed >= MOST_LINE_INTERVAL,
        };
        if !is_due && last.step < last.num_steps {
            return;
        }
        self.last_shown = Instant::now();
        if self.is_drawn {
            self.bar.set_message(note(steps, validations));
            self.bar.set_position(last.step);
        } else {
            eprint_line(&line(steps, validations));
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// What stands beside the bar, the most important first: it may be cut off at its end.
fn note(steps: &[StepMetrics], validations: &[ValidationMetrics]) -> String {
    let Some(last) = steps.last() else {
        return String::new();
    };
    let losses: Vec<f64> = steps.iter().map(|step| step.avg_loss).collect();
    let mut note = format!("loss {:.3} {}", last.avg_loss, sparkline(&losses));
    if let Some(seconds) = seconds_left(steps) {
        note.push_str(&format!(" ETA {}", duration(seconds)));
    }
    note.push_str(&format!(", {}, {:.0} tokens/s", epoch(last), rate(steps)));
    if let Some(validation) = validations.last() {
        note.push_str(&format!(", held out {:.3}", validation.val_loss));
    }
    note.push_str(&format!(", lr {:.1e}", last.lr));
    note
}

/// The line of an epoch so far, with the mean loss of its learned tokens.
fn line(steps: &[StepMetrics], validations: &[ValidationMetrics]) -> String {
    let Some(last) = steps.last() else {
        return String::new();
    };
    let of_epoch = || steps.iter().filter(|step| step.epoch == last.epoch);
    let n_learned: usize = of_epoch().map(|step| step.num_loss_counted_tokens).sum();
    let loss: f64 = of_epoch()
        .map(|step| step.avg_loss * step.num_loss_counted_tokens as f64)
        .sum();
    let mut line = format!(
        "{}, step {}/{}: loss {:.3}",
        epoch(last),
        last.step,
        last.num_steps,
        loss / n_learned.max(1) as f64
    );
    if let Some(validation) = validations.iter().rfind(|row| row.epoch == last.epoch) {
        line.push_str(&format!(", held out {:.3}", validation.val_loss));
    }
    line.push_str(&format!(
        ", lr {:.1e}, {:.0} tokens/s",
        last.lr,
        rate(steps)
    ));
    if let Some(seconds) = seconds_left(steps).filter(|_| last.step < last.num_steps) {
        line.push_str(&format!(", ETA {}", duration(seconds)));
    }
    line
}

/// "epoch 3/20".
fn epoch(step: &StepMetrics) -> String {
    let n_epochs = step.num_steps.div_ceil(step.num_epoch_steps.max(1) as u64);
    format!(
        "epoch {}/{}",
        step.epoch + 1,
        n_epochs.max(step.epoch as u64 + 1)
    )
}

/// Tokens a second over the last steps.
fn rate(steps: &[StepMetrics]) -> f64 {
    let (n_tokens, seconds) = spent(steps);
    if seconds > 0.0 {
        n_tokens / seconds
    } else {
        0.0
    }
}

/// From the pace of the last steps; `None` while nothing is known about it.
fn seconds_left(steps: &[StepMetrics]) -> Option<f64> {
    let last = steps.last()?;
    let (_, seconds) = spent(steps);
    let per_step = seconds / steps.len().min(N_RATE_STEPS) as f64;
    (seconds > 0.0).then(|| per_step * last.num_steps.saturating_sub(last.step) as f64)
}

/// Tokens and seconds of the last steps.
fn spent(steps: &[StepMetrics]) -> (f64, f64) {
    let recent = steps.iter().rev().take(N_RATE_STEPS);
    recent.filter(|step| step.tokens_per_second > 0.0).fold(
        (0.0, 0.0),
        |(n_tokens, seconds), step| {
            let n_of_step = step.num_tokens_rank0 as f64;
            (
                n_tokens + n_of_step,
                seconds + n_of_step / step.tokens_per_second,
            )
        },
    )
}

/// The course of some values: the means of equal stretches, the lowest at the bottom and the highest at the top.
fn sparkline(values: &[f64]) -> String {
    let n_signs = values.len().min(N_SIGNS);
    let means: Vec<f64> = (0..n_signs)
        .map(|sign| {
            let stretch =
                &values[sign * values.len() / n_signs..(sign + 1) * values.len() / n_signs];
            stretch.iter().sum::<f64>() / stretch.len() as f64
        })
        .collect();
    let (low, high) = (
        means.iter().copied().fold(f64::INFINITY, f64::min),
        means.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    let sign = |mean: &f64| {
        let height = (mean - low) / (high - low) * (HEIGHTS.len() - 1) as f64;
        // Equal values have no height, and what is not a number none that could be shown.
        let index = if height.is_finite() {
            height.round() as usize
        } else {
            0
        };
        HEIGHTS[index.min(HEIGHTS.len() - 1)]
    };
    means.iter().map(sign).collect()
}

/// "42 s", "1 min 23 s", "2 h 5 min".
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first `n` of 60 steps in 5 epochs, each half a second.
    fn steps(n: u64) -> Vec<StepMetrics> {
        let step = |step: u64| StepMetrics {
            epoch: (step as usize - 1) / 12,
            step,
            tokens_per_second: 1_800.0,
            lr: 2e-5,
            num_loss_counted_tokens: 100,
            num_tokens_rank0: 900,
            avg_loss: 0.5 + 3.0 / step as f64,
            num_epoch_steps: 12,
            num_steps: 60,
            is_epoch_end: step.is_multiple_of(12),
            ..StepMetrics::default()
        };
        (1..=n).map(step).collect()
    }

    fn validation(epoch: usize, val_loss: f64) -> ValidationMetrics {
        ValidationMetrics {
            epoch,
            val_loss,
            ..ValidationMetrics::default()
        }
    }

    #[test]
    fn the_bar_tells_the_most_important_first() {
        let shown = [
            note(&[], &[]),
            note(&steps(1), &[]),
            note(&steps(30), &[validation(1, 0.9)]),
            note(&steps(60), &[validation(1, 0.9), validation(4, 0.8)]),
        ];
        insta::assert_snapshot!(shown.join("\n"), @"

        loss 3.500 ▁ ETA 30 s, epoch 1/5, 1800 tokens/s, lr 2.0e-5
        loss 0.600 █▃▂▂▂▁▁▁▁▁▁▁ ETA 15 s, epoch 3/5, 1800 tokens/s, held out 0.900, lr 2.0e-5
        loss 0.550 █▃▂▂▁▁▁▁▁▁▁▁ ETA 0 s, epoch 5/5, 1800 tokens/s, held out 0.800, lr 2.0e-5
        ");
    }

    #[test]
    fn a_pipe_gets_a_line_an_epoch() {
        let shown = [
            line(&[], &[]),
            line(&steps(12), &[]),
            line(&steps(24), &[validation(0, 1.5), validation(1, 0.9)]),
            line(&steps(60), &[validation(1, 0.9)]),
        ];
        insta::assert_snapshot!(shown.join("\n"), @"

        epoch 1/5, step 12/60: loss 1.276, lr 2.0e-5, 1800 tokens/s, ETA 24 s
        epoch 2/5, step 24/60: loss 0.668, held out 0.900, lr 2.0e-5, 1800 tokens/s, ETA 18 s
        epoch 5/5, step 60/60: loss 0.555, lr 2.0e-5, 1800 tokens/s
        ");
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let step = StepMetrics {
            step: 3,
            avg_loss: f64::NAN,
            ..StepMetrics::default()
        };
        insta::assert_snapshot!(note(std::slice::from_ref(&step), &[]), @"loss NaN ▁, epoch 1/1, 0 tokens/s, lr 0.0e0");
        insta::assert_snapshot!(line(&[step], &[]), @"epoch 1/1, step 3/0: loss NaN, lr 0.0e0, 0 tokens/s");
    }

    #[test]
    fn times_are_rounded_to_what_matters() {
        assert_eq!(
            [0.2, 59.4, 83.0, 7_500.0].map(duration),
            ["0 s", "59 s", "1 min 23 s", "2 h 5 min"]
        );
    }

    #[test]
    fn the_course_is_drawn_from_low_to_high() {
        assert_eq!(sparkline(&[]), "");
        assert_eq!(sparkline(&[2.0, 2.0]), "▁▁");
        assert_eq!(
            sparkline(&[8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]),
            "█▇▆▅▄▃▂▁"
        );
        let long: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(sparkline(&long).chars().count(), N_SIGNS);
        assert!(sparkline(&[1.0, f64::NAN, 3.0]).ends_with('█'));
    }
}
