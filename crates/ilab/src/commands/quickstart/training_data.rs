//! What is trained on: the examples of the taxonomy and what was generated from them. Whatever will be asked in the exam is
//! taken out.

use std::path::{Path, PathBuf};

use ilab_base::atomic;
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, read_to_string};
use ilab_taxonomy::{LeafKind, TaxonomyLeaf};
use serde::Deserialize;
use serde_json::json;

use crate::commands::exam::{Question, words};

/// The part of a generated sample that matters here.
#[derive(Deserialize)]
struct Sample {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    content: String,
}

/// Generated samples cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrainingDataError {
    #[error(transparent)]
    Io(#[from] IoError),
    /// A line is not a sample.
    #[error("`{}` line {line} is not a sample", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        #[source]
        source: serde_json::Error,
    },
}

impl Hint for TrainingDataError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::Line { .. } => Vec::new(),
        }
    }
}

/// How many samples there are to train on, how many of these the taxonomy brings itself, and how many were taken out because
/// the exam asks them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) n_samples: usize,
    pub(super) n_examples: usize,
    pub(super) n_withheld: usize,
}

/// The examples of the leaves, one JSON object a line.
pub(super) fn examples(leaves: &[TaxonomyLeaf]) -> String {
    let pairs = leaves.iter().flat_map(|leaf| match &leaf.kind {
        LeafKind::Knowledge(knowledge) => {
            let examples = knowledge.seed_examples.iter();
            let pairs = examples.flat_map(|example| &example.questions_and_answers);
            pairs
                .map(|pair| (pair.question.clone(), &pair.answer))
                .collect::<Vec<_>>()
        }
        LeafKind::Skill(skill) => {
            let examples = skill.seed_examples.iter();
            examples
                .map(|example| {
                    let context = example.context.iter().map(|context| format!("\n{context}"));
                    let question = example.question.clone() + &context.collect::<String>();
                    (question, &example.answer)
                })
                .collect()
        }
    });
    pairs
        .map(|(question, answer)| {
            let sample = json!({"messages": [
                {"role": "user", "content": question.trim()},
                {"role": "assistant", "content": answer.trim()},
            ]});
            format!("{sample}\n")
        })
        .collect()
}

/// Writes the samples of `examples` and of the file `generated` to `destination` but those that ask a held-out question.
pub(super) fn write(
    destination: &Path,
    examples: &str,
    generated: &Path,
    held_out: &[Question],
) -> Result<Counts, TrainingDataError> {
    let held_out: Vec<String> = held_out
        .iter()
        .map(|question| spaced(&question.question))
        .collect();
    let mut kept = Kept::default();
    kept.add(examples, Path::new("the examples"), &held_out)?;
    kept.counts.n_examples = kept.counts.n_samples;
    kept.add(&read_to_string(generated)?, generated, &held_out)?;
    atomic::write(destination, kept.lines.as_bytes())?;
    Ok(kept.counts)
}

/// The lines that stay.
#[derive(Debug, Default)]
struct Kept {
    lines: String,
    counts: Counts,
}

impl Kept {
    fn add(
        &mut self,
        lines: &str,
        path: &Path,
        held_out: &[String],
    ) -> Result<(), TrainingDataError> {
        for (line_idx, line) in lines.lines().enumerate() {
            let sample: Sample =
                serde_json::from_str(line).map_err(|source| TrainingDataError::Line {
                    path: path.to_owned(),
                    line: line_idx + 1,
                    source,
                })?;
            let mut asked = sample
                .messages
                .iter()
                .filter(|message| message.role == "user");
            if asked.any(|message| asks_any(&message.content, held_out)) {
                self.counts.n_withheld += 1;
            } else {
                self.counts.n_samples += 1;
                self.lines.push_str(line);
                self.lines.push('\n');
            }
        }
        Ok(())
    }
}

/// Whether a turn has one of the questions in it: a text may stand before or after it.
fn asks_any(turn: &str, questions: &[String]) -> bool {
    let turn = spaced(turn);
    questions.iter().any(|question| turn.contains(question))
}

/// The words with a blank at both ends, so that no word is found inside another.
fn spaced(text: &str) -> String {
    format!(" {} ", words(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_every_leaf_are_samples() {
        let folder = tempfile::tempdir().unwrap();
        let skill = "version: 2\ncreated_by: me\ntask_description: sort\nseed_examples:\n"
            .to_owned()
            + "- question: Which is first?\n  context: b, a\n  answer: a\n"
            + &(1..=4)
                .map(|n| format!("- question: Q{n}?\n  context: c{n}\n  answer: A{n}\n"))
                .collect::<String>();
        let path = folder.path().join("compositional_skills/sort/qna.yaml");
        atomic::write(path, skill.as_bytes()).unwrap();
        let selection = ilab_taxonomy::Selection::new(folder.path(), "empty");
        let taxonomy = ilab_taxonomy::read(&selection).unwrap();
        let leaves: Vec<_> = taxonomy.leaves().cloned().collect();
        let lines = examples(&leaves);
        assert_eq!(lines.lines().count(), 5, "{lines}");
        let sample: Sample = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        let said: Vec<_> = sample
            .messages
            .iter()
            .map(|message| &message.content)
            .collect();
        assert_eq!(said, ["Which is first?\nb, a", "a"]);
    }

    #[test]
    fn what_the_exam_asks_is_not_trained_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let sample = |question: &str| {
            format!(
                r#"{{"messages": [{{"role": "user", "content": "{question}"}}, {{"role": "assistant", "content": "x"}}], "metadata": "{{}}"}}"#
            )
        };
        let other = sample("Where does the mirrel live?");
        let text = format!(
            "{}\n{}\n{other}\n",
            sample("in which region can one find the  Mirrel"),
            sample("The mirrel is small. In which region can one find the mirrel? Answer.")
        );
        atomic::write(path("generated"), text.as_bytes()).unwrap();
        let held_out = [Question::alone(
            "In which region can one find the mirrel?",
            vec!["Orvany".to_owned()],
        )];
        let example = sample("What does it eat?");
        let counts = write(
            &path("training"),
            &format!("{example}\n"),
            &path("generated"),
            &held_out,
        )
        .unwrap();
        assert_eq!(
            counts,
            Counts {
                n_samples: 2,
                n_examples: 1,
                n_withheld: 2
            }
        );
        assert_eq!(
            read_to_string(path("training")).unwrap(),
            format!("{example}\n{other}\n")
        );

        atomic::write(path("generated"), b"{}\n").unwrap();
        let error = write(&path("training"), "", &path("generated"), &held_out).unwrap_err();
        assert!(
            error.to_string().ends_with("line 1 is not a sample"),
            "{error}"
        );
    }
}
