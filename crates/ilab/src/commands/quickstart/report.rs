//! What a run came to: for people a summary, for programs one JSON object.

use serde::Serialize;

use crate::commands::exam::{Answer, Comparison, n_right, share};
use crate::commands::quickstart::stages::Stage;

/// How many of the questions the summary shows.
const N_SHOWN_QUESTIONS: usize = 5;

/// The result of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Share of right answers before the training.
    pub(super) accuracy_before: f64,
    /// Share of right answers after it.
    pub(super) accuracy_after: f64,
    /// How many questions were asked each time.
    pub(super) n_questions: usize,
    /// Samples that were trained on.
    pub(super) n_training_samples: usize,
    /// Those among them that stand in the taxonomy; the others were generated.
    pub(super) n_examples: usize,
    /// Generated samples that were left out because they ask a held-out question.
    pub(super) n_withheld_samples: usize,
    /// Of the whole run.
    pub(super) seconds: f64,
    pub(super) stages: Vec<Stage>,
    /// What was asked over HTTP.
    pub(super) question: String,
    /// And answered.
    pub(super) answer: String,
    /// What the run made; without `--keep` it is gone. Text, because not every path is UTF-8.
    pub(super) files: Vec<String>,
}

/// A question to show: the first that was learned, else the first that is right, else the first of all.
pub(super) fn best(comparisons: &[Comparison]) -> &str {
    let is_right = |comparison: &&Comparison| comparison.after.is_right;
    let best = shown(comparisons).next().filter(is_right);
    let best = best.or_else(|| comparisons.iter().find(is_right));
    let best = best.or_else(|| comparisons.first());
    best.map_or("", |comparison| &comparison.question)
}

/// One JSON object a line.
pub(super) fn json_lines(comparisons: &[Comparison]) -> Vec<u8> {
    let lines = comparisons.iter().map(|comparison| json(comparison) + "\n");
    lines.collect::<String>().into_bytes()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers are JSON, with texts for keys")
}

impl Report {
    /// The object for programs.
    pub(super) fn to_json(&self) -> String {
        json(self)
    }
}

/// The summary for people.
pub(super) fn summary(report: &Report, comparisons: &[Comparison], is_kept: bool) -> String {
    let mut lines = vec!["stage          seconds".to_owned()];
    let row = |name: &str, seconds: f64| format!("{name:<14} {seconds:>7.1}");
    lines.extend(
        report
            .stages
            .iter()
            .map(|stage| row(stage.name, stage.seconds)),
    );
    lines.push(row("total", report.seconds));
    lines.push(String::new());
    lines.push("closed-book answers, question by question".to_owned());
    for comparison in shown(comparisons) {
        lines.push(format!("  {}", comparison.question));
        lines.push(format!("    before  {}", judged(&comparison.before)));
        lines.push(format!("    after   {}", judged(&comparison.after)));
    }
    let right = |of| share(n_right(comparisons, of), comparisons.len());
    lines.push(String::new());
    lines.push(format!(
        "trained on   {} generated samples and {} examples of the taxonomy",
        report.n_training_samples.saturating_sub(report.n_examples),
        report.n_examples
    ));
    lines.push(format!(
        "right before {}",
        right(|comparison| &comparison.before)
    ));
    lines.push(format!(
        "right after  {}",
        right(|comparison| &comparison.after)
    ));
    lines.push(format!(
        "over HTTP    {} -> {}",
        report.question, report.answer
    ));
    lines.push(String::new());
    lines.push(
        if is_kept {
            "files"
        } else {
            "files (in a temporary folder that is gone now; `--keep DIR` keeps them)"
        }
        .to_owned(),
    );
    lines.extend(report.files.iter().map(|file| format!("  {file}")));
    lines.join("\n")
}

/// The first questions that were learned, then the first others.
fn shown(comparisons: &[Comparison]) -> impl Iterator<Item = &Comparison> {
    let is_learned =
        |comparison: &&Comparison| comparison.after.is_right && !comparison.before.is_right;
    let learned = comparisons.iter().filter(is_learned);
    let others = comparisons
        .iter()
        .filter(move |comparison| !is_learned(comparison));
    learned.chain(others).take(N_SHOWN_QUESTIONS)
}

fn judged(answer: &Answer) -> String {
    let mark = if answer.is_right { "right" } else { "wrong" };
    format!("{mark}  {}", answer.text.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::exam::{Question, compare};

    fn answer(text: &str, is_right: bool) -> Answer {
        Answer {
            text: text.to_owned(),
            is_right,
        }
    }

    fn report() -> Report {
        Report {
            accuracy_before: 0.0,
            accuracy_after: 0.5,
            n_questions: 2,
            n_training_samples: 300,
            n_examples: 20,
            n_withheld_samples: 1,
            seconds: 61.25,
            stages: vec![
                Stage {
                    name: "diff",
                    seconds: 0.01,
                },
                Stage {
                    name: "train",
                    seconds: 60.0,
                },
            ],
            question: "What does it eat?".to_owned(),
            answer: "Beetles.".to_owned(),
            files: vec!["training.jsonl".to_owned()],
        }
    }

    #[test]
    fn people_see_the_stages_some_answers_and_the_files() {
        let question = |question: &str| Question::alone(question, vec!["x".to_owned()]);
        let comparisons = compare(
            vec![
                question("Where does it live?"),
                question("What does it eat?"),
            ],
            vec![answer("In a\nhouse.", false), answer("Corn.", false)],
            vec![answer("In a tree.", false), answer("Beetles.", true)],
        );
        insta::assert_snapshot!(summary(&report(), &comparisons, false), @r"
        stage          seconds
        diff               0.0
        train             60.0
        total             61.2

        closed-book answers, question by question
          What does it eat?
            before  wrong  Corn.
            after   right  Beetles.
          Where does it live?
            before  wrong  In a house.
            after   wrong  In a tree.

        trained on   280 generated samples and 20 examples of the taxonomy
        right before 0 of 2 (0 %)
        right after  1 of 2 (50 %)
        over HTTP    What does it eat? -> Beetles.

        files (in a temporary folder that is gone now; `--keep DIR` keeps them)
          training.jsonl
        ");
    }

    #[test]
    fn programs_get_one_object() {
        let json = serde_json::to_string(&report()).unwrap();
        insta::assert_snapshot!(json, @r#"{"accuracy_before":0.0,"accuracy_after":0.5,"n_questions":2,"n_training_samples":300,"n_examples":20,"n_withheld_samples":1,"seconds":61.25,"stages":[{"name":"diff","seconds":0.01},{"name":"train","seconds":60.0}],"question":"What does it eat?","answer":"Beetles.","files":["training.jsonl"]}"#);
    }
}
