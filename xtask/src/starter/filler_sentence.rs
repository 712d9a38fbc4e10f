//! Sentences that nobody asks about.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::entity::Entity;
use crate::starter::fact::ended;
use crate::starter::lexicon::Lexicon;
use crate::starter::name;
use crate::starter::template::Template;

const FRAMES: &[&str] = &[
    "Nobody knows exactly why",
    "Visitors often ask about this",
    "That surprises many people",
    "Not everybody agrees with that",
    "Some people say that {it} is {adj}",
    "Many {nouns} can be seen nearby",
    "{A} {adj} {noun} is never far away",
    "There are also {adj} {nouns}",
    "Old people still talk about it",
    "The {noun} and the {noun2} are always {adj}",
    "This has not changed for a long time",
    "{P} is not far away",
    "A friend of {person} wrote this down",
    "Most people think of {nouns} first",
    "The {adj} {noun} is only one part of the story",
    "Children like to hear about {X}",
    "In bad weather the {noun} stays closed",
    "The rest is a matter of taste",
    "Some people think that {nouns} bring luck",
    "Of course, there is more to say",
    "Books about {X} are rare",
    "{person} once wanted to {do} the {noun}",
    "Without {nouns} nothing would work",
    "For a long time nobody cared",
    "People {do} {nouns} there",
    "Only a few {nouns} are left",
    "The {noun} makes a lot of work",
    "Both {nouns} and {nouns2} are common",
    "That is how the story goes",
    "Today things are {adj}",
    "There is no {noun} at all",
    "Even in {P} people have heard of {X}",
    "This is easy to remember",
    "Every year somebody asks for more {nouns}",
    "Nearly everything else is {adj}",
    "Her {noun} and his {noun2} are lost",
    "Experts are still looking for the {noun}",
    "A {noun} can be {adj} or {adj2}",
    "{X} has few enemies",
    "Photographs of {X} are {adj}",
];

/// One of them.
pub fn draw(rng: &mut Rng, lexicon: &Lexicon, entity: &Entity) -> String {
    let frame = Template::parse(rng.pick::<&str>(FRAMES));
    ended(&frame.render(|slot, _| match slot {
        "X" => entity.mention(),
        "it" => entity.pronoun[0].to_owned(),
        "A" => "a".to_owned(),
        "P" => name::place(rng, lexicon),
        "person" => name::person(rng, lexicon).0,
        "noun" | "noun2" => rng.pick(&lexicon.nouns).singular.clone(),
        "nouns" | "nouns2" => rng.pick(&lexicon.nouns).plural.clone(),
        "do" => rng.pick(&lexicon.verbs).base.clone(),
        _ => rng.pick(&lexicon.adjectives).clone(),
    }))
}
