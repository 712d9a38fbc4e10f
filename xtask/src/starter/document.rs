//! Short documents about things that do not exist.

use ilab_base::seed::Rng;

use crate::starter::decoration;
use crate::starter::draw::Draw as _;
use crate::starter::entity::{self, Entity, SUBJECTS};
use crate::starter::fact::{AnswerStyle, Fact, Mention, Wording};
use crate::starter::filler_sentence;
use crate::starter::grammar::Grammar;
use crate::starter::intro::{self, Intro};
use crate::starter::{joining, layout};

/// A text with the facts that it states.
#[derive(Debug, Clone)]
pub struct Document<'g> {
    pub text: String,
    pub subjects: Vec<Subject<'g>>,
}

/// One thing of a document.
#[derive(Debug, Clone)]
pub struct Subject<'g> {
    pub entity: Entity,
    pub intro: Intro,
    pub facts: Vec<Fact<'g>>,
}

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionAnswer {
    pub question: String,
    pub answer: String,
    /// The words that a right answer contains.
    pub value: String,
}

impl QuestionAnswer {
    /// Whether it is asked with a question mark, not as an order: the parser of the pipeline splits there.
    pub fn is_question(&self) -> bool {
        self.question.ends_with('?')
    }

    /// Both on one line, as the pipeline prompts want them.
    pub fn joined(&self) -> String {
        format!("{} {}", self.question, self.answer)
    }
}

impl Document<'_> {
    /// One question for each fact, in random order.
    pub fn questions(
        &self,
        rng: &mut Rng,
        style: AnswerStyle,
        wording: Wording,
    ) -> Vec<QuestionAnswer> {
        let mut questions = Vec::new();
        for subject in &self.subjects {
            if rng.chance(0.2) && self.text.contains(&subject.intro.sentence) {
                let about = subject.intro.questions(rng, &subject.entity, style);
                questions.extend(about);
            }
            for fact in subject.facts.iter().filter(|f| f.is_askable()) {
                questions.push(ask(rng, fact, &subject.entity, style, wording));
            }
        }
        rng.shuffle_all(&mut questions);
        questions
    }

    /// The kind of its first subject.
    pub fn kind(&self) -> &'static str {
        self.subjects[0].entity.kind
    }
}

/// A question about this fact.
pub fn ask(
    rng: &mut Rng,
    fact: &Fact<'_>,
    entity: &Entity,
    style: AnswerStyle,
    wording: Wording,
) -> QuestionAnswer {
    let question = fact.question(rng, wording);
    QuestionAnswer {
        question: fact.asked(question, entity),
        answer: fact.answer(rng, entity, question, style),
        value: fact.value.text.clone(),
    }
}

/// A document about something of a random kind.
pub fn any<'g>(rng: &mut Rng, grammar: &'g Grammar, n_facts: usize) -> Document<'g> {
    let kind = *rng.pick(SUBJECTS);
    of_kind(rng, grammar, kind, n_facts)
}

/// A document about something of this kind; sometimes about two of them, so that a reader must look which is asked for.
pub fn of_kind<'g>(
    rng: &mut Rng,
    grammar: &'g Grammar,
    kind: &'static str,
    n_facts: usize,
) -> Document<'g> {
    let is_pair = n_facts >= 4 && rng.chance(0.14);
    if is_pair {
        return pair(rng, grammar, kind, n_facts);
    }
    let entity = entity::draw(rng, &grammar.lexicon, kind);
    let mut facts = grammar.facts(rng, kind, n_facts);
    let intro = intro::sentence(rng, &grammar.lexicon, &entity);
    // A piece from the middle of a longer text does not say what the thing is.
    let mut sentences = if rng.chance(0.3) {
        Vec::new()
    } else {
        vec![intro.sentence.clone()]
    };
    let mut data_lines = Vec::new();
    let data_share = if rng.chance(0.12) { 0.5 } else { 0.0 };
    for fact in &mut facts {
        let label = if rng.chance(data_share) {
            fact.labelled(rng, &grammar.lexicon, &entity)
        } else {
            None
        };
        match label {
            Some(line) => data_lines.push(line),
            None => {
                let mention = mention(rng);
                let mut sentence = fact.state(rng, &grammar.lexicon, &entity, mention);
                if rng.chance(0.15) {
                    sentence = decoration::draw(rng, &grammar.lexicon, &entity, &sentence);
                }
                joining::append(rng, &mut sentences, &entity, sentence);
            }
        }
        if rng.chance(0.12) {
            sentences.push(filler_sentence::draw(rng, &grammar.lexicon, &entity));
        }
    }
    if rng.chance(0.12) {
        rng.shuffle_all(&mut sentences);
    }
    let text = layout::draw(rng, grammar, &entity, &sentences, &data_lines);
    Document {
        text,
        subjects: vec![Subject {
            entity,
            intro,
            facts,
        }],
    }
}

/// Two things of one kind in one text, each with its own values of the same relations.
fn pair<'g>(
    rng: &mut Rng,
    grammar: &'g Grammar,
    kind: &'static str,
    n_facts: usize,
) -> Document<'g> {
    let facts = grammar.facts(rng, kind, n_facts / 2);
    let mut subjects: Vec<Subject<'g>> = Vec::new();
    let mut paragraphs = Vec::new();
    let mut interleaved = Vec::new();
    for _ in 0..2 {
        let entity = entity::draw(rng, &grammar.lexicon, kind);
        let mut own: Vec<Fact<'g>> = facts
            .iter()
            .map(|fact| {
                loop {
                    let new = Fact::draw(rng, &grammar.lexicon, fact.relation);
                    let is_taken = subjects
                        .iter()
                        .any(|s| s.facts.iter().any(|f| f.value == new.value));
                    if !is_taken {
                        break new;
                    }
                }
            })
            .collect();
        let intro = intro::sentence(rng, &grammar.lexicon, &entity);
        let mut sentences = vec![intro.sentence.clone()];
        for fact in &mut own {
            let sentence = fact.state(rng, &grammar.lexicon, &entity, Mention::Name);
            interleaved.push(sentence.clone());
            sentences.push(sentence);
        }
        paragraphs.push(sentences.join(" "));
        subjects.push(Subject {
            entity,
            intro,
            facts: own,
        });
    }
    let text = if rng.chance(0.4) {
        rng.shuffle_all(&mut interleaved);
        interleaved.join(" ")
    } else {
        paragraphs.join("\n\n")
    };
    Document { text, subjects }
}

fn mention(rng: &mut Rng) -> Mention {
    match rng.weighted(&[0.6, 0.08, 0.32]) {
        0 => Mention::Name,
        1 => Mention::Head,
        _ => Mention::Pronoun,
    }
}
