//! The page itself.

use ilab_base::hint::Hint;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::axis::{grouped, shown};
use super::chart::{self, Base, Chart, Series, curves, smoothed};
use super::headline::headline;
use super::{ComparedAnswer, Report};
use crate::diagnosis::diagnose;
use crate::metrics::{History, StepMetrics};

/// The page without its content.
const TEMPLATE: &str = include_str!("page.html");
/// Answers that are open to be read at once; all others follow behind a line that opens them.
const N_FIRST_ANSWERS: usize = 6;

/// What the page is filled with.
#[derive(Debug, Serialize)]
struct Page<'report> {
    model: &'report str,
    data_file: &'report str,
    finished_at: &'report str,
    mood: &'static str,
    verdict: String,
    basis: String,
    diagnoses: Vec<(String, Vec<String>)>,
    facts: Vec<(&'static str, String)>,
    charts: Vec<Chart>,
    epochs: Vec<EpochLine>,
    first_answers: Vec<AnswerLine<'report>>,
    other_answers: Vec<AnswerLine<'report>>,
    account: Vec<(String, String)>,
    lengths: Option<String>,
    settings: &'report [(String, String)],
    checkpoints: Vec<(String, String, String)>,
}

/// The curves in numbers.
#[derive(Debug, Serialize)]
struct EpochLine {
    epoch: usize,
    step: String,
    loss: String,
    validation: String,
    lr: String,
    tokens_per_second: String,
}

#[derive(Debug, Serialize)]
struct AnswerLine<'report> {
    question: &'report str,
    expected: &'report str,
    before: &'report str,
    is_right_before: bool,
    after: &'report str,
    is_right_after: bool,
}

