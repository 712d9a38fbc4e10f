//! Multiple-choice questions about the documents, in the form of an MMLU task of the evaluation harness.

use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::IoError;
use serde_json::{Value, json};

use super::json_lines::{self, Style};
use crate::drops::DropReason;
use crate::row::{self, Row};
use crate::run::Dropped;
use crate::samples::Leaf;

/// Columns that the pipeline for these questions makes.
pub(crate) const COLUMNS: [&str; 2] = ["mmlubench_question", "mmlubench_answer"];
const LETTERS: [char; 4] = ['A', 'B', 'C', 'D'];

/// A question with its choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExamQuestion {
    row: Row,
    stem: String,
    choices: [String; 4],
    /// Index of the right one.
    answer: usize,
}

/// The rows that hold a question with four choices, one of which the answer names.
pub(crate) fn exam(rows: Vec<Row>, dropped: &mut Dropped<'_>) -> Vec<ExamQuestion> {
    let mut exam = Vec::with_capacity(rows.len());
    for row in rows {
        let [question, answer] = COLUMNS.map(|column| row::text(&row, column).into_owned());
        match question_of(&question, &answer) {
            Some((stem, choices, answer)) => exam.push(ExamQuestion {
                row,
                stem,
                choices,
                answer,
            }),
            None => dropped.add(DropReason::NoChoices, 1, format!("{question}\n{answer}")),
        }
    }
    exam
}

// Differs from upstream: letters stand for their places whichever of them occur, where the original numbers those that do.
fn question_of(question: &str, answer: &str) -> Option<(String, [String; 4], usize)> {
    let mut lines = question
        .trim()
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let choice = |letter: char, line: &str| {
        let rest = line.strip_prefix(letter)?.strip_prefix(')')?.trim();
        (!rest.is_empty()).then(|| rest.to_owned())
    };
    let mut stem = Vec::new();
    let first = lines.find_map(|line| {
        let first = choice(LETTERS[0], line);
        if first.is_none() {
            stem.push(line);
        }
        first
    })?;
    let mut choices = vec![first];
    for letter in &LETTERS[1..] {
        choices.push(choice(*letter, lines.next()?)?);
    }
    let right = answer
        .trim()
        .split(')')
        .next()
        .filter(|_| answer.contains(')'))?;
    let right = LETTERS
        .iter()
        .position(|letter| right.trim() == letter.to_string())?;
    let is_whole = lines.next().is_none() && !stem.is_empty();
    let choices: [String; 4] = choices.try_into().ok()?;
    let are_distinct = (1..4).all(|index| !choices[..index].contains(&choices[index]));
    (is_whole && are_distinct).then(|| (stem.join("\n"), choices, right))
}

/// Writes the questions of a leaf and the task that reads them; `destination` is what `folder` will be called.
pub(super) fn write(
    folder: &Path,
    destination: &Path,
    leaf: &Leaf,
    exam: &[ExamQuestion],
) -> Result<(), IoError> {
    let name = format!("mmlubench_{}.jsonl", leaf.name);
    let records = exam.iter().map(|question| {
        let rename = |(column, value): (String, Value)| match column.as_str() {
            "domain" => ("subject".to_owned(), value),
            _ => (column, value),
        };
        let mut record: Row = question.row.clone().into_iter().map(rename).collect();
        record.insert("dataset_type".to_owned(), "mcq_qa".into());
        record.insert("answer".to_owned(), question.answer.into());
        record.insert("choices".to_owned(), json!(question.choices));
        record.insert("question".to_owned(), question.stem.as_str().into());
        record
    });
    json_lines::write(&folder.join(&name), Style::Compact, records)?;
    let task = task(&leaf.name, &destination.join(&name));
    atomic::write(
        folder.join(format!("{}_task.yaml", leaf.name)),
        task.as_bytes(),
    )
}

fn task(leaf: &str, questions: &Path) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let letters: Vec<String> = (0..4)
        .map(|index| format!("{}. {{{{choices[{index}]}}}}", LETTERS[index]))
        .collect();
    format!(
        "task: {}\n\
         dataset_path: json\n\
         dataset_name: null\n\
         test_split: test\n\
         doc_to_text: {}\n\
         doc_to_choice: [\"A\", \"B\", \"C\", \"D\"]\n\
         doc_to_target: \"{{{{answer}}}}\"\n\
         output_type: multiple_choice\n\
         tag: mmlu_pr\n\
         metric_list:\n- metric: acc\n  aggregation: mean\n  higher_is_better: \"true\"\n\
         dataset_kwargs:\n  data_files:\n    test: {}\n",
        quoted(leaf),
        quoted(&format!(
            "{{{{question.strip()}}}}\n{}\nAnswer:",
            letters.join("\n")
        )),
        quoted(&questions.display().to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_questions_are_asked() {
        let whole = "How many legs has a brill?\nCount them.\nA) Six\nB) Five\n\n C) Two\nD) None";
        let (stem, choices, answer) = question_of(whole, "C) Two\n").unwrap();
        assert_eq!(stem, "How many legs has a brill?\nCount them.");
        assert_eq!(choices, ["Six", "Five", "Two", "None"]);
        assert_eq!(answer, 2);
        for (question, answer) in [
            ("Q?\nA) 1\nB) 2\nC) 3", "A) 1"),
            ("Q?\nA) 1\nB) 2\nC) 3\nD) 4\nE) 5", "A) 1"),
            ("Q?\nA) 1\nC) 2\nB) 3\nD) 4", "A) 1"),
            ("Q?\nA) 1\nB) 2\nC) 2\nD) 4", "A) 1"),
            ("Q?\nA) 1\nB)\nC) 3\nD) 4", "A) 1"),
            ("A) 1\nB) 2\nC) 3\nD) 4", "A) 1"),
            ("Q?\nA) 1\nB) 2\nC) 3\nD) 4", "E) 5"),
            ("Q?\nA) 1\nB) 2\nC) 3\nD) 4", "A"),
            ("Q?\nA) 1\nB) 2\nC) 3\nD) 4", "the first"),
            ("", ""),
        ] {
            assert_eq!(question_of(question, answer), None, "{question} {answer}");
        }
    }

    #[test]
    fn a_task_is_what_the_harness_reads() {
        let text = task(
            "knowledge_brill",
            Path::new("/data/mmlubench_knowledge_brill.jsonl"),
        );
        assert!(ilab_base::yaml::parse(&text).is_ok(), "{text}");
        insta::assert_snapshot!(text, @r#"
        task: "knowledge_brill"
        dataset_path: json
        dataset_name: null
        test_split: test
        doc_to_text: "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\nD. {{choices[3]}}\nAnswer:"
        doc_to_choice: ["A", "B", "C", "D"]
        doc_to_target: "{{answer}}"
        output_type: multiple_choice
        tag: mmlu_pr
        metric_list:
        - metric: acc
          aggregation: mean
          higher_is_better: "true"
        dataset_kwargs:
          data_files:
            test: "/data/mmlubench_knowledge_brill.jsonl"
        "#);
    }
}
