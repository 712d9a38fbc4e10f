//! First sentences: what the thing of a document is.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;
use crate::starter::name::{self, Entity};
use crate::starter::template::{Template, takes_an};

const THING: &[&str] = &[
    "{X} is {K}.",
    "{X} is {K}.",
    "{X} is {K} in {P}.",
    "{X} is {K} from {P}.",
    "{X}, {K}, is well known in {P}.",
    "{X} is the name of {K}.",
    "In {P} there is {K} called {X}.",
    "Few people outside {P} know {X}, {K}.",
    "This is about {X}, {K} from {P}.",
    "{X} is {K} that people in {P} talk about.",
    "{X} is {K} near {P}.",
    "Everybody in {P} knows {X}, {K}.",
    "{X} counts as {K}.",
    "{X} was {K} in {P}.",
    "There is {K} named {X}.",
    "{X} belongs to {P} and is {K}.",
    "Once there was {K} called {X}.",
    "{X} is {K} of {P}.",
    "People in {P} are proud of {X}, {K}.",
    "{X} may be {K}, but it is loved in {P}.",
];
const PERSON: &[&str] = &[
    "{X} is {K}.",
    "{X} is {K} from {P}.",
    "{X} was {K} in {P}.",
    "{X}, {K} from {P}, is not well known.",
    "In {P} lives {K} named {X}.",
    "{X} works as {K} in {P}.",
    "{X} became {K} in {P}.",
    "This is the story of {X}, {K}.",
    "Everybody in {P} knows {X}, {K}.",
    "{X} grew up in {P} and became {K}.",
];

/// A sentence that says what the entity is.
pub fn sentence(rng: &mut Rng, lexicon: &Lexicon, entity: &Entity) -> String {
    let frames = if entity.kind == "person" {
        PERSON
    } else {
        THING
    };
    let frame = Template::parse(*rng.pick(frames));
    let kind = kind_phrase(rng, lexicon, &entity.head);
    let place = name::place(rng, lexicon);
    let sentence = frame.render(|slot, _| match slot {
        "X" => entity.mention(),
        "K" => kind.clone(),
        _ => place.clone(),
    });
    if entity.kind == "person" {
        sentence
    } else {
        sentence.replace("it is loved", "it is liked")
    }
}

fn kind_phrase(rng: &mut Rng, lexicon: &Lexicon, head: &str) -> String {
    let first = rng.pick(&lexicon.adjectives);
    let words = match rng.weighted(&[0.25, 0.4, 0.12, 0.13, 0.1]) {
        0 => head.to_owned(),
        1 => format!("{first} {head}"),
        2 => format!("{first} and {} {head}", rng.pick(&lexicon.adjectives)),
        3 => format!("{} {head}", rng.pick(lexicon.list("colour"))),
        _ => format!("{first} little {head}"),
    };
    if takes_an(&words) {
        format!("an {words}")
    } else {
        format!("a {words}")
    }
}