/// The page for a training.
pub fn page(report: &Report) -> String {
    let exam = report.exam.as_ref().map(super::Exam::outcome);
    let (mood, verdict, basis) = headline(&report.history, exam);
    let (first_answers, other_answers) = answers(report);
    let page = Page {
        model: &report.model,
        data_file: &report.data_file,
        finished_at: &report.finished_at,
        mood: mood.class(),
        verdict,
        basis,
        diagnoses: diagnose(&report.history, exam)
            .iter()
            .map(|diagnosis| (diagnosis.to_string(), diagnosis.hints()))
            .collect(),
        facts: facts(report),
        charts: charts(&report.history),
        epochs: epochs(&report.history),
        first_answers,
        other_answers,
        account: account(report),
        lengths: chart::histogram("Lengths of the samples", &report.data.lengths),
        settings: &report.settings,
        checkpoints: report
            .checkpoints
            .iter()
            .map(|saved| {
                (
                    saved.path.clone(),
                    grouped(saved.step as f64),
                    size(saved.n_bytes),
                )
            })
            .collect(),
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
        .render_str(TEMPLATE, Value::from(Serde(page)))
        .expect("the page and what it is filled with are ours")
}

fn charts(history: &History) -> Vec<Chart> {
    let of = |value: fn(&StepMetrics) -> f64| -> Vec<(u64, f64)> {
        let steps = history.steps.iter();
        steps.map(|step| (step.step, value(step))).collect()
    };
    let losses = of(|step| step.avg_loss);
    let validations = history.validations.iter();
    let held_out = validations.map(|validation| (validation.step, validation.val_loss));
    let one = |id, title, unit, points| {
        let name = title;
        curves(
            id,
            title,
            unit,
            Base::Zero,
            vec![Series::new(name, "smooth", points)],
        )
    };
    let charts = [
        curves(
            "loss",
            "Loss",
            "nats per learned token",
            base_of_losses(&losses),
            vec![
                Series::new("each step", "raw", losses.iter().copied()),
                Series::new("smoothed", "smooth", smoothed(&losses)),
                Series::new("held out", "held-out", held_out),
            ],
        ),
        one("lr", "Learning rate", "", of(|step| step.lr)),
        one(
            "gradnorm",
            "Gradient norm",
            "before clipping",
            of(|step| step.gradnorm),
        ),
        one(
            "speed",
            "Speed",
            "tokens per second",
            of(|step| step.tokens_per_second),
        ),
    ];
    charts.into_iter().flatten().collect()
}

/// A loss that hardly falls shows its course better from where it is.
fn base_of_losses(losses: &[(u64, f64)]) -> Base {
    let losses = losses.iter().map(|(_, loss)| *loss);
    let (low, high) = (
        losses.clone().fold(f64::INFINITY, f64::min),
        losses.fold(0.0, f64::max),
    );
    if low > 0.5 * high {
        Base::Lowest
    } else {
        Base::Zero
    }
}

/// The last step of each epoch, with the last validation that there was up to then.
fn epochs(history: &History) -> Vec<EpochLine> {
    let steps = &history.steps;
    let is_last = |index: usize| {
        steps
            .get(index + 1)
            .is_none_or(|next| next.epoch != steps[index].epoch)
    };
    let lines = steps
        .iter()
        .enumerate()
        .filter(|(index, _)| is_last(*index));
    lines
        .map(|(_, step)| {
            let of_epoch = steps.iter().filter(|other| other.epoch == step.epoch);
            let (mut loss, mut n_tokens) = (0.0, 0usize);
            for step in of_epoch {
                let n = step.num_loss_counted_tokens.max(1);
                loss += step.avg_loss * n as f64;
                n_tokens += n;
            }
            let held_out = history
                .validations
                .iter()
                .rfind(|row| row.epoch == step.epoch);
            EpochLine {
                epoch: step.epoch + 1,
                step: grouped(step.step as f64),
                loss: format!("{:.3}", loss / n_tokens.max(1) as f64),
                validation: held_out.map_or_else(String::new, |row| format!("{:.3}", row.val_loss)),
                lr: shown(step.lr),
                tokens_per_second: grouped(step.tokens_per_second.round()),
            }
        })
        .collect()
}

/// What was learned comes first, then what is wrong now, then the rest.
fn answers(report: &Report) -> (Vec<AnswerLine<'_>>, Vec<AnswerLine<'_>>) {
    let rank = |answer: &&ComparedAnswer| match (answer.before.is_right, answer.after.is_right) {
        (false, true) => 0,
        (_, false) => 1,
        (true, true) => 2,
    };
    let mut answers: Vec<&ComparedAnswer> =
        report.exam.iter().flat_map(|exam| &exam.answers).collect();
    answers.sort_by_key(rank);
    let (first, others) = answers.split_at(answers.len().min(N_FIRST_ANSWERS));
    (
        first.iter().map(AnswerLine::of).collect(),
        others.iter().map(AnswerLine::of).collect(),
    )
}

impl<'report> AnswerLine<'report> {
    fn of(answer: &&'report ComparedAnswer) -> Self {
        Self {
            question: &answer.question,
            expected: &answer.expected,
            before: &answer.before.text,
            is_right_before: answer.before.is_right,
            after: &answer.after.text,
            is_right_after: answer.after.is_right,
        }
    }
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let history = &report.history;
    let mut facts = Vec::new();
    if let Some(last) = history.steps.last() {
        facts.push(("steps", grouped(last.step as f64)));
        facts.push(("epochs", grouped((last.epoch + 1) as f64)));
        facts.push(("last loss", format!("{:.3}", last.avg_loss)));
    }
    if let Some(last) = history.validations.last() {
        facts.push(("held-out loss", format!("{:.3}", last.val_loss)));
    }
    let n_tokens: usize = history.steps.iter().map(|step| step.num_tokens_rank0).sum();
    // Each step tells its speed; together they give the time that was spent learning.
    let seconds: f64 = history
        .steps
        .iter()
        .filter(|step| step.tokens_per_second > 0.0)
        .map(|step| step.num_tokens_rank0 as f64 / step.tokens_per_second)
        .sum();
    if seconds > 0.0 {
        facts.push((
            "tokens per second",
            grouped((n_tokens as f64 / seconds).round()),
        ));
    }
    if report.seconds > 0.0 {
        facts.push(("time", duration(report.seconds)));
    }
    facts
}

fn account(report: &Report) -> Vec<(String, String)> {
    let data = &report.data;
    let count = |number: usize| grouped(number as f64);
    let n_tokens: usize = data.lengths.iter().sum();
    let mut account = vec![
        ("samples learned".to_owned(), count(data.lengths.len())),
        ("their tokens".to_owned(), count(n_tokens)),
        (
            "of these the model learns to write".to_owned(),
            count(data.n_learned_tokens),
        ),
    ];
    if data.n_validation_samples > 0 {
        account.push((
            "samples held out".to_owned(),
            count(data.n_validation_samples),
        ));
    }
    for (reason, n_samples) in &data.left_out {
        account.push((format!("left out: {reason}"), count(*n_samples)));
    }
    account
}

fn size(n_bytes: u64) -> String {
    let megabytes = n_bytes as f64 / 1e6;
    match megabytes {
        ..1000.0 => format!("{megabytes:.1} MB"),
        _ => format!("{:.1} GB", megabytes / 1000.0),
    }
}

fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds_left) = (whole / 3600, whole / 60 % 60, whole % 60);
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{minutes} min {seconds_left} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}
