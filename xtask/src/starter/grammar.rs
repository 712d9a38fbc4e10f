//! The lexicon and the relations, loaded once.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::fact::Fact;
use crate::starter::grammar_error::GrammarError;
use crate::starter::lexicon::Lexicon;
use crate::starter::relation::{self, Manner, Relation, Split};

/// Everything that sentences are made from.
#[derive(Debug)]
pub struct Grammar {
    pub lexicon: Lexicon,
    pub relations: Vec<Relation>,
    /// The share of documents that are told in artful sentences.
    pub artful_share: f64,
}

impl Grammar {
    /// Parses the files that the program carries and keeps the frames of one split.
    pub fn embedded(split: Split) -> Result<Self, GrammarError> {
        let mut relations = Vec::new();
        for (files, manner) in [(PLAIN_FILES, Manner::Plain), (ARTFUL_FILES, Manner::Artful)] {
            for (file, text) in files {
                relations.extend(relation::parse(file, text, manner)?);
            }
        }
        Ok(Self {
            lexicon: Lexicon::embedded()?,
            relations: relation::split(relations, split),
            artful_share: 0.25,
        })
    }

    /// Nearly all in plain sentences. What a model finds there is learned for all sentences, and the artful ones come later.
    pub fn plain(mut self) -> Self {
        self.artful_share = 0.12;
        self
    }

    /// Facts that can be told of one subject of this kind, all in one manner, each relation once: mostly what is said of
    /// things of the kind, not of anything at all.
    pub fn facts(&self, rng: &mut Rng, kind: &str, n: usize) -> Vec<Fact<'_>> {
        let manner = if rng.chance(self.artful_share) {
            Manner::Artful
        } else {
            Manner::Plain
        };
        let (generic, particular): (Vec<&Relation>, Vec<&Relation>) = self
            .relations
            .iter()
            .filter(|r| r.manner == manner && r.fits(kind))
            .partition(|r| r.subject == "any");
        let generic_share = match (generic.is_empty(), particular.is_empty()) {
            (true, true) => return Vec::new(),
            (true, false) => 0.0,
            (false, true) => 1.0,
            (false, false) => 0.33,
        };
        let mut facts: Vec<Fact<'_>> = Vec::new();
        let mut tries = 0;
        while facts.len() < n && tries < n * 10 {
            tries += 1;
            let pool = if rng.chance(generic_share) {
                &generic
            } else {
                &particular
            };
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

/// Name and text of the relation files in a folder.
macro_rules! relation_files {
    ($folder:literal: $($name:literal)*) => {
        &[$((
            concat!($folder, "/", $name, ".txt"),
            include_str!(concat!("../../starter/", $folder, "/", $name, ".txt")),
        )),*]
    };
}

/// Files whose statements are plain, as in an encyclopedia for children.
const PLAIN_FILES: &[(&str, &str)] = relation_files!("encyclopedia":
    "random" "thing" "animal" "book" "building" "custom" "drink" "event" "festival" "food" "game" "machine" "object"
    "organisation" "person" "place" "plant" "song" "star" "substance" "vehicle"
);

/// Files whose statements are told as in a tale.
const ARTFUL_FILES: &[(&str, &str)] = relation_files!("relations":
    "any" "animal" "book" "building" "custom" "drink" "event" "festival" "food" "game" "machine" "object"
    "organisation" "person" "place" "plant" "song" "star" "substance" "vehicle"
);
