//! The two training files of a knowledge leaf.
//!
//! Phase 07 teaches the documents: each question comes with its document, and the loss covers both. Phase 10 has the same
//! samples and, of each question, one among several documents (RAFT, <https://arxiv.org/abs/2403.10131>).

use std::collections::HashSet;

use ilab_base::seed::{self, Rng};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};

use super::json_lines::spaced;
use super::record::{Message, Sample, object};
use crate::near_duplicates;
use crate::pipeline::AuxiliaryInstructions;
use crate::question::Generated;
use crate::row;

/// How many documents stand before a question.
const N_DOCUMENTS: usize = 4;

/// How often the document with the answer is one of them.
const ANSWER_PROBABILITY: f64 = 0.4;
/// A document that is more alike to the one that answers may answer as well.
const MAX_DISTRACTOR_SIMILARITY: f64 = 0.7;

/// The kind of document that is no derived one.
const UNCHANGED: &str = "base_document";

/// What the training files of a leaf are made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeafQuestions<'a> {
    pub(super) questions: &'a [Generated],
    /// As datasets name the leaf.
    pub(super) leaf: &'a str,
    /// For each kind of derived document, what a user may have asked for to get it.
    pub(super) auxiliary: &'a AuxiliaryInstructions,
    pub(super) seed: u64,
}

impl LeafQuestions<'_> {
    /// Each question with its document, then each derived document; loss on both sides.
    pub(super) fn phase_07(self) -> Vec<Sample> {
        let mut samples = with_document(self.questions, "p07");
        samples.extend(self.derived_documents("p07", true));
        samples
    }

    /// Each question with its document, each among several documents, then each derived document.
    pub(super) fn phase_10(self) -> Vec<Sample> {
        let mut samples = with_document(self.questions, "p10");
        samples.extend(among_documents(self.questions, self.leaf, self.seed));
        samples.extend(self.derived_documents("p10", false));
        samples
    }

    /// The texts that the teacher made of the documents: the document and an instruction, answered by the derived text.
    fn derived_documents(self, purpose: &str, unmask: bool) -> Vec<Sample> {
        let mut rng = seed::rng(self.seed, &format!("instructions of {}", self.leaf));
        let mut seen = HashSet::new();
        let mut samples = Vec::new();
        for generated in self.questions {
            let kind = row::text(&generated.row, "dataset_type");
            let mut kinds = self.auxiliary.iter().filter(|_| kind != UNCHANGED);
            let Some((_, instructions)) = kinds.find(|(name, _)| *name == kind) else {
                continue;
            };
            let derived = document(generated);
            let Some(instruction) = instructions.choose(&mut rng) else {
                continue;
            };
            if !seen.insert(derived.clone()) {
                continue;
            }
            let raw = row::text(&generated.row, "raw_document");
            let messages = vec![
                Message::user(format!("{raw}\n\n{instruction}")),
                Message::assistant(&derived),
            ];
            let purpose = format!("auxiliary {purpose}");
            let metadata = object([
                ("dataset_type", kind.as_ref()),
                ("raw_document", raw.as_ref()),
                ("dataset", &format!("document_{kind}")),
                ("domain", row::text(&generated.row, "domain").as_ref()),
            ]);
            samples.push(Sample::new(&purpose, messages, spaced(&metadata), unmask));
        }
        samples
    }
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
    let pool = Pool::new(questions.iter().map(Document::of));
    let mut sample = |generated: &Generated| {
        let answer = Document::of(generated);
        let documents = pool.draw(&answer, &mut rng);
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

/// A text, and the chunk that it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Document {
    text: String,
    raw: String,
}

impl Document {
    fn of(generated: &Generated) -> Self {
        let text = document(generated);
        let raw = match row::text(&generated.row, "raw_document") {
            raw if raw.is_empty() => text.clone(),
            raw => raw.into_owned(),
        };
        Self { text, raw }
    }
}

/// The documents of a leaf, each once.
struct Pool {
    documents: Vec<Document>,
    /// For each the first that it is nearly the same as, by its place.
    groups: Vec<usize>,
}

impl Pool {
    fn new(documents: impl Iterator<Item = Document>) -> Self {
        let mut pool: Vec<Document> = Vec::new();
        for document in documents {
            if !pool.contains(&document) {
                pool.push(document);
            }
        }
        let raw: Vec<&str> = pool.iter().map(|document| document.raw.as_str()).collect();
        Self {
            groups: near_duplicates::groups(&raw, MAX_DISTRACTOR_SIMILARITY),
            documents: pool,
        }
    }

    /// The documents around a question, shuffled: up to four, with or without the one that answers it. A leaf of one document
    /// has only that.
    ///
    /// Differs from upstream: another form of the answer's own chunk, or a near-copy of it, is no distractor.
    fn draw<'pool>(&'pool self, answer: &'pool Document, rng: &mut Rng) -> Vec<&'pool str> {
        let position = self
            .documents
            .iter()
            .position(|document| document == answer);
        let own_group = position.map(|position| self.groups[position]);
        let others = self.documents.iter().zip(&self.groups);
        let distractors: Vec<&str> = others
            .filter(|(document, group)| document.raw != answer.raw && Some(**group) != own_group)
            .map(|(document, _)| document.text.as_str())
            .collect();
        let has_answer = rng.random_bool(ANSWER_PROBABILITY) || distractors.is_empty();
        let n_distractors = N_DOCUMENTS - usize::from(has_answer);
        let mut documents: Vec<&str> = distractors.sample(rng, n_distractors).copied().collect();
        if has_answer {
            documents.push(&answer.text);
        }
        documents.shuffle(rng);
        documents
    }
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
    use crate::row::Row;
    use serde_json::json;

