//! Generated rows to questions with answers, and the checks that every one must pass.

use std::collections::HashSet;

use crate::dataset::EXAM_COLUMNS;
use crate::drops::DropReason;
use crate::row::{self, Judged, Row};
use crate::run::Dropped;
use crate::samples::SeedQuestion;

/// Column with question and answer in one text, which the `simple` pipelines produce.
const OUTPUT: &str = "output";

/// What drop reports call the checks in this file.
pub(crate) const CHECKS: &str = "checks";

/// A generated question with its answer and the row that they come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Generated {
    pub(crate) question: String,
    pub(crate) answer: String,
    pub(crate) row: Row,
    /// What judges said.
    pub(crate) verdicts: Vec<(String, String)>,
}

/// The rows that hold a question with an answer, which is neither a seed example nor there before.
pub(crate) fn questions(
    rows: Vec<Judged>,
    seeds: &[SeedQuestion],
    dropped: &mut Dropped<'_>,
) -> Vec<Generated> {
    let seed_questions: HashSet<String> = seeds.iter().map(|seed| folded(&seed.question)).collect();
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for Judged { row, verdicts } in rows {
        match split(&row) {
            Err(reason) => dropped.add(reason, 1, row::text(&row, OUTPUT)),
            Ok((question, answer)) => {
                let key = folded(&question);
                if seed_questions.contains(&key) {
                    dropped.add(DropReason::SameAsSeed, 1, question);
                } else if !seen.insert((key, folded(&answer), context(&row))) {
                    dropped.add(DropReason::Duplicate, 1, format!("{question} {answer}"));
                } else {
                    kept.push(Generated {
                        question,
                        answer,
                        row,
                        verdicts,
                    });
                }
            }
        }
    }
    kept
}

/// Whether a row holds a question with an answer; if not, why not and what it holds.
pub(crate) fn form(row: &Row) -> Result<(), (DropReason, String)> {
    match split(row) {
        // It has another form, which is looked at later.
        _ if row.contains_key(EXAM_COLUMNS[0]) => Ok(()),
        Ok(_) => Ok(()),
        Err(reason) => Err((reason, row::text(row, OUTPUT).into_owned())),
    }
}

/// The same words about another text are another question.
pub(crate) fn context(row: &Row) -> String {
    ["seed_context", "context"]
        .iter()
        .map(|column| row::text(row, column))
        .collect()
}

fn split(row: &Row) -> Result<(String, String), DropReason> {
    if row.contains_key("question") && row.contains_key("response") {
        let (question, answer) = (row::text(row, "question"), row::text(row, "response"));
        return both(question.trim(), answer.trim());
    }
    let output = row::text(row, OUTPUT);
    let (question, answer) = output
        .trim()
        .split_once('?')
        .ok_or(DropReason::NoQuestionMark)?;
    if question.trim().is_empty() {
        return Err(DropReason::NoQuestion);
    }
    both(&format!("{}?", question.trim()), answer.trim())
}

fn both(question: &str, answer: &str) -> Result<(String, String), DropReason> {
    if question.is_empty() {
        Err(DropReason::NoQuestion)
    } else if !answer.chars().any(char::is_alphanumeric) {
        Err(DropReason::NoAnswer)
    } else {
        Ok((question.to_owned(), answer.to_owned()))
    }
}

/// Texts that differ only in case and blank space are the same.
pub(crate) fn folded(text: &str) -> String {
    text.to_lowercase()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drops::Drops;
    use serde_json::json;

    #[test]
    fn every_row_becomes_a_question_or_a_reason() {
        let seed = SeedQuestion {
            question: "Who is  Ann?".into(),
            answer: "A".into(),
            context: None,
        };
        let outputs = [
            "What is it? It is a brill? Yes.",
            "what is IT?  It is a brill? yes.",
            "What is it? Something else.",
            "who is ann? Nobody.",
            "No question here.",
            "? only an answer",
            "Only a question? ...",
        ];
        let rows = outputs
            .iter()
            .map(|output| Judged::from(json!({"output": output}).as_object().unwrap().clone()))
            .collect();
        let mut drops = Drops::default();
        let kept = questions(
            rows,
            &[seed],
            &mut Dropped {
                leaf: "l",
                block: "b",
                drops: &mut drops,
            },
        );
        let pairs: Vec<_> = kept
            .iter()
            .map(|kept| (kept.question.as_str(), kept.answer.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("What is it?", "It is a brill? Yes."),
                ("What is it?", "Something else.")
            ]
        );
        let reasons: Vec<_> = drops.0.iter().map(|drop| drop.reason).collect();
        use DropReason::{Duplicate, NoAnswer, NoQuestion, NoQuestionMark, SameAsSeed};
        assert_eq!(
            reasons,
            [Duplicate, SameAsSeed, NoQuestionMark, NoQuestion, NoAnswer]
        );
    }
}
