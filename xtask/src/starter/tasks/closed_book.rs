//! A small world that is the same in every corpus: its facts are asked for without any text.
//!
//! So the model practises what fine-tuning asks of it later: to keep facts in its weights and to give them back when the
//! question comes in other words.

use ilab_base::seed::{Rng, rng};

use crate::starter::document;
use crate::starter::draw::Draw as _;
use crate::starter::entity::{self, Entity, SUBJECTS};
use crate::starter::fact::{AnswerStyle, Fact, Mention, Wording};
use crate::starter::grammar::Grammar;
use crate::starter::sample::Sample;

const N_THINGS: usize = 60;
const FACTS_EACH: usize = 6;

/// The things of the world with what is true of them.
#[derive(Debug)]
pub struct World<'g> {
    things: Vec<(Entity, Vec<Fact<'g>>)>,
}

impl<'g> World<'g> {
    /// The world does not depend on the seed of the corpus.
    pub fn new(grammar: &'g Grammar) -> Self {
        let mut rng = rng(0, "world");
        let things = (0..N_THINGS)
            .map(|_| {
                let kind = *rng.pick(SUBJECTS);
                let entity = entity::draw(&mut rng, &grammar.lexicon, kind);
                let mut facts = grammar.facts(&mut rng, kind, FACTS_EACH);
                for fact in &mut facts {
                    fact.state(&mut rng, &grammar.lexicon, &entity, Mention::Name);
                }
                facts.retain(Fact::is_askable);
                (entity, facts)
            })
            .collect();
        Self { things }
    }

    /// Questions about it, one after another.
    pub fn sample(&self, rng: &mut Rng) -> Sample {
        let mut sample = Sample {
            unmask: rng.chance(0.2),
            ..Sample::default()
        };
        for _ in 0..rng.between(3, 8) {
            let (entity, facts) = rng.pick(&self.things);
            if facts.is_empty() {
                continue;
            }
            let style = AnswerStyle::draw(rng);
            let fact = rng.pick(facts);
            let pair = document::ask(rng, fact, entity, style, Wording::Free);
            sample.exchange(pair.question, pair.answer);
        }
        sample
    }
}
