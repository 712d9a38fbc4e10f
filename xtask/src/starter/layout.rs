//! Sentences put on a page: paragraphs, sections, lists.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::entity::Entity;
use crate::starter::fact::ended;
use crate::starter::grammar::Grammar;
use crate::starter::word::{capitalised, english};

/// The text, in one of many layouts.
pub fn draw(
    rng: &mut Rng,
    grammar: &Grammar,
    entity: &Entity,
    sentences: &[String],
    data_lines: &[String],
) -> String {
    let mut text = String::new();
    let layout = rng.weighted(&[0.34, 0.26, 0.14, 0.16, 0.1]);
    if layout != 0 || rng.chance(0.1) {
        text.push_str(&heading(rng, entity));
        text.push_str("\n\n");
    }
    match layout {
        0 | 1 => text.push_str(&paragraphs(rng, sentences)),
        2 => text.push_str(&sections(rng, grammar, sentences)),
        3 => text.push_str(&with_list(rng, sentences)),
        _ => text.push_str(&sentences.join("\n")),
    }
    if !data_lines.is_empty() {
        let mark = *rng.pick(&["- ", "* ", ""]);
        text.push_str("\n\n");
        let lines: Vec<String> = data_lines
            .iter()
            .map(|line| format!("{mark}{line}"))
            .collect();
        text.push_str(&lines.join("\n"));
    }
    text
}

fn heading(rng: &mut Rng, entity: &Entity) -> String {
    match rng.weighted(&[0.6, 0.2, 0.12, 0.08]) {
        0 => format!("# {}", entity.heading()),
        1 => format!("# {}", capitalised(&entity.mention())),
        2 => format!(
            "# {} {}",
            rng.pick(&[
                "About",
                "Facts about",
                "All about",
                "Notes on",
                "Guide to",
                "A note on"
            ]),
            entity.mention()
        ),
        _ => entity.heading(),
    }
}

fn paragraphs(rng: &mut Rng, sentences: &[String]) -> String {
    if sentences.len() < 5 || rng.chance(0.4) {
        return sentences.join(" ");
    }
    let cut = rng.between(2, sentences.len() - 2);
    format!(
        "{}\n\n{}",
        sentences[..cut].join(" "),
        sentences[cut..].join(" ")
    )
}

fn sections(rng: &mut Rng, grammar: &Grammar, sentences: &[String]) -> String {
    if sentences.len() < 4 {
        return sentences.join(" ");
    }
    let cut = rng.between(1, sentences.len() - 2);
    let mut parts = vec![sentences[..cut].join(" ")];
    let rest = &sentences[cut..];
    let middle = if rest.len() > 3 && rng.chance(0.5) {
        rng.between(1, rest.len() - 2)
    } else {
        rest.len()
    };
    for part in [&rest[..middle], &rest[middle..]] {
        if !part.is_empty() {
            parts.push(format!(
                "## {}\n\n{}",
                section_name(rng, grammar),
                part.join(" ")
            ));
        }
    }
    parts.join("\n\n")
}

fn section_name(rng: &mut Rng, grammar: &Grammar) -> String {
    const NAMES: &[&str] = &[
        "History",
        "Details",
        "Facts",
        "Description",
        "Use",
        "Overview",
        "Background",
        "Today",
        "Origin",
        "Life",
        "Rules",
        "How it works",
        "Appearance",
        "People",
        "Numbers",
        "Features",
        "Customs",
        "Location",
        "Food",
        "Work",
        "Other facts",
    ];
    if rng.chance(0.75) {
        (*rng.pick(NAMES)).to_owned()
    } else {
        capitalised(&english(rng, &grammar.lexicon))
    }
}

fn with_list(rng: &mut Rng, sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let n_before = rng.between(1, sentences.len().div_ceil(2));
    let n_after = if rng.chance(0.3) && sentences.len() > n_before + 2 {
        1
    } else {
        0
    };
    let listed = &sentences[n_before..sentences.len() - n_after];
    let mark = *rng.pick(&["- ", "- ", "* ", "1. "]);
    let lines: Vec<String> = listed
        .iter()
        .enumerate()
        .map(|(i, line)| {
            if mark == "1. " {
                format!("{}. {line}", i + 1)
            } else {
                format!("{mark}{line}")
            }
        })
        .collect();
    let mut text = sentences[..n_before].join(" ");
    if rng.chance(0.2) {
        text.push_str(rng.pick::<&str>(&[
            " Some facts:",
            " What is known:",
            " More about it:",
            " In short:",
        ]));
    }
    text.push_str("\n\n");
    text.push_str(&lines.join("\n"));
    if n_after > 0 {
        text.push_str("\n\n");
        text.push_str(&ended(&sentences[sentences.len() - 1]));
    }
    text
}
