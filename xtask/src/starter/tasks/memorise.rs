//! Facts told in one turn and asked for in a later one.

use ilab_base::seed::Rng;

use crate::starter::document;
use crate::starter::draw::Draw as _;
use crate::starter::entity::{self, SUBJECTS};
use crate::starter::fact::{AnswerStyle, Mention, Wording};
use crate::starter::grammar::Grammar;
use crate::starter::sample::Sample;

/// One or a few sentences, each about another thing; then questions.
pub fn sample(rng: &mut Rng, grammar: &Grammar) -> Sample {
    let n = rng.between(1, 4);
    let style = AnswerStyle::draw(rng);
    let (mut told, mut asked) = (Vec::new(), Vec::new());
    for _ in 0..n {
        let kind = *rng.pick(SUBJECTS);
        let entity = entity::draw(rng, &grammar.lexicon, kind);
        for fact in &mut grammar.facts(rng, kind, 1) {
            told.push(fact.state(rng, &grammar.lexicon, &entity, Mention::Name));
            if fact.is_askable() {
                asked.push(document::ask(rng, fact, &entity, style, Wording::Free));
                asked.push(document::ask(rng, fact, &entity, style, Wording::Free));
            }
        }
    }
    rng.shuffle_all(&mut asked);
    let mut sample = Sample {
        unmask: rng.chance(0.3),
        ..Sample::default()
    };
    let noted = *rng.pick(&[
        "I will remember that.",
        "Noted.",
        "Good to know.",
        "Thank you, I have learned that.",
    ]);
    let opening = *rng.pick(&[
        "",
        "",
        "Remember this: ",
        "Please learn: ",
        "Did you know? ",
    ]);
    if rng.chance(0.5) {
        sample.exchange(format!("{opening}{}", told.join(" ")), noted);
    } else {
        for sentence in told {
            sample.exchange(format!("{opening}{sentence}"), noted);
        }
    }
    for pair in asked {
        sample.exchange(pair.question, pair.answer);
    }
    sample
}
