//! What is told before a whole run: a forecast, or a few samples.

use std::io::IsTerminal as _;
use std::sync::Arc;

use ilab_sdg::{Forecast, Preview, forecast, preview};
use serde_json::json;

use super::progress::{CheckProgress, GenerationProgress};
use super::{Session, failure, summary};
use crate::error::{CommandError, CommandResult};
use crate::settings::Prices;

/// Where nobody says whether a run goes on.
const HINT_KEPT: &str = "the same command without `--preview` goes on from these answers";
/// Characters of the text of a sample that are shown.
const CONTEXT_LENGTH: usize = 200;

impl Session<'_> {
    /// Tells how much a run would ask for, and asks nothing.
    pub(super) fn forecast(&self, prices: Prices) -> CommandResult {
        let model = self.teacher.completer.model_id();
        let progress = CheckProgress(self.ui);
        let counted = forecast(&self.options, model, &progress, &self.cancel);
        let forecast = self.runtime.block_on(counted).map_err(failure)?;
        if self.settings.is_json {
            self.ui.data(as_json(&forecast, prices).to_string());
        } else {
            lines(&forecast, prices)
                .iter()
                .for_each(|line| self.ui.data(line));
        }
        Ok(())
    }

    /// Shows a few finished samples; whether the run goes on.
    pub(super) fn preview(&self, n_samples: usize) -> Result<bool, CommandError> {
        let progress = GenerationProgress::new(self.ui);
        let completer = Arc::clone(&self.teacher.completer);
        let previewed = preview(&self.options, n_samples, completer, &progress, &self.cancel);
        let result = self.runtime.block_on(previewed);
        progress.finish();
        let preview = result.map_err(|error| self.told(error))?;
        if self.settings.is_json {
            let samples = json!({"samples": preview.samples, "n_rows": preview.n_rows, "n_rows_in_all": preview.n_rows_in_all});
            self.ui.data(samples.to_string());
            return Ok(false);
        }
        self.show(&preview);
        if std::io::stdin().is_terminal() {
            return self.ui.confirm("Generate from all rows?", true, HINT_KEPT);
        }
        let flags = match self.settings.is_fresh {
            true => "`--preview` and `--fresh`",
            false => "`--preview`",
        };
        self.ui.status(format!(
            "These answers are kept: the same command without {flags} goes on from here."
        ));
        Ok(false)
    }

    fn show(&self, preview: &Preview) {
        for (number, sample) in preview.samples.iter().enumerate() {
            self.ui
                .data(format!("{}. {}", number + 1, sample.leaf_path));
            if let Some(context) = &sample.context {
                let words: Vec<&str> = context.split_whitespace().collect();
                let text: String = words.join(" ").chars().take(CONTEXT_LENGTH).collect();
                self.ui.data(format!("   text      {text}"));
            }
            self.ui.data(format!("   question  {}", sample.question));
            self.ui.data(format!("   answer    {}", sample.answer));
        }
        summary::tell_drops(&preview.drops, self.ui);
        self.ui.status(format!(
            "{} samples from {} of {} rows",
            preview.samples.len(),
            preview.n_rows,
            preview.n_rows_in_all
        ));
    }
}

fn lines(forecast: &Forecast, prices: Prices) -> Vec<String> {
    let row = |name: &str, rows: &str, requests: &str, prompts: &str, answers: &str| {
        format!("{name:<40} {rows:>7} {requests:>9} {prompts:>14} {answers:>14}")
    };
    let mut lines = vec![row(
        "leaf",
        "rows",
        "requests",
        "prompt tokens",
        "answer tokens",
    )];
    let mut n_rows = 0;
    for leaf in &forecast.leaves {
        n_rows += leaf.n_rows;
        lines.push(row(
            &leaf.leaf_path,
            &grouped(leaf.n_rows as u64),
            &grouped(leaf.work.n_requests),
            &grouped(leaf.work.n_prompt_tokens),
            &grouped(leaf.work.n_answer_tokens),
        ));
    }
    let work = forecast.work();
    lines.push(row(
        "in all",
        &grouped(n_rows as u64),
        &grouped(work.n_requests),
        &grouped(work.n_prompt_tokens),
        &grouped(work.n_answer_tokens),
    ));
    lines.push(format!(
        "kept from before: {} requests",
        grouped(forecast.n_known_requests as u64)
    ));
    lines.push(match (forecast.seconds(), forecast.tokens_per_second) {
        (Some(seconds), Some(speed)) => format!(
            "time: about {}, at {speed:.0} answer tokens a second as in the last run",
            duration(seconds)
        ),
        _ => "time: unknown, as this teacher has not been asked anything yet; `--preview 5` measures it".to_owned(),
    });
    let cost = prices.cost(work).map(|cost| cost * forecast.open_share());
    lines.extend(cost.map(|cost| format!("cost: about {cost:.2}")));
    lines
}

fn as_json(forecast: &Forecast, prices: Prices) -> serde_json::Value {
    let work = forecast.work();
    json!({
        "leaves": forecast.leaves,
        "n_requests": work.n_requests,
        "n_prompt_tokens": work.n_prompt_tokens,
        "n_answer_tokens": work.n_answer_tokens,
        "n_known_requests": forecast.n_known_requests,
        "seconds": forecast.seconds(),
        "cost": prices.cost(work).map(|cost| cost * forecast.open_share()),
    })
}

fn duration(seconds: f64) -> String {
    match seconds.round() as u64 {
        seconds @ 0..=99 => format!("{seconds} seconds"),
        seconds @ 100..=5_999 => format!("{} minutes", seconds.div_ceil(60)),
        seconds => format!("{:.1} hours", seconds as f64 / 3_600.0),
    }
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        let numbers = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
        let times = [4.2, 150.0, 9_000.0].map(duration);
        assert_eq!(times, ["4 seconds", "3 minutes", "2.5 hours"]);
    }
}
