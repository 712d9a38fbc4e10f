//! One fact about one thing: its statement, its questions and its answers.

use std::collections::BTreeMap;

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::entity::Entity;
use crate::starter::lexicon::Lexicon;
use crate::starter::relation::{FILLERS, Question, Relation};
use crate::starter::template::{Context, Template};
use crate::starter::value::{self, Value};
use crate::starter::word::{capitalised, proper, uncapitalised};

/// A relation with its value and the random words that belong to it.
#[derive(Debug, Clone)]
pub struct Fact<'g> {
    pub relation: &'g Relation,
    pub value: Value,
    fillers: BTreeMap<String, String>,
    /// The frame that a document states it with.
    stated: Option<&'g Template>,
}

/// How the subject is called in a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mention {
    Name,
    /// "the bridge"
    Head,
    Pronoun,
    /// The name, also where the frame starts with a pronoun.
    Resolved,
}

/// Which words a question uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wording {
    /// Those of the statement, as far as any question has them.
    Close,
    /// Any.
    Free,
}

/// How an answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerStyle {
    /// The value and a full stop.
    Bare,
    /// The value alone.
    Unstopped,
    /// A whole sentence in the words of the question.
    Sentence,
    /// The sentence of the document, with the name for a pronoun.
    Stated,
}

impl AnswerStyle {
    /// A style as often as a reader would meet it.
    pub fn draw(rng: &mut Rng) -> Self {
        match rng.weighted(&[0.2, 0.08, 0.62, 0.1]) {
            0 => Self::Bare,
            1 => Self::Unstopped,
            2 => Self::Sentence,
            _ => Self::Stated,
        }
    }
}

impl<'g> Fact<'g> {
    /// A fact of this relation with a random value.
    pub fn draw(rng: &mut Rng, lexicon: &Lexicon, relation: &'g Relation) -> Self {
        Self {
            relation,
            value: value::draw(rng, lexicon, &relation.value_kind),
            fillers: BTreeMap::new(),
            stated: None,
        }
    }

    /// Fills all slots, for a question without a statement.
    pub fn fill_all(&mut self, rng: &mut Rng, lexicon: &Lexicon) {
        let relation = self.relation;
        let asked = relation.questions.iter().map(|question| &question.asked);
        for frame in asked.chain(&relation.answers) {
            for slot in frame.slots() {
                self.draw_filler(rng, lexicon, slot);
            }
        }
    }

    /// A sentence that states the fact.
    pub fn state(
        &mut self,
        rng: &mut Rng,
        lexicon: &Lexicon,
        entity: &Entity,
        mention: Mention,
    ) -> String {
        let relation = self.relation;
        let frames = match mention {
            Mention::Pronoun if !relation.pronoun_statements.is_empty() => {
                &relation.pronoun_statements
            }
            _ => &relation.statements,
        };
        let answerable: Vec<&Template> = frames
            .iter()
            .filter(|frame| {
                relation
                    .questions
                    .iter()
                    .any(|q| fillers_within(&q.asked, frame))
            })
            .collect();
        let frame = if answerable.is_empty() {
            rng.pick(&relation.statements)
        } else {
            *rng.pick(&answerable)
        };
        for slot in frame.slots() {
            self.draw_filler(rng, lexicon, slot);
        }
        self.stated = Some(frame);
        ended(&self.render(frame, entity, mention))
    }

