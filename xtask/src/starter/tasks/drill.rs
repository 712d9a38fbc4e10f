//! Copying, spelling and picking from lists.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::lexicon::Lexicon;
use crate::starter::sample::Sample;
use crate::starter::tasks::junk;
use crate::starter::{name, number, word};

/// Several short drills in one chat.
pub fn sample(rng: &mut Rng, lexicon: &Lexicon) -> Sample {
    let mut sample = Sample::default();
    let n = rng.between(3, 7);
    let kind = rng.weighted(&[0.18, 0.1, 0.06, 0.3, 0.03, 0.33]);
    match kind {
        5 => words(rng, lexicon, &mut sample),
        1 => list(rng, lexicon, &mut sample, n),
        3 => lookup(rng, lexicon, &mut sample, n),
        _ => {
            for _ in 0..n {
                match kind {
                    0 => copy(rng, lexicon, &mut sample),
                    2 => spell(rng, &mut sample),
                    _ => capitals(rng, lexicon, &mut sample),
                }
            }
        }
    }
    sample
}

/// Many words of all kinds: what has been copied once can be copied anywhere.
fn words(rng: &mut Rng, lexicon: &Lexicon, sample: &mut Sample) {
    for _ in 0..rng.between(1, 3) {
        let n = rng.between(6, 16);
        let words: Vec<&str> = (0..n)
            .map(|_| rng.pick(&lexicon.all_words).as_str())
            .collect();
        repeat(rng, sample, &words.join(" "));
    }
}

fn copy(rng: &mut Rng, lexicon: &Lexicon, sample: &mut Sample) {
    let text = junk::draw(rng, lexicon);
    repeat(rng, sample, &text);
}

fn repeat(rng: &mut Rng, sample: &mut Sample, text: &str) {
    let request = match rng.between(0, 5) {
        0 => format!("Repeat: {text}"),
        1 => format!("Say {text}"),
        2 => format!("Copy this: {text}"),
        3 => format!("{text}\n\nWrite that again."),
        4 => format!("Repeat what stands between the marks: [{text}]"),
        _ => format!("Echo {text}"),
    };
    sample.exchange(request, text);
}

fn spell(rng: &mut Rng, sample: &mut Sample) {
    let word = word::word(rng);
    let spelt = word.chars().map(String::from).collect::<Vec<_>>().join("-");
    if rng.chance(0.5) {
        sample.exchange(format!("Spell {word}."), spelt);
    } else {
        sample.exchange(format!("Which word is {spelt}?"), word);
    }
}

fn capitals(rng: &mut Rng, lexicon: &Lexicon, sample: &mut Sample) {
    let word = if rng.chance(0.5) {
        word::word(rng)
    } else {
        word::english(rng, lexicon)
    };
    let upper = word.to_uppercase();
    if rng.chance(0.5) {
        sample.exchange(format!("Write {word} in capital letters."), upper);
    } else {
        sample.exchange(format!("Write {upper} in small letters."), word);
    }
}

fn item(rng: &mut Rng, lexicon: &Lexicon, kind: usize) -> String {
    match kind {
        0 => word::capitalised(&word::word(rng)),
        1 => rng.pick(&lexicon.nouns).singular.clone(),
        2 => name::person(rng, lexicon).0,
        3 => number::number(rng),
        4 => word::code(rng),
        5 => word::word(rng),
        _ => rng.pick(&lexicon.all_words).clone(),
    }
}

fn distinct(rng: &mut Rng, lexicon: &Lexicon, n: usize) -> Vec<String> {
    let kind = rng.between(0, 7);
    let mut items: Vec<String> = Vec::new();
    while items.len() < n {
        let item = item(rng, lexicon, kind);
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

fn list(rng: &mut Rng, lexicon: &Lexicon, sample: &mut Sample, n_questions: usize) {
    const PLACES: &[&str] = &["first", "second", "third", "fourth", "fifth", "sixth"];
    let n_items = rng.between(3, 6);
    let items = distinct(rng, lexicon, n_items);
    let shown = match rng.between(0, 2) {
        0 => items.join(", "),
        1 => items
            .iter()
            .map(|i| format!("- {i}"))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => items
            .iter()
            .enumerate()
            .map(|(i, item)| format!("{}. {item}", i + 1))
            .collect::<Vec<_>>()
            .join("\n"),
    };
    for k in 0..n_questions {
        let i = rng.between(0, items.len() - 1);
        let (question, answer) = match rng.between(0, 4) {
            0 if i + 1 < items.len() => (
                format!("What comes after {}?", items[i]),
                items[i + 1].clone(),
            ),
            1 if i > 0 => (
                format!("What comes before {}?", items[i]),
                items[i - 1].clone(),
            ),
            2 => (
                "Which is the last?".to_owned(),
                items[items.len() - 1].clone(),
            ),
            3 => (
                "How many are there?".to_owned(),
                number::in_words(items.len()),
            ),
            _ => (format!("Which is the {}?", PLACES[i]), items[i].clone()),
        };
        let request = if k == 0 {
            format!("Here is a list:\n{shown}\n\n{question}")
        } else {
            question
        };
        sample.exchange(request, answer);
    }
}

fn lookup(rng: &mut Rng, lexicon: &Lexicon, sample: &mut Sample, n_questions: usize) {
    let n_items = rng.between(2, 6);
    let keys = distinct(rng, lexicon, n_items);
    let is_words = rng.chance(0.6);
    let values: Vec<String> = (0..keys.len())
        .map(|_| {
            if is_words {
                rng.pick(&lexicon.all_words).clone()
            } else {
                junk::draw(rng, lexicon)
            }
        })
        .collect();
    let joint = *rng.pick(&[" = ", ": ", " is ", " -> "]);
    let lines: Vec<String> = keys
        .iter()
        .zip(&values)
        .map(|(k, v)| format!("{k}{joint}{v}"))
        .collect();
    for n in 0..n_questions.min(keys.len()) {
        let i = rng.between(0, keys.len() - 1);
        let question = format!("What is {}?", keys[i]);
        let request = if n == 0 {
            format!("{}\n\n{question}", lines.join("\n"))
        } else {
            question
        };
        sample.exchange(request, values[i].clone());
    }
}
