//! The sample that the program carries: a small taxonomy about invented things, and questions about them.

use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::IoError;

/// Files of the sample taxonomy, by their path in it.
const TAXONOMY: [(&str, &str); 5] = [
    (
        "knowledge/animals/mirrel/qna.yaml",
        include_str!("../../../quickstart/taxonomy/knowledge/animals/mirrel/qna.yaml"),
    ),
    (
        "knowledge/animals/mirrel/documents/mirrel.md",
        include_str!("../../../quickstart/taxonomy/knowledge/animals/mirrel/documents/mirrel.md"),
    ),
    (
        "knowledge/places/vellmere/qna.yaml",
        include_str!("../../../quickstart/taxonomy/knowledge/places/vellmere/qna.yaml"),
    ),
    (
        "knowledge/places/vellmere/documents/vellmere.md",
        include_str!(
            "../../../quickstart/taxonomy/knowledge/places/vellmere/documents/vellmere.md"
        ),
    ),
    (
        "compositional_skills/writing/thank_you_notes/qna.yaml",
        include_str!(
            "../../../quickstart/taxonomy/compositional_skills/writing/thank_you_notes/qna.yaml"
        ),
    ),
];

/// Questions about the sample in other words than those of its examples.
const QUESTIONS: &str = include_str!("../../../quickstart/questions.jsonl");

/// Writes the taxonomy into a folder.
pub(super) fn write_taxonomy(folder: &Path) -> Result<(), IoError> {
    TAXONOMY
        .iter()
        .try_for_each(|(path, text)| atomic::write(folder.join(path), text.as_bytes()))
}

/// Writes the questions into a file.
pub(super) fn write_questions(path: &Path) -> Result<(), IoError> {
    atomic::write(path, QUESTIONS.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use ilab_taxonomy::{LeafKind, Selection};

    use super::*;
    use crate::commands::exam::{parse, words};

    /// Questions, answers and documents of the sample.
    fn texts() -> (Vec<String>, Vec<String>, String) {
        let folder = tempfile::tempdir().unwrap();
        write_taxonomy(folder.path()).unwrap();
        let taxonomy = ilab_taxonomy::read(&Selection::new(folder.path(), "empty")).unwrap();
        assert_eq!(taxonomy.files.len(), 3);
        for file in &taxonomy.files {
            assert_eq!(file.diagnostics, [], "{}", file.relative_path.display());
        }
        let (mut questions, mut answers) = (Vec::new(), Vec::new());
        for leaf in taxonomy.leaves() {
            match &leaf.kind {
                LeafKind::Knowledge(knowledge) => {
                    for pair in knowledge
                        .seed_examples
                        .iter()
                        .flat_map(|e| &e.questions_and_answers)
                    {
                        questions.push(pair.question.clone());
                        answers.push(pair.answer.clone());
                    }
                }
                LeafKind::Skill(skill) => {
                    questions.extend(skill.seed_examples.iter().map(|e| e.question.clone()));
                }
            }
        }
        let documents = TAXONOMY.iter().filter(|(path, _)| path.ends_with(".md"));
        (
            questions,
            answers,
            documents.map(|(_, text)| *text).collect(),
        )
    }

    #[test]
    fn no_held_out_question_stands_in_the_sample() {
        let (seed_questions, _, _) = texts();
        let seeds: HashSet<String> = seed_questions.iter().map(|text| words(text)).collect();
        let held_out = parse(QUESTIONS, Path::new("questions.jsonl")).unwrap();
        assert!(held_out.len() >= 24, "{}", held_out.len());
        for question in &held_out {
            assert!(
                !seeds.contains(&words(&question.question)),
                "{}",
                question.question
            );
        }
        let distinct: HashSet<String> = held_out.iter().map(|q| words(&q.question)).collect();
        assert_eq!(distinct.len(), held_out.len());
    }

    #[test]
    fn every_held_out_question_is_answered_in_a_document_and_not_by_itself() {
        let (_, _, documents) = texts();
        for question in parse(QUESTIONS, Path::new("questions.jsonl")).unwrap() {
            assert!(question.is_answered_by(&documents), "{}", question.question);
            assert!(
                !question.is_answered_by(&question.question),
                "{}",
                question.question
            );
        }
    }

    #[test]
    fn the_examples_say_what_the_documents_say() {
        let (_, answers, documents) = texts();
        let documents = words(&documents);
        for answer in answers {
            let last = words(&answer);
            let last = last.rsplit(' ').next().unwrap_or_default();
            assert!(documents.contains(last), "{answer}");
        }
    }
}
