//! The things that documents are about, and how they are called.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;
use crate::starter::name;
use crate::starter::template::Template;
use crate::starter::word::{self, capitalised, title};

/// What a document is about.
#[derive(Debug, Clone)]
pub struct Entity {
    /// The kind of subject that relation files name.
    pub kind: &'static str,
    /// The name without "the".
    pub name: String,
    /// Whether the name stands with "the".
    pub has_article: bool,
    /// The plain word for it: "bridge", "animal".
    pub head: String,
    /// The three forms of its pronoun: subject, possessive, object.
    pub pronoun: [&'static str; 3],
}

impl Entity {
    /// The name as it stands in a sentence.
    pub fn mention(&self) -> String {
        if self.has_article {
            format!("the {}", self.name)
        } else {
            self.name.clone()
        }
    }

    /// The name as a heading.
    pub fn heading(&self) -> String {
        capitalised(&self.name)
    }
}

/// The kinds of subjects.
pub const SUBJECTS: &[&str] = &[
    "place",
    "building",
    "organisation",
    "festival",
    "person",
    "animal",
    "plant",
    "machine",
    "food",
    "drink",
    "game",
    "book",
    "song",
    "vehicle",
    "substance",
    "star",
    "object",
    "event",
    "custom",
];

const IT: [&str; 3] = ["it", "its", "it"];

/// Invents something of this kind.
pub fn draw(rng: &mut Rng, lexicon: &Lexicon, kind: &'static str) -> Entity {
    if kind == "person" {
        return person(rng, lexicon);
    }
    let naming = lexicon.naming(kind);
    let head = rng.pick(&naming.heads).clone();
    let weights: Vec<f64> = naming.patterns.iter().map(|(weight, _)| *weight).collect();
    let (_, pattern) = &naming.patterns[rng.weighted(&weights)];
    let name = expand(rng, lexicon, pattern, kind, &head);
    let bare = name.strip_prefix("the ").map(str::to_owned);
    Entity {
        kind,
        has_article: bare.is_some(),
        name: bare.unwrap_or(name),
        head,
        pronoun: IT,
    }
}

fn person(rng: &mut Rng, lexicon: &Lexicon) -> Entity {
    let (name, is_she) = name::person(rng, lexicon);
    Entity {
        kind: "person",
        name,
        has_article: false,
        head: rng.pick(lexicon.list("job")).clone(),
        pronoun: if is_she {
            ["she", "her", "her"]
        } else {
            ["he", "his", "him"]
        },
    }
}

fn expand(rng: &mut Rng, lexicon: &Lexicon, pattern: &Template, kind: &str, head: &str) -> String {
    pattern.expand(|slot| match slot {
        "head" => head.to_owned(),
        "Head" => title(head),
        "proper" => word::proper(rng, lexicon),
        "word" => word::word(rng),
        "Word" => capitalised(&word::word(rng)),
        "stem" => word::word(rng)
            .trim_end_matches(['a', 'e', 'i', 'o', 'u', 'y'])
            .to_owned(),
        "compound" => word::common_noun(rng, lexicon, lexicon.list(kind)),
        "code" => word::code(rng),
        "place" => name::place(rng, lexicon),
        "English" => title(&word::english(rng, lexicon)),
        "noun" => rng.pick(&lexicon.nouns).singular.clone(),
        "Noun" => title(&rng.pick(&lexicon.nouns).singular),
        "Nouns" => title(&rng.pick(&lexicon.nouns).plural),
        "Adj" => title(rng.pick(&lexicon.adjectives).as_str()),
        list => rng.pick(lexicon.list(list)).clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_that_can_start_a_heading() {
        let lexicon = Lexicon::embedded().unwrap();
        let mut rng = ilab_base::seed::rng(1, "entities");
        for kind in SUBJECTS {
            for _ in 0..200 {
                let entity = draw(&mut rng, &lexicon, kind);
                assert!(!entity.name.starts_with("the "), "{}", entity.name);
                assert!(!entity.name.contains(['{', '}']), "{}", entity.name);
                assert!(
                    entity
                        .heading()
                        .chars()
                        .next()
                        .is_some_and(|c| !c.is_lowercase()),
                    "{}",
                    entity.name
                );
            }
        }
    }
}
