//! The lexicon and the relations, loaded once.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::fact::Fact;
use crate::starter::grammar_error::GrammarError;
use crate::starter::lexicon::Lexicon;
use crate::starter::relation::{self, Relation, Split};

/// Everything that sentences are made from.
#[derive(Debug)]
pub struct Grammar {
    pub lexicon: Lexicon,
    pub relations: Vec<Relation>,
}

impl Grammar {
    /// Parses the files that the program carries and keeps the frames of one split.
    pub fn embedded(split: Split) -> Result<Self, GrammarError> {
        let mut relations = Vec::new();
        for (file, text) in RELATION_FILES {
            relations.extend(relation::parse(file, text)?);
        }
        Ok(Self {
            lexicon: Lexicon::embedded()?,
            relations: relation::split(relations, split),
        })
    }

    /// Every sixth relation of a kind, with two frames to state it and two to ask for it. A model that has to find the meaning
    /// of all relations at once learns to go on copying, and not where to begin.
    pub fn narrowed(mut self) -> Self {
        let mut n_seen = 0;
        self.relations.retain(|relation| {
            n_seen += 1;
            n_seen % 6 == 1 || relation.subject == "any"
        });
        for relation in &mut self.relations {
            relation.statements.truncate(2);
            relation.pronoun_statements.truncate(1);
            relation.labels.clear();
            relation.questions.truncate(2);
            relation.answers.truncate(2);
        }
        self
    }

    /// Facts that can be told of one subject of this kind: mostly what is particular to the kind, each relation once.
    pub fn facts(&self, rng: &mut Rng, kind: &str, n: usize) -> Vec<Fact<'_>> {
        let (generic, particular): (Vec<&Relation>, Vec<&Relation>) = self
            .relations
            .iter()
            .filter(|r| r.fits(kind))
            .partition(|r| r.subject != kind);
        let mut facts: Vec<Fact<'_>> = Vec::new();
        let mut tries = 0;
        while facts.len() < n && tries < n * 10 {
            tries += 1;
            let pool = if particular.is_empty() || !generic.is_empty() && rng.chance(0.3) {
                &generic
            } else {
                &particular
            };
            if pool.is_empty() {
                break;
            }
            let relation = *rng.pick(pool);
            let is_new =
                relation.is_repeatable() || facts.iter().all(|f| f.relation.name != relation.name);
            let fact = Fact::draw(rng, &self.lexicon, relation);
            if is_new && facts.iter().all(|f| f.value.text != fact.value.text) {
                facts.push(fact);
            }
        }
        facts
    }
}

/// Name and text of every relation file.
const RELATION_FILES: &[(&str, &str)] = &[
    (
        "animal.txt",
        include_str!("../../starter/relations/animal.txt"),
    ),
    ("any.txt", include_str!("../../starter/relations/any.txt")),
    ("book.txt", include_str!("../../starter/relations/book.txt")),
    (
        "building.txt",
        include_str!("../../starter/relations/building.txt"),
    ),
    (
        "custom.txt",
        include_str!("../../starter/relations/custom.txt"),
    ),
    (
        "drink.txt",
        include_str!("../../starter/relations/drink.txt"),
    ),
    (
        "event.txt",
        include_str!("../../starter/relations/event.txt"),
    ),
    (
        "festival.txt",
        include_str!("../../starter/relations/festival.txt"),
    ),
    ("food.txt", include_str!("../../starter/relations/food.txt")),
    ("game.txt", include_str!("../../starter/relations/game.txt")),
    (
        "machine.txt",
        include_str!("../../starter/relations/machine.txt"),
    ),
    (
        "object.txt",
        include_str!("../../starter/relations/object.txt"),
    ),
    (
        "organisation.txt",
        include_str!("../../starter/relations/organisation.txt"),
    ),
    (
        "person.txt",
        include_str!("../../starter/relations/person.txt"),
    ),
    (
        "place.txt",
        include_str!("../../starter/relations/place.txt"),
    ),
    (
        "plant.txt",
        include_str!("../../starter/relations/plant.txt"),
    ),
    ("song.txt", include_str!("../../starter/relations/song.txt")),
    ("star.txt", include_str!("../../starter/relations/star.txt")),
    (
        "substance.txt",
        include_str!("../../starter/relations/substance.txt"),
    ),
    (
        "vehicle.txt",
        include_str!("../../starter/relations/vehicle.txt"),
    ),
];
