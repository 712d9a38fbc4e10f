//! What a test came to: for people the answers and a verdict, for programs one JSON object.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_train::diagnosis::{Diagnosis, ExamOutcome};
use serde_json::{Value, json};

use crate::commands::exam::{Answer, Comparison, share};

/// A model and how it did.
#[derive(Debug)]
pub(super) struct Examined {
    pub(super) model: PathBuf,
    pub(super) n_right: usize,
    /// Mean loss of the expected answers, in nats a token.
    pub(super) answer_loss: Option<f64>,
}

/// Everything that was found.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) test_file: PathBuf,
    pub(super) before: Examined,
    pub(super) after: Examined,
    pub(super) counts: ExamOutcome,
    pub(super) diagnoses: Vec<Diagnosis>,
    pub(super) comparisons: Vec<Comparison>,
}

impl Outcome {
    /// The object for programs.
    pub(super) fn to_json(&self) -> String {
        let examined = |examined: &Examined| {
            json!({
                "model": examined.model.display().to_string(),
                "n_right": examined.n_right,
                "accuracy": examined.n_right as f64 / self.comparisons.len().max(1) as f64,
                "answer_loss": examined.answer_loss,
            })
        };
        let diagnoses = self.diagnoses.iter().map(
            |diagnosis| json!({"diagnosis": diagnosis.to_string(), "hints": diagnosis.hints()}),
        );
        json!({
            "test_file": self.test_file.display().to_string(),
            "n_questions": self.comparisons.len(),
            "before": examined(&self.before),
            "after": examined(&self.after),
            "has_learned": self.counts.has_learned(),
            "verdict": self.counts.verdict(),
            "diagnoses": diagnoses.collect::<Vec<Value>>(),
            "answers": self.comparisons,
        })
        .to_string()
    }

    /// Questions and answers as Markdown, as the original shows them, then the verdict.
    pub(super) fn to_text(&self) -> String {
        let (before, after) = (&self.before.model, &self.after.model);
        let mut paragraphs = Vec::new();
        for comparison in &self.comparisons {
            paragraphs.push(format!("### {}", comparison.question));
            paragraphs.push(format!("expected: {}", comparison.expect.shown()));
            let answers = [(before, &comparison.before), (after, &comparison.after)];
            let answers =
                answers.map(|(model, answer)| format!("{}: {}", model.display(), judged(answer)));
            paragraphs.extend(answers);
        }
        let mut lines = vec![
            format!(
                "right before  {}",
                share(self.before.n_right, self.comparisons.len())
            ),
            format!(
                "right after   {}",
                share(self.after.n_right, self.comparisons.len())
            ),
        ];
        if let (Some(before), Some(after)) = (self.before.answer_loss, self.after.answer_loss) {
            lines.push(format!(
                "loss of the expected answers  {before:.2} before, {after:.2} after"
            ));
        }
        lines.push(self.counts.verdict());
        for diagnosis in &self.diagnoses {
            lines.push(format!("  {diagnosis}"));
            lines.extend(
                diagnosis
                    .hints()
                    .iter()
                    .map(|hint| format!("    hint: {hint}")),
            );
        }
        paragraphs.push(lines.join("\n"));
        paragraphs.join("\n\n")
    }
}

fn judged(answer: &Answer) -> String {
    let mark = if answer.is_right { "right" } else { "wrong" };
    match answer.text.as_str() {
        "" => format!("(empty) [{mark}]"),
        text => format!("{} [{mark}]", harmless(text)),
    }
}

/// A model may write what a terminal takes for commands.
fn harmless(text: &str) -> String {
    let shown = |letter: char| match letter {
        '\n' | '\t' => letter,
        _ if letter.is_control() => char::REPLACEMENT_CHARACTER,
        _ => letter,
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::exam::{Question, compare, in_report};

    fn outcome() -> Outcome {
        let answer = |text: &str, is_right| Answer {
            text: text.to_owned(),
            is_right,
        };
        let question = |question: &str| Question::alone(question, vec!["hills".to_owned()]);
        let comparisons = compare(
            vec![
                question("Where does it live?"),
                question("Where does it sleep?"),
            ],
            vec![answer("In a house.", false), answer("", false)],
            vec![
                answer("In the hills.", true),
                answer("In a \u{1b}[31mtree.", false),
            ],
        );
        let examined = |model: &str, n_right, answer_loss| Examined {
            model: PathBuf::from(model),
            n_right,
            answer_loss,
        };
        Outcome {
            test_file: PathBuf::from("test.jsonl"),
            before: examined("before.gguf", 0, Some(4.25)),
            after: examined("after.gguf", 1, Some(1.5)),
            counts: in_report(&comparisons).outcome(),
            diagnoses: vec![Diagnosis::FewSamples { n_samples: 3 }],
            comparisons,
        }
    }

    #[test]
    fn people_see_answers_side_by_side_and_a_verdict() {
        insta::assert_snapshot!(outcome().to_text(), @"
        ### Where does it live?

        expected: hills

        before.gguf: In a house. [wrong]

        after.gguf: In the hills. [right]

        ### Where does it sleep?

        expected: hills

        before.gguf: (empty) [wrong]

        after.gguf: In a �[31mtree. [wrong]

        right before  0 of 2 (0 %)
        right after   1 of 2 (50 %)
        loss of the expected answers  4.25 before, 1.50 after
        learned 50 % (+50)
          too few samples: 3; a fact has to be met in several wordings
            hint: generate more with `ilab data generate --sdg-scale-factor`, or add documents and examples to the taxonomy
        ");
    }

    #[test]
    fn programs_get_one_object() {
        insta::assert_snapshot!(outcome().to_json(), @r#"{"test_file":"test.jsonl","n_questions":2,"before":{"model":"before.gguf","n_right":0,"accuracy":0.0,"answer_loss":4.25},"after":{"model":"after.gguf","n_right":1,"accuracy":0.5,"answer_loss":1.5},"has_learned":true,"verdict":"learned 50 % (+50)","diagnoses":[{"diagnosis":"too few samples: 3; a fact has to be met in several wordings","hints":["generate more with `ilab data generate --sdg-scale-factor`, or add documents and examples to the taxonomy"]}],"answers":[{"question":"Where does it live?","expect":["hills"],"before":{"text":"In a house.","is_right":false},"after":{"text":"In the hills.","is_right":true}},{"question":"Where does it sleep?","expect":["hills"],"before":{"text":"","is_right":false},"after":{"text":"In a \u001b[31mtree.","is_right":false}}]}"#);
    }
}
