//! Documents to learn the language from, with nothing masked.

use ilab_base::seed::Rng;

use crate::starter::document;
use crate::starter::draw::Draw as _;
use crate::starter::grammar::Grammar;
use crate::starter::sample::Sample;

/// A document that the user brings and the assistant repeats, starts or goes on with.
pub fn sample(rng: &mut Rng, grammar: &Grammar) -> Sample {
    let n_facts = rng.between(3, 7);
    let document = document::any(rng, grammar, n_facts);
    let mut sample = Sample {
        unmask: true,
        ..Sample::default()
    };
    let sentences: Vec<&str> = document.text.split_inclusive(". ").collect();
    match rng.between(0, 2) {
        0 if sentences.len() > 2 => {
            let cut = rng.between(1, sentences.len() - 1);
            sample.exchange(
                format!(
                    "Go on with this text.\n\n{}",
                    sentences[..cut].concat().trim_end()
                ),
                sentences[cut..].concat(),
            );
        }
        1 => {
            let entity = &document.subjects[0].entity;
            sample.exchange(
                format!("Write a text about {}.", entity.mention()),
                document.text,
            );
        }
        _ => {
            let plain: Vec<&str> = sentences
                .iter()
                .map(|s| s.trim())
                .filter(|s| s.contains(' ') && !s.contains('\n'))
                .collect();
            let Some(sentence) = (!plain.is_empty()).then(|| (*rng.pick(&plain)).to_owned()) else {
                let entity = &document.subjects[0].entity;
                sample.exchange(
                    format!("Write a text about {}.", entity.mention()),
                    document.text,
                );
                return sample;
            };
            let first: Vec<&str> = sentence.split(' ').take(3).collect();
            let question = format!("Which sentence starts with \"{}\"?", first.join(" "));
            sample.exchange(format!("{}\n\n{question}", document.text), sentence);
        }
    }
    sample
}
