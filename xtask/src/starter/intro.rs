//! First sentences: what the thing of a document is.

use ilab_base::seed::Rng;

use crate::starter::document::QuestionAnswer;
use crate::starter::draw::Draw as _;
use crate::starter::entity::Entity;
use crate::starter::fact::{AnswerStyle, ended};
use crate::starter::lexicon::Lexicon;
use crate::starter::name;
use crate::starter::template::{Template, takes_an};
use crate::starter::word::capitalised;

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
    "{X} is {K} from {P}.",
    "{X} comes from {P} and is {K}.",
    "{X} was {K} in {P}.",
    "There is {K} named {X}.",
    "{X} belongs to {P} and is {K}.",
    "Once there was {K} called {X}.",
    "{X} is {K} of {P}.",
    "People in {P} are proud of {X}, {K}.",
    "{X} may be {K}, but it is liked in {P}.",
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

/// The first sentence, and what can be asked about it.
#[derive(Debug, Clone)]
pub struct Intro {
    pub sentence: String,
    /// What it is, with an article.
    pub kind: String,
    /// Where it is from, when the sentence says so plainly.
    pub place: Option<String>,
}

impl Intro {
    /// Questions that the sentence answers.
    pub fn questions(
        &self,
        rng: &mut Rng,
        entity: &Entity,
        style: AnswerStyle,
    ) -> Vec<QuestionAnswer> {
        let name = entity.mention();
        let verb = if self.sentence.contains(" was ") {
            "was"
        } else {
            "is"
        };
        let is_person = entity.kind == "person";
        let what = match (is_person, rng.between(0, 2)) {
            (true, 0) => format!("What is the job of {name}?"),
            (true, _) => format!("Who {verb} {name}?"),
            (false, 0) => format!("What kind of thing {verb} {name}?"),
            (false, _) => format!("What {verb} {name}?"),
        };
        let mut asked = vec![pair(
            what,
            &self.kind,
            format!("{name} {verb} {}", self.kind),
            style,
        )];
        if let Some(place) = &self.place {
            let question = match rng.between(0, 2) {
                0 => format!("Where does {name} come from?"),
                1 => format!("Where is {name} from?"),
                _ => format!("From which place is {name}?"),
            };
            asked.push(pair(
                question,
                place,
                format!("{name} comes from {place}"),
                style,
            ));
        }
        asked
    }
}

fn pair(question: String, value: &str, sentence: String, style: AnswerStyle) -> QuestionAnswer {
    QuestionAnswer {
        question,
        value: value.to_owned(),
        answer: match style {
            AnswerStyle::Bare => ended(value),
            AnswerStyle::Unstopped => capitalised(value),
            AnswerStyle::Sentence | AnswerStyle::Stated => ended(&sentence),
        },
    }
}

/// A sentence that says what the entity is.
pub fn sentence(rng: &mut Rng, lexicon: &Lexicon, entity: &Entity) -> Intro {
    let frames = if entity.kind == "person" {
        PERSON
    } else {
        THING
    };
    let text = *rng.pick(frames);
    let frame = Template::parse(text);
    let kind = kind_phrase(rng, lexicon, &entity.head);
    let place = name::place(rng, lexicon);
    let sentence = frame.render(|slot, _| match slot {
        "X" => entity.mention(),
        "K" => kind.clone(),
        _ => place.clone(),
    });
    Intro {
        sentence,
        kind,
        place: text.contains("from {P}").then_some(place),
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
