//! What writers put around a statement without changing what it says.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::entity::Entity;
use crate::starter::lexicon::Lexicon;
use crate::starter::name;
use crate::starter::word::capitalised;

const BEFORE: &[&str] = &[
    "Today ",
    "Today, ",
    "As a rule, ",
    "Of course, ",
    "Surprisingly, ",
    "Strangely enough, ",
    "Without doubt, ",
    "In most years, ",
    "Since then, ",
    "By now, ",
    "Even now, ",
    "So far, ",
    "These days, ",
    "For a long time now, ",
    "As far as is known, ",
    "Unlike most others, ",
    "Like many others, ",
    "It is said that ",
    "Many people believe that ",
    "Few people know that ",
    "According to {person}, ",
    "As everybody in {place} knows, ",
    "Visitors from {place} report that ",
    "Experts agree that ",
    "Moreover, ",
    "In addition, ",
    "However, ",
    "At first sight this seems odd, but ",
];
const AFTER: &[&str] = &[
    " to this day",
    " without exception",
    " even in bad weather",
    " nearly everywhere",
    " by tradition",
    ", it seems",
    ", as every child knows",
    ", as an old book tells",
    ", as far as anyone knows",
    ", at least in most years",
    ", which surprises many visitors",
    ", which is why people remember it",
    ", which helps a great deal",
    ", although few people know why",
    ", although this was not always so",
    ", and this has never changed",
    ", and nobody minds",
    ", and people in {place} are proud of it",
    ", so guests often ask about it",
    ", so that nothing is wasted",
    ", much to the joy of {person}",
    ", but nobody is sure",
    ", but not always",
    " (see the picture)",
];

/// The sentence with something before or after it.
pub fn draw(rng: &mut Rng, lexicon: &Lexicon, entity: &Entity, sentence: &str) -> String {
    let is_plain = sentence.ends_with('.') && !sentence.contains([',', ';', ':', '(']);
    if !is_plain {
        return sentence.to_owned();
    }
    if rng.chance(0.5) {
        let before = filled(rng, lexicon, BEFORE);
        format!("{before}{}", inside(sentence, entity))
    } else {
        let after = filled(rng, lexicon, AFTER);
        format!("{}{after}.", sentence.trim_end_matches('.'))
    }
}

fn filled(rng: &mut Rng, lexicon: &Lexicon, pieces: &[&str]) -> String {
    let piece = *rng.pick(pieces);
    if piece.contains("{person}") {
        piece.replace("{person}", &name::person(rng, lexicon).0)
    } else {
        piece.replace("{place}", &name::place(rng, lexicon))
    }
}

/// The sentence as it stands after other words: a name keeps its capital letter.
fn inside(sentence: &str, entity: &Entity) -> String {
    const LOWERED: &[&str] = &[
        "The ", "It ", "Its ", "He ", "His ", "She ", "Her ", "A ", "An ", "In ", "On ", "At ",
        "Each ", "Every ", "People ", "There ", "Only ",
    ];
    let mention = entity.mention();
    if let Some(rest) = sentence.strip_prefix(&capitalised(&mention)) {
        return format!("{mention}{rest}");
    }
    match LOWERED.iter().find(|start| sentence.starts_with(**start)) {
        Some(start) => format!("{}{}", start.to_lowercase(), &sentence[start.len()..]),
        None => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::starter::entity;

    #[test]
    fn the_statement_is_still_there() {
        let lexicon = Lexicon::embedded().unwrap();
        let mut rng = ilab_base::seed::rng(1, "decorations");
        for kind in ["animal", "person", "place"] {
            let entity = entity::draw(&mut rng, &lexicon, kind);
            for _ in 0..100 {
                let sentence = format!("{} eats plums.", capitalised(&entity.mention()));
                let decorated = draw(&mut rng, &lexicon, &entity, &sentence);
                let statement = format!("{} eats plums", entity.mention()).to_lowercase();
                assert!(decorated.to_lowercase().contains(&statement), "{decorated}");
                assert!(
                    decorated.ends_with('.') && decorated != sentence,
                    "{decorated}"
                );
            }
            let sentence = "In 1700, it burned.";
            assert_eq!(draw(&mut rng, &lexicon, &entity, sentence), sentence);
        }
        let entity = entity::draw(&mut rng, &lexicon, "place");
        assert_eq!(
            inside("The market is held on Monday.", &entity),
            "the market is held on Monday."
        );
        assert_eq!(
            inside("Marta Quill built it.", &entity),
            "Marta Quill built it."
        );
    }
}