    /// A question that the statement answers.
    pub fn question(&self, rng: &mut Rng, wording: Wording) -> &'g Question {
        let questions = &self.relation.questions;
        let known: Vec<&Question> = questions
            .iter()
            .filter(|question| self.is_filled(&question.asked))
            .collect();
        match (wording, self.stated) {
            _ if known.is_empty() => &questions[0],
            (Wording::Close, Some(stated)) => {
                let most = known.iter().map(|q| q.asked.n_shared_words(stated)).max();
                let closest: Vec<&Question> = known
                    .into_iter()
                    .filter(|q| Some(q.asked.n_shared_words(stated)) == most)
                    .collect();
                rng.pick::<&Question>(&closest)
            }
            _ => rng.pick::<&Question>(&known),
        }
    }

    /// The text of a question; it names the subject.
    pub fn asked(&self, question: &Question, entity: &Entity) -> String {
        capitalised(&self.render(&question.asked, entity, Mention::Name))
    }

    /// Whether one of its questions can be asked after the statement that was made.
    pub fn is_askable(&self) -> bool {
        self.relation
            .questions
            .iter()
            .any(|q| self.is_filled(&q.asked))
    }

    /// The answer to a question.
    pub fn answer(
        &self,
        rng: &mut Rng,
        entity: &Entity,
        question: &Question,
        style: AnswerStyle,
    ) -> String {
        let short =
            || self.as_in_text(&self.render(&self.relation.answers[0], entity, Mention::Name));
        let frame = match style {
            AnswerStyle::Bare => return format!("{}.", short()),
            AnswerStyle::Unstopped => return short(),
            AnswerStyle::Stated => self.restating(),
            AnswerStyle::Sentence => question
                .restated
                .as_ref()
                .filter(|frame| self.is_filled(frame)),
        };
        let frame = frame.unwrap_or_else(|| {
            let known: Vec<&Template> = self.sentences().collect();
            if known.is_empty() {
                &self.relation.answers[0]
            } else {
                *rng.pick(&known)
            }
        });
        ended(&self.render(frame, entity, Mention::Resolved))
    }

    /// Answers in whole sentences.
    fn sentences(&self) -> impl Iterator<Item = &'g Template> {
        let answers = &self.relation.answers[1..];
        answers.iter().filter(|a| self.is_filled(a))
    }

    /// The frame of the document's sentence where it names the subject once its first pronoun is resolved; else a plain one.
    fn restating(&self) -> Option<&'g Template> {
        let names = |frame: &Template| frame.slots().any(|slot| slot == "X");
        let starts_with_it = |frame: &Template| frame.slots().next() == Some("It");
        self.stated
            .filter(|frame| names(frame) || starts_with_it(frame))
            .or_else(|| self.sentences().find(|frame| names(frame)))
    }

    /// A short answer as it stands inside a sentence: what a small model learns first is to copy.
    fn as_in_text(&self, answer: &str) -> String {
        let answer = answer.trim_end_matches('.');
        if answer.starts_with(&self.value.text) {
            return answer.to_owned();
        }
        uncapitalised(answer)
    }

    /// The fact as a line of a list of data, such as "Founder: Ada Bell", where the relation has such a line.
    pub fn labelled(
        &mut self,
        rng: &mut Rng,
        lexicon: &Lexicon,
        entity: &Entity,
    ) -> Option<String> {
        if self.relation.labels.is_empty() {
            return None;
        }
        let frame = rng.pick(&self.relation.labels);
        for slot in frame.slots() {
            self.draw_filler(rng, lexicon, slot);
        }
        Some(self.render(frame, entity, Mention::Name)).filter(|_| self.is_askable())
    }

    fn is_filled(&self, frame: &Template) -> bool {
        fillers(frame).all(|slot| self.fillers.contains_key(slot))
    }

    fn render(&self, frame: &Template, entity: &Entity, mention: Mention) -> String {
        frame.render(|slot, context| self.fill(slot, context, entity, mention))
    }

    fn fill(&self, slot: &str, context: Context<'_>, entity: &Entity, mention: Mention) -> String {
        let [subject, possessive, object] = entity.pronoun;
        match slot {
            "X" if mention == Mention::Head => format!("the {}", entity.head),
            "X" => entity.mention(),
            "It" if mention == Mention::Resolved => capitalised(&entity.mention()),
            "V" => self.value.in_context(context),
            "It" | "He" | "She" => capitalised(subject),
            "it" | "he" | "she" => subject.to_owned(),
            "Its" | "His" => capitalised(possessive),
            "its" | "his" => possessive.to_owned(),
            "her" if context.after.starts_with(' ') => possessive.to_owned(),
            "Her" => capitalised(possessive),
            "him" | "her" => object.to_owned(),
            "Him" => capitalised(object),
            filler => self
                .fillers
                .get(filler)
                .cloned()
                .unwrap_or_else(|| "thing".to_owned()),
        }
    }

    fn draw_filler(&mut self, rng: &mut Rng, lexicon: &Lexicon, slot: &str) {
        if !FILLERS.contains(&slot) || self.fillers.contains_key(slot) {
            return;
        }
        if let "do" | "does" | "did" | "done" | "doing" = slot {
            let verb = rng.pick(&lexicon.verbs);
            for (slot, form) in [
                ("do", &verb.base),
                ("does", &verb.present),
                ("did", &verb.past),
                ("done", &verb.participle),
                ("doing", &verb.gerund),
            ] {
                self.fillers.insert(slot.to_owned(), form.clone());
            }
            return;
        }
        let words = loop {
            let words = filler(rng, lexicon, slot);
            if !self.fillers.values().any(|other| *other == words) && words != self.value.text {
                break words;
            }
        };
        self.fillers.insert(slot.to_owned(), words);
    }
}

fn filler(rng: &mut Rng, lexicon: &Lexicon, slot: &str) -> String {
    match slot.trim_end_matches('2') {
        "adj" => rng.pick(&lexicon.adjectives).clone(),
        "noun" => rng.pick(&lexicon.nouns).singular.clone(),
        "nouns" => rng.pick(&lexicon.nouns).plural.clone(),
        "animals" => rng
            .pick(&[
                "foxes", "birds", "cats", "dogs", "goats", "horses", "bees", "rats", "owls",
                "hens", "wolves", "eels", "frogs", "hares", "moths", "gulls", "snakes", "deer",
            ])
            .to_string(),
        "name" => proper(rng, lexicon),
        kind => value::draw(rng, lexicon, kind).text,
    }
}

fn fillers(frame: &Template) -> impl Iterator<Item = &str> {
    frame.slots().filter(|slot| FILLERS.contains(slot))
}

fn fillers_within(question: &Template, statement: &Template) -> bool {
    let is_verb = |slot: &str| ["do", "does", "did", "done", "doing"].contains(&slot);
    fillers(question).all(|slot| {
        statement
            .slots()
            .any(|s| s == slot || is_verb(s) && is_verb(slot))
    })
}

/// The sentence with a full stop, unless it ends with a stop already.
pub fn ended(sentence: &str) -> String {
    let sentence = capitalised(sentence);
    if sentence.ends_with(['.', '!', '?']) || sentence.ends_with(".\"") {
        sentence
    } else {
        format!("{sentence}.")
    }
}
