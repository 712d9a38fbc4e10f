//! What must hold of every corpus.

use std::collections::HashSet;

use ilab_base::seed::rng;

use crate::starter::corpus::{Corpus, Stage, Task};
use crate::starter::document;
use crate::starter::draw::Draw as _;
use crate::starter::fact::{AnswerStyle, Wording};
use crate::starter::grammar::Grammar;
use crate::starter::lexicon::Lexicon;
use crate::starter::relation::{self, FILLERS, Manner, Split};
use crate::starter::sample::Sample;
use crate::starter::tokenizer;
use crate::starter::value;

fn grammar(split: Split) -> Grammar {
    Grammar::embedded(split).unwrap()
}

fn samples(split: Split, seed: u64, n: usize) -> Vec<Sample> {
    let grammar = grammar(split);
    let mut rng = rng(seed, "starter corpus");
    let mut corpus = Corpus::new(&grammar, Stage::Full, &mut rng).unwrap();
    (0..n).map(|_| corpus.sample(&mut rng).unwrap().1).collect()
}

#[test]
fn the_seed_decides_the_corpus() {
    assert_eq!(samples(Split::Train, 1, 300), samples(Split::Train, 1, 300));
    assert_ne!(samples(Split::Train, 1, 300), samples(Split::Train, 2, 300));
}

#[test]
fn questions_end_with_a_mark_or_stop_and_answers_stand_in_the_document() {
    for split in [Split::Train, Split::Dev] {
        let grammar = grammar(split);
        let mut rng = rng(3, "documents");
        let mut n_questions = 0;
        for _ in 0..2_000 {
            let n_facts = rng.between(2, 9);
            let document = document::any(&mut rng, &grammar, n_facts);
            let text = document.text.to_lowercase();
            for pair in document.questions(&mut rng, AnswerStyle::Bare, Wording::Free) {
                n_questions += 1;
                assert!(pair.question.ends_with(['?', '.']), "{}", pair.question);
                let value = pair.value.to_lowercase();
                let value = value.strip_prefix("the ").unwrap_or(&value);
                assert!(
                    text.contains(value),
                    "`{value}` of `{}` is not in:\n{text}",
                    pair.question
                );
            }
        }
        assert!(n_questions > 5_000, "{n_questions}");
    }
}

#[test]
fn sentences_are_well_formed() {
    let grammar = grammar(Split::Train);
    let mut rng = rng(4, "tests");
    let mut corpus = Corpus::new(&grammar, Stage::Full, &mut rng).unwrap();
    for _ in 0..3_000 {
        let (task, sample) = corpus.sample(&mut rng).unwrap();
        for message in &sample.messages {
            let text = &message.content;
            assert!(!text.is_empty());
            for wrong in [
                "{X}",
                "{V}",
                "{noun",
                " the the ",
                " a the ",
                " a a ",
                " an an ",
                " a an ",
                "?.",
                " ,",
            ] {
                // Drills copy any characters.
                let is_drill = task == Task::Drill;
                assert!(is_drill || !text.contains(wrong), "`{wrong}` in:\n{text}");
            }
        }
    }
}

#[test]
fn samples_alternate_and_end_with_an_answer() {
    for sample in samples(Split::Train, 5, 2_000) {
        for (i, message) in sample.messages.iter().enumerate() {
            assert_eq!(message.role, if i % 2 == 0 { "user" } else { "assistant" });
        }
        assert!(sample.messages.len() >= 2 && sample.messages.len().is_multiple_of(2));
    }
}

