//! Small worlds whose facts are asked for without any text, one world after the other.
//!
//! So the model practises what fine-tuning asks of it later: to learn new facts quickly, from a few questions, and to give them
//! back when the question comes in other words. A world that stayed would be learned by heart, question by question.

use ilab_base::seed::Rng;

use crate::starter::document;
use crate::starter::draw::Draw as _;
use crate::starter::entity::{self, Entity, SUBJECTS};
use crate::starter::fact::{AnswerStyle, Fact, Mention, Wording};
use crate::starter::grammar::Grammar;
use crate::starter::sample::Sample;

const N_THINGS: usize = 20;
/// How often each fact is asked for, on average, before the next world comes.
const TIMES_ASKED: usize = 16;

/// The things of a world with what is true of them.
#[derive(Debug)]
pub struct World<'g> {
    things: Vec<(Entity, Vec<Fact<'g>>)>,
    n_questions_left: usize,
}

impl<'g> World<'g> {
    /// A new world.
    pub fn new(rng: &mut Rng, grammar: &'g Grammar) -> Self {
        let mut things = Vec::new();
        while things.len() < N_THINGS {
            let kind = *rng.pick(SUBJECTS);
            let entity = entity::draw(rng, &grammar.lexicon, kind);
            let n_facts = rng.between(4, 14);
            let mut facts = grammar.facts(rng, kind, n_facts);
            for fact in &mut facts {
                fact.state(rng, &grammar.lexicon, &entity, Mention::Name);
            }
            facts.retain(Fact::is_askable);
            if !facts.is_empty() {
                things.push((entity, facts));
            }
        }
        let n_facts: usize = things.iter().map(|(_, facts)| facts.len()).sum();
        Self {
            things,
            n_questions_left: n_facts * TIMES_ASKED,
        }
    }

    /// Whether it is time for another world.
    pub fn is_over(&self) -> bool {
        self.n_questions_left == 0
    }

    /// Questions about it, one after another.
    pub fn sample(&mut self, rng: &mut Rng) -> Sample {
        let mut sample = Sample::default();
        let n_questions = rng.between(2, 8);
        for _ in 0..n_questions {
            let (entity, facts) = rng.pick(&self.things);
            let style = AnswerStyle::draw(rng);
            let fact = rng.pick(facts);
            let pair = document::ask(rng, fact, entity, style, Wording::Free);
            sample.exchange(pair.question, pair.answer);
        }
        self.n_questions_left = self.n_questions_left.saturating_sub(n_questions);
        sample
    }
}
