//! Values of every kind: what a question asks for.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;
use crate::starter::name;
use crate::starter::number;
use crate::starter::template::{Context, takes_an};
use crate::starter::word;

/// The kinds of values that relation files may name.
pub const KINDS: &[&str] = &[
    "person",
    "place",
    "name",
    "year",
    "number",
    "count",
    "length",
    "weight",
    "duration",
    "age",
    "money",
    "colour",
    "material",
    "food",
    "drink",
    "plant",
    "animal",
    "creature",
    "month",
    "day",
    "season",
    "date",
    "time",
    "direction",
    "bodypart",
    "tool",
    "noun",
    "things",
    "adjective",
    "job",
    "sound",
    "shape",
    "smell",
    "instrument",
    "clothing",
    "activity",
    "reason",
    "purpose",
    "group",
    "festival",
    "weather",
    "landmark",
    "nickname",
    "pattern",
    "dish",
    "trees",
    "crowd",
    "ailment",
    "dress",
];

/// A value as it can stand in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The words without an article that the sentence may bring itself.
    pub text: String,
    /// A countable noun: it takes "a" unless the sentence has an article or possessive before it.
    pub is_countable: bool,
}

impl Value {
    fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_countable: false,
        }
    }

    fn countable(text: impl Into<String>) -> Self {
        let text = text.into();
        let is_countable = !looks_plural(&text);
        Self { text, is_countable }
    }

    /// The value where it stands.
    pub fn in_context(&self, context: Context<'_>) -> String {
        if self.is_countable && !has_determiner(context.before) && !joins(context.after) {
            self.alone()
        } else {
            self.text.clone()
        }
    }

    /// The value by itself, as a short answer.
    pub fn alone(&self) -> String {
        match (self.is_countable, takes_an(&self.text)) {
            (false, _) => self.text.clone(),
            (true, true) => format!("an {}", self.text),
            (true, false) => format!("a {}", self.text),
        }
    }
}

fn looks_plural(noun: &str) -> bool {
    noun.ends_with('s')
        && !["ss", "us", "compass", "trellis", "octopus"]
            .iter()
            .any(|e| noun.ends_with(e))
        || ["feet", "teeth", "pliers", "shears", "hair", "squid"].contains(&noun)
}

fn has_determiner(before: &str) -> bool {
    const DETERMINERS: &[&str] = &[
        "a", "an", "the", "its", "his", "her", "your", "their", "this", "that", "each", "every",
        "no", "one", "any", "another",
    ];
    const LINKS: &[&str] = &[
        "of", "as", "like", "for", "to", "in", "on", "with", "by", "is", "was", "from", "into",
        "and", "or", "than", "wears", "wear", "use", "uses", "using", "needs", "plays",
    ];
    if !before.ends_with(' ') {
        return before.ends_with('-');
    }
    let mut words = before.split_whitespace().rev().map(str::to_lowercase);
    let is_determiner =
        |word: &String| DETERMINERS.contains(&word.as_str()) || word.ends_with("'s");
    let last = words.next().unwrap_or_default();
    let is_adjective = !LINKS.contains(&last.as_str()) && !last.ends_with([',', ';', ':', '.']);
    is_determiner(&last)
        || is_adjective
            && words
                .next()
                .is_some_and(|word| is_determiner(&word) && word != "that")
}

/// Text that makes a compound of the value: "fox-shaped", "foxes".
fn joins(after: &str) -> bool {
    ["-", "s ", "s.", "s,", "es ", " shape"]
        .iter()
        .any(|start| after.starts_with(start))
}

/// Draws a value of a kind of [`KINDS`].
pub fn draw(rng: &mut Rng, lexicon: &Lexicon, kind: &str) -> Value {
    match kind {
        "person" => Value::plain(name::person(rng, lexicon).0),
        "place" => Value::plain(name::place(rng, lexicon)),
        "name" => Value::plain(word::proper(rng, lexicon)),
        "year" => Value::plain(number::year(rng)),
        "number" => Value::plain(number::number(rng)),
        "count" => Value::plain(number::count(rng)),
        "length" => Value::plain(number::length(rng)),
        "weight" => Value::plain(number::weight(rng)),
        "duration" => Value::plain(number::duration(rng)),
        "age" => Value::plain(number::age(rng)),
        "money" => Value::plain(number::money(rng, lexicon)),
        "date" => Value::plain(number::date(rng, lexicon)),
        "time" => Value::plain(number::time(rng)),
        "noun" => Value::plain(noun_phrase(rng, lexicon)),
        "things" => Value::plain(plural_phrase(rng, lexicon)),
        "adjective" => Value::plain(adjective(rng, lexicon)),
        "activity" => Value::plain(rng.pick(&lexicon.activities).clone()),
        "reason" => Value::plain(reason(rng, lexicon)),
        "purpose" => Value::plain(purpose(rng, lexicon)),
        "festival" => Value::plain(festival(rng, lexicon)),
        "landmark" => Value::plain(name::landmark(rng)),
        "nickname" => Value::plain(name::nickname(rng, lexicon)),
        "pattern" => Value::plain(coloured(rng, lexicon, "pattern")),
        "dish" => Value::plain(dish(rng, lexicon)),
        "trees" => Value::plain(format!("{} trees", rng.pick(lexicon.list("tree")))),
        "crowd" => Value::plain(format!(
            "{} {}",
            number::count(rng),
            rng.pick(lexicon.list("people"))
        )),
        "dress" => Value::countable(coloured(rng, lexicon, "garment")),
        "food" => Value::plain(food(rng, lexicon)),
        "animal" => Value::plain(rng.pick(lexicon.list("animals")).clone()),
        "creature" => Value::countable(rng.pick(lexicon.list("animal")).clone()),
        "tool" | "job" | "shape" | "instrument" | "clothing" => {
            Value::countable(rng.pick(lexicon.list(kind)).clone())
        }
        list => Value::plain(rng.pick(lexicon.list(list)).clone()),
    }
}