#[test]
fn dev_frames_are_not_trained() {
    let frames = |split| -> HashSet<String> {
        grammar(split)
            .relations
            .iter()
            .filter(|r| r.statements.len() == 1 || split == Split::Train)
            .flat_map(|r| {
                r.statements
                    .iter()
                    .map(|s| format!("{} {} {:?} {s:?}", r.subject, r.name, r.manner))
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let (train, dev) = (frames(Split::Train), frames(Split::Dev));
    assert!(dev.len() > 150, "{}", dev.len());
    assert!(train.is_disjoint(&dev));
}

#[test]
fn every_filler_and_kind_can_be_drawn() {
    let lexicon = Lexicon::embedded().unwrap();
    let mut rng = rng(6, "kinds");
    for kind in value::KINDS {
        assert!(!value::draw(&mut rng, &lexicon, kind).text.is_empty());
    }
    for slot in FILLERS {
        let text = format!(
            "[place x name]\ns {{X}} {{V}} {{{slot}}}\nq Which {{{slot}}} has {{X}}?\na {{V}}"
        );
        let relations = relation::parse("test", &text, Manner::Plain).unwrap();
        let grammar = Grammar {
            lexicon: Lexicon::embedded().unwrap(),
            relations,
            artful_share: 0.0,
        };
        let document = document::of_kind(&mut rng, &grammar, "place", 1);
        assert!(
            !document
                .questions(&mut rng, AnswerStyle::Bare, Wording::Free)
                .is_empty(),
            "{slot}"
        );
    }
}

#[test]
fn a_wrong_relation_file_is_refused_with_its_line() {
    let check = |text: &str, expect: &str| {
        let error = relation::parse("f.txt", text, Manner::Plain)
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    check(
        "[place x]",
        "f.txt:1: `[place x]` is not `[SUBJECT relation VALUE]`",
    );
    check("[planet x year]", "f.txt:1: unknown kind `planet`");
    check("[place x smoke]", "f.txt:1: unknown kind `smoke`");
    check(
        "s {X} is {V}.",
        "f.txt:1: `s {X} is {V}.` does not start with s, p, l, q or a",
    );
    check(
        "[place x year]\ns {X} is {Z}.",
        "f.txt:2: unknown slot `{Z}`",
    );
    check(
        "[place x year]\nq When {X}",
        "f.txt:2: the question ends with neither a question mark nor a full stop",
    );
    check(
        "[place x year]\nz",
        "f.txt:2: `z` does not start with s, p, l, q or a",
    );
    check(
        "[place x year]\ns {X} {V}",
        "f.txt: relation `x` lacks a statement, a question or an answer",
    );
}

/// Tokens that copying never meets would come out mangled later.
#[test]
fn nearly_every_token_is_copied_somewhere() {
    let grammar = grammar(Split::Train);
    let mut rng = rng(7, "starter corpus");
    let mut corpus = Corpus::new(&grammar, Stage::Full, &mut rng).unwrap();
    let drawn: Vec<(Task, Sample)> = (0..24_000)
        .map(|_| corpus.sample(&mut rng).unwrap())
        .collect();
    let texts: Vec<String> = drawn
        .iter()
        .take(6_000)
        .flat_map(|(_, sample)| sample.messages.iter().map(|m| m.content.clone()))
        .collect();
    let tokenizer = tokenizer::train(&texts).unwrap();
    assert_eq!(tokenizer.get_vocab_size(true), tokenizer::VOCABULARY);

    let mut seen = HashSet::new();
    for (_, sample) in drawn
        .iter()
        .filter(|(task, _)| *task != Task::ClosedBook && *task != Task::SmallTalk)
    {
        for message in sample.messages.iter().filter(|m| m.role == "assistant") {
            let encoding = tokenizer
                .encode_fast(message.content.as_str(), false)
                .unwrap();
            seen.extend(encoding.get_ids().iter().copied());
        }
    }
    // Bytes that no UTF-8 text has can never be met.
    let impossible = 13;
    let reachable = tokenizer::VOCABULARY - tokenizer::SPECIAL.len() - impossible;
    let share = seen.len() as f64 / reachable as f64;
    assert!(
        share >= 0.9,
        "only {:.1} % of the tokens occur in answers",
        share * 100.0
    );
}

#[test]
fn a_document_keeps_to_one_manner_and_plain_lessons_have_few_artful_ones() {
    let n_artful = |grammar: &Grammar| {
        let mut rng = rng(8, "manners");
        let documents = (0..500).map(|_| document::any(&mut rng, grammar, 5));
        documents
            .filter(|document| {
                let facts = document.subjects.iter().flat_map(|subject| &subject.facts);
                let manners: Vec<_> = facts.map(|fact| fact.relation.manner).collect();
                assert!(manners.iter().all(|manner| *manner == manners[0]));
                manners[0] == Manner::Artful
            })
            .count()
    };
    let full = n_artful(&grammar(Split::Train));
    let plain = n_artful(&grammar(Split::Train).plain());
    assert!((75..200).contains(&full), "{full}");
    assert!((30..90).contains(&plain), "{plain}");
}

#[test]
fn a_stated_answer_is_the_sentence_of_the_document_with_the_name() {
    let text = "[animal diet food]\ns {X} eats {V} in {place}.\np {It} eats {V} in {place}.\nq What does {X} eat?\na {V}";
    let grammar = Grammar {
        lexicon: Lexicon::embedded().unwrap(),
        relations: relation::parse("test", text, Manner::Plain).unwrap(),
        artful_share: 0.0,
    };
    let mut rng = rng(9, "answers");
    for _ in 0..50 {
        let document = document::of_kind(&mut rng, &grammar, "animal", 1);
        let subject = &document.subjects[0];
        let (entity, fact) = (&subject.entity, &subject.facts[0]);
        let question = fact.question(&mut rng, Wording::Close);
        let answer = fact.answer(&mut rng, entity, question, AnswerStyle::Stated);
        let (_, predicate) = answer.trim_end_matches('.').split_once(" eats ").unwrap();
        assert!(
            document.text.contains(predicate),
            "{answer}\n{}",
            document.text
        );
        assert!(
            answer
                .to_lowercase()
                .starts_with(&entity.mention().to_lowercase()),
            "{answer}"
        );
    }
}
