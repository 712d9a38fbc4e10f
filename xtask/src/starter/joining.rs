//! Two sentences about one thing made into one.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::entity::Entity;
use crate::starter::word::capitalised;

/// Adds the sentence, or joins it to the one before when both have the same subject.
pub fn append(rng: &mut Rng, sentences: &mut Vec<String>, entity: &Entity, sentence: String) {
    let is_joined = sentences.len() > 1 && rng.chance(0.3);
    let joined = sentences
        .last()
        .filter(|last| is_joined && last.ends_with('.') && last.len() < 90 && !last.contains(','))
        .and_then(|last| join(rng, entity, last, &sentence));
    match joined {
        Some(joined) => {
            sentences.pop();
            sentences.push(joined);
        }
        None => sentences.push(sentence),
    }
}

fn join(rng: &mut Rng, entity: &Entity, last: &str, next: &str) -> Option<String> {
    let mention = capitalised(&entity.mention());
    let told = last.trim_end_matches('.');
    let before = predicate(told, &mention);
    let Some(same) =
        predicate(next, &mention).or_else(|| predicate(next, &capitalised(entity.pronoun[0])))
    else {
        return continued(rng, entity, told, next);
    };
    let first = before?;
    if rng.chance(0.3) && !same.contains(',') {
        let which = if entity.kind == "person" {
            "who"
        } else {
            "which"
        };
        return Some(format!(
            "{mention}, {which} {}, {first}.",
            same.trim_end_matches(['.', '!'])
        ));
    }
    Some(format!("{told} and {same}"))
}

/// What is said of the subject, where the sentence starts with it and goes on with a verb.
///
/// "It is said …" and "It was Ada who …" say nothing of it, so a pronoun needs a plain predicate.
fn predicate<'t>(text: &'t str, subject: &str) -> Option<&'t str> {
    const EXPLETIVE: &[&str] = &[
        " who ",
        " that ",
        "is said",
        "is no secret",
        "takes ",
        "is true",
        " to ",
    ];
    let rest = text.strip_prefix(subject)?.strip_prefix(' ')?;
    let is_expletive = subject == "It" && EXPLETIVE.iter().any(|words| rest.contains(words));
    (starts_with_verb(rest) && !is_expletive).then_some(rest)
}

/// Two clauses with a conjunction, the second about something of the same subject: "Its roof …".
fn continued(rng: &mut Rng, entity: &Entity, told: &str, next: &str) -> Option<String> {
    let possessive = capitalised(entity.pronoun[1]);
    next.strip_prefix(&possessive)
        .filter(|rest| rest.starts_with(' '))
        .map(|rest| {
            let joint = rng.pick(&[", and ", ", and ", "; ", ", while ", ", but "]);
            format!("{told}{joint}{}{rest}", entity.pronoun[1])
        })
}

fn starts_with_verb(text: &str) -> bool {
    const VERBS: &[&str] = &[
        "is", "was", "has", "had", "can", "must", "may", "will", "became", "began", "took", "came",
        "kept", "wore", "went",
    ];
    let word = text.split(' ').next().unwrap_or("");
    VERBS.contains(&word)
        || word.chars().all(|c| c.is_ascii_lowercase())
            && (word.ends_with("ed")
                || word.ends_with('s') && !["as", "its", "this"].contains(&word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(last: &str, next: &str, expect: &[&str]) {
        let entity = Entity {
            kind: "animal",
            name: "vell".to_owned(),
            has_article: true,
            head: "bird".to_owned(),
            pronoun: ["it", "its", "it"],
        };
        for seed in 0..20 {
            let mut rng = ilab_base::seed::rng(seed, "joining");
            let joined = join(&mut rng, &entity, last, next);
            assert!(
                joined.as_deref().is_none_or(|text| expect.contains(&text)),
                "{joined:?}"
            );
            assert_eq!(joined.is_none(), expect.is_empty());
        }
    }

    #[test]
    fn only_predicates_of_the_same_subject_are_joined() {
        check(
            "The vell hunts mice.",
            "It was named in 1820.",
            &[
                "The vell hunts mice and was named in 1820.",
                "The vell, which was named in 1820, hunts mice.",
            ],
        );
        check(
            "The vell hunts mice.",
            "It was Ada who named the vell.",
            &[],
        );
        check(
            "The vell hunts mice.",
            "It is said that mice are rare.",
            &[],
        );
        check("Mice are rare.", "It was named in 1820.", &[]);
        check(
            "The vell and its enemy sleep.",
            "The vell and mice agree.",
            &[],
        );
    }
}