fn noun_phrase(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let noun = &rng.pick(&lexicon.nouns).singular;
    let words = match rng.weighted(&[0.35, 0.4, 0.15, 0.1]) {
        0 => noun.clone(),
        1 => format!("{} {noun}", rng.pick(&lexicon.adjectives)),
        2 => format!("{} {noun}", rng.pick(lexicon.list("material"))),
        _ => format!("{} {noun}", rng.pick(lexicon.list("colour"))),
    };
    if takes_an(&words) {
        format!("an {words}")
    } else {
        format!("a {words}")
    }
}

fn plural_phrase(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let noun = &rng.pick(&lexicon.nouns).plural;
    match rng.weighted(&[0.4, 0.4, 0.2]) {
        0 => noun.clone(),
        1 => format!("{} {noun}", rng.pick(&lexicon.adjectives)),
        _ => format!("{} {noun}", rng.pick(lexicon.list("material"))),
    }
}

fn adjective(rng: &mut Rng, lexicon: &Lexicon) -> String {
    if rng.chance(0.5) {
        rng.pick(lexicon.list("quality")).clone()
    } else {
        rng.pick(&lexicon.adjectives).clone()
    }
}

fn food(rng: &mut Rng, lexicon: &Lexicon) -> String {
    if rng.chance(0.12) {
        format!(
            "{} {}",
            rng.pick(&lexicon.adjectives),
            rng.pick(lexicon.list("food"))
        )
    } else {
        rng.pick(lexicon.list("food")).clone()
    }
}

/// "yellow stripes", "dark red hat".
fn coloured(rng: &mut Rng, lexicon: &Lexicon, list: &str) -> String {
    let colour = rng.pick(lexicon.list("colour"));
    format!("{colour} {}", rng.pick(lexicon.list(list)))
}

/// "plum soup", "a barley cake".
fn dish(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let main = rng.pick(lexicon.list("ingredient"));
    let kind = rng.pick(lexicon.list("dish"));
    match rng.weighted(&[0.8, 0.2]) {
        0 => format!("{main} {kind}"),
        _ => format!("{kind} with {main}"),
    }
}

fn reason(rng: &mut Rng, lexicon: &Lexicon) -> String {
    let noun = rng.pick(&lexicon.nouns).clone();
    let verb = rng.pick(&lexicon.verbs).clone();
    match rng.weighted(&[0.5, 0.12, 0.12, 0.14, 0.12]) {
        0 => rng.pick(lexicon.list("reason")).clone(),
        1 => format!(
            "the {} was too {}",
            noun.singular,
            rng.pick(&lexicon.adjectives)
        ),
        2 => format!("the {} are {}", noun.plural, rng.pick(&lexicon.adjectives)),
        3 => format!(
            "{} {} the {}",
            rng.pick(lexicon.list("first_name")),
            verb.past,
            noun.singular
        ),
        _ => format!("nobody {} the {}", verb.past, noun.plural),
    }
}

fn purpose(rng: &mut Rng, lexicon: &Lexicon) -> String {
    if rng.chance(0.45) {
        return rng.pick(lexicon.list("purpose")).clone();
    }
    let verb = &rng.pick(&lexicon.verbs).base;
    format!("to {verb} {}", plural_phrase(rng, lexicon))
}

fn festival(rng: &mut Rng, lexicon: &Lexicon) -> String {
    match rng.weighted(&[0.4, 0.2, 0.2, 0.2]) {
        0 => rng.pick(lexicon.list("festival")).clone(),
        1 => format!(
            "the {} Fair",
            word::capitalised(&word::english(rng, lexicon))
        ),
        2 => format!("the Feast of {}", word::proper(rng, lexicon)),
        _ => format!("{} Day", word::capitalised(&word::word(rng))),
    }
}