    fn plain(text: &str) -> Document {
        Document {
            text: text.to_owned(),
            raw: text.to_owned(),
        }
    }

    fn questions(n_documents: usize) -> Vec<Generated> {
        let one = |index: usize| Generated {
            verdicts: Vec::new(),
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
        let auxiliary = AuxiliaryInstructions::new();
        let six = questions(6);
        let of_leaf = |seed| LeafQuestions {
            questions: &six,
            leaf: "l",
            auxiliary: &auxiliary,
            seed,
        };
        let samples = of_leaf(1).phase_10();
        assert_eq!(samples.len(), 12);
        assert!(samples[..6].iter().all(|sample| sample.unmask));
        assert_eq!(samples[0].messages[0].content, "D0\n\nQ0?");
        for sample in &samples[6..] {
            assert!(!sample.unmask);
            assert_eq!(sample.messages[0].content.matches("Document:\n").count(), 4);
        }
        assert_ne!(samples[0].id, of_leaf(1).phase_07()[0].id);
        assert_eq!(samples, of_leaf(1).phase_10());
        assert_ne!(samples, of_leaf(2).phase_10());
    }

    #[test]
    fn a_derived_document_is_taught_once_and_is_no_distractor_of_its_chunk() {
        let row = |kind: &str, document: &str| {
            json!({"dataset_type": kind, "document": document, "raw_document": "Teh brill.", "domain": "x"})
                .as_object()
                .unwrap()
                .clone()
        };
        let generated = |question: &str, row: Row| Generated {
            verdicts: Vec::new(),
            question: question.to_owned(),
            answer: "A".to_owned(),
            row,
        };
        let questions = [
            generated("Q1?", row("spellcheck", "The brill.")),
            generated("Q2?", row("spellcheck", "The brill.")),
            generated("Q3?", row("base_document", "Teh brill.")),
        ];
        let auxiliary = vec![("spellcheck".to_owned(), vec!["Put it right.".to_owned()])];
        let of_leaf = LeafQuestions {
            questions: &questions,
            leaf: "l",
            auxiliary: &auxiliary,
            seed: 1,
        };
        let (first, second) = (of_leaf.phase_07(), of_leaf.phase_10());
        assert_eq!((first.len(), second.len()), (3 + 1, 2 * 3 + 1));
        let last = &first[3];
        assert_eq!(last.messages[0].content, "Teh brill.\n\nPut it right.");
        assert_eq!(last.messages[1].content, "The brill.");
        assert!(last.unmask && !second[6].unmask);
        assert_eq!(
            last.metadata,
            r#"{"dataset_type": "spellcheck", "raw_document": "Teh brill.", "dataset": "document_spellcheck", "domain": "x"}"#
        );
        assert_ne!(last.id, second[6].id);
        for among in &second[3..6] {
            assert_eq!(among.messages[0].content.matches("brill.").count(), 1);
        }
        let twins = [Document::of(&questions[0]), Document::of(&questions[2])];
        let mut rng = seed::rng(3, "test");
        for _ in 0..20 {
            assert_eq!(
                Pool::new(twins.iter().cloned()).draw(&twins[0], &mut rng),
                ["The brill."]
            );
        }
    }

    #[test]
    fn the_answer_is_there_four_times_in_ten() {
        let pool: Vec<Document> = (0..9).map(|index| plain(&format!("D{index}"))).collect();
        let mut rng = seed::rng(3, "test");
        let answer = &pool[0];
        let pool = Pool::new(pool.iter().cloned());
        let n_with = (0..2000)
            .filter(|_| pool.draw(answer, &mut rng).contains(&"D0"))
            .count();
        assert!((700..900).contains(&n_with), "{n_with}");
    }

    #[test]
    fn a_near_copy_of_the_answer_is_no_distractor() {
        let long = |first: usize| -> String {
            let words = (first..first + 200).map(|number| format!("word{} ", number * 7919 % 1000));
            words.collect()
        };
        let answer = plain(&long(0));
        let near = plain(&long(0).replacen("word0 ", "nought ", 1));
        let other = plain(&long(500));
        let pool = Pool::new([answer.clone(), near.clone(), other.clone()].into_iter());
        let mut rng = seed::rng(3, "test");
        for _ in 0..20 {
            let documents = pool.draw(&answer, &mut rng);
            assert!(!documents.contains(&near.text.as_str()));
            assert!(documents.contains(&other.text.as_str()));
        }
    }

    #[test]
    fn few_documents_are_all_used() {
        let mut rng = seed::rng(3, "test");
        assert_eq!(
            Pool::new([plain("D")].into_iter()).draw(&plain("D"), &mut rng),
            ["D"]
        );
        let two = [plain("D"), plain("E")];
        let pool = Pool::new(two.iter().cloned());
        for _ in 0..20 {
            let documents = pool.draw(&two[0], &mut rng);
            assert!(documents.contains(&"E") && documents.len() <= 2);
        }
    }
}
