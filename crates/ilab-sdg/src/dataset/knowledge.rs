//! The two training files of a knowledge leaf.
//!
//! Phase 07 teaches the documents: each question comes with its document, and the loss covers both. Phase 10 has the same
//! samples and, of each question, one among several documents (RAFT, <https://arxiv.org/abs/2403.10131>).

use ilab_base::seed::{self, Rng};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::json_lines::spaced;
use super::record::{Message, Sample, object};
use crate::question::Generated;
use crate::row;

/// How many documents stand before a question.
const N_DOCUMENTS: usize = 4;

/// How often the document with the answer is one of them.
const ANSWER_PROBABILITY: f64 = 0.4;

/// Each question with its document, loss on both.
pub(super) fn phase_07(questions: &[Generated]) -> Vec<Sample> {
    with_document(questions, "p07")
}

/// Each question with its document, then each among several documents.
pub(super) fn phase_10(questions: &[Generated], leaf: &str, seed: u64) -> Vec<Sample> {
    let mut samples = with_document(questions, "p10");
    samples.extend(among_documents(questions, leaf, seed));
    samples
}

fn with_document(questions: &[Generated], purpose: &str) -> Vec<Sample> {
    let sample = |generated: &Generated| {
        let user = format!("{}\n\n{}", document(generated), generated.question);
        let messages = vec![Message::user(user), Message::assistant(&generated.answer)];
        Sample::new(
            purpose,
            messages,
            metadata(generated, "document_knowledge_qa"),
            true,
        )
    };
    questions.iter().map(sample).collect()
}

fn among_documents(questions: &[Generated], leaf: &str, seed: u64) -> Vec<Sample> {
    let mut rng = seed::rng(seed, &format!("documents around a question of {leaf}"));
    let mut pool: Vec<String> = Vec::new();
    for generated in questions {
        let document = document(generated);
        if !pool.contains(&document) {
            pool.push(document);
        }
    }
    let mut sample = |generated: &Generated| {
        let answer = document(generated);
        let documents = draw(&pool, &answer, &mut rng);
        let context: String = documents
            .iter()
            .map(|document| format!("Document:\n{document}\n\n"))
            .collect();
        let messages = vec![
            Message::user(format!("{context}{}", generated.question)),
            Message::assistant(&generated.answer),
        ];
        let dataset = format!("document_knowledge_qa_raft_p{ANSWER_PROBABILITY}");
        Sample::new("raft", messages, metadata(generated, &dataset), false)
    };
    questions.iter().map(&mut sample).collect()
}

/// The documents around a question, shuffled: up to four, with or without the one that answers it. A leaf of one document
/// has only that.
fn draw<'pool>(pool: &'pool [String], answer: &'pool str, rng: &mut Rng) -> Vec<&'pool str> {
    let distractors: Vec<&str> = pool
        .iter()
        .map(String::as_str)
        .filter(|document| *document != answer)
        .collect();
    let has_answer = rng.random_bool(ANSWER_PROBABILITY) || distractors.is_empty();
    let n_distractors = N_DOCUMENTS - usize::from(has_answer);
    let mut documents: Vec<&str> = distractors.sample(rng, n_distractors).copied().collect();
    if has_answer {
        documents.push(answer);
    }
    documents.shuffle(rng);
    documents
}

fn document(generated: &Generated) -> String {
    row::text(&generated.row, "document").into_owned()
}

fn metadata(generated: &Generated, dataset: &str) -> String {
    let text = |column: &str| row::text(&generated.row, column).into_owned();
    let (document, domain) = (text("document"), text("domain"));
    let mut entries = vec![
        ("sdg_document", document.as_str()),
        ("domain", domain.as_str()),
        ("dataset", dataset),
    ];
    let (raw_document, dataset_type) = (text("raw_document"), text("dataset_type"));
    if generated.row.contains_key("raw_document") && generated.row.contains_key("dataset_type") {
        entries.extend([
            ("raw_document", raw_document.as_str()),
            ("dataset_type", dataset_type.as_str()),
        ]);
    }
    spaced(&object(entries))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn questions(n_documents: usize) -> Vec<Generated> {
        let one = |index: usize| Generated {
            question: format!("Q{index}?"),
            answer: format!("A{index}"),
            row: json!({"document": format!("D{index}"), "domain": "x"})
                .as_object()
                .unwrap()
                .clone(),
        };
        (0..n_documents).map(one).collect()
    }

    #[test]
    fn phase_10_doubles_the_questions() {
        let samples = phase_10(&questions(6), "l", 1);
        assert_eq!(samples.len(), 12);
        assert!(samples[..6].iter().all(|sample| sample.unmask));
        assert_eq!(samples[0].messages[0].content, "D0\n\nQ0?");
        for sample in &samples[6..] {
            assert!(!sample.unmask);
            assert_eq!(sample.messages[0].content.matches("Document:\n").count(), 4);
        }
        assert_ne!(samples[0].id, phase_07(&questions(1))[0].id);
        assert_eq!(samples, phase_10(&questions(6), "l", 1));
        assert_ne!(samples, phase_10(&questions(6), "l", 2));
    }

    #[test]
    fn the_answer_is_there_four_times_in_ten() {
        let pool: Vec<String> = (0..9).map(|index| format!("D{index}")).collect();
        let mut rng = seed::rng(3, "test");
        let n_with = (0..2000)
            .filter(|_| draw(&pool, "D0", &mut rng).contains(&"D0"))
            .count();
        assert!((700..900).contains(&n_with), "{n_with}");
    }

    #[test]
    fn few_documents_are_all_used() {
        let mut rng = seed::rng(3, "test");
        assert_eq!(draw(&["D".to_owned()], "D", &mut rng), ["D"]);
        let two = ["D".to_owned(), "E".to_owned()];
        for _ in 0..20 {
            let documents = draw(&two, "D", &mut rng);
            assert!(documents.contains(&"E") && documents.len() <= 2);
        }
    }
}
