//! Writing another example of a skill: the pattern stays, its words change.

use std::collections::HashMap;

use ilab_base::seed::Rng;
use ilab_sdg::prompt::PromptError;

use crate::starter::document::{self, QuestionAnswer};
use crate::starter::draw::Draw as _;
use crate::starter::entity::{self, SUBJECTS};
use crate::starter::fact::{AnswerStyle, Fact, Wording, ended};
use crate::starter::grammar::Grammar;
use crate::starter::lexicon::Lexicon;
use crate::starter::prompt::Prompts;
use crate::starter::sample::Sample;
use crate::starter::template::Template;
use crate::starter::{name, value, word};

/// A task with the patterns of its questions and answers.
#[derive(Debug)]
pub struct Skill {
    description: String,
    patterns: Vec<(Template, Template)>,
}

/// Reads the skills that the program carries.
pub fn embedded() -> Vec<Skill> {
    parse(include_str!("../../../starter/skills/freeform.txt"))
}

fn parse(text: &str) -> Vec<Skill> {
    let mut skills: Vec<Skill> = Vec::new();
    let mut question = None;
    for line in text.lines() {
        let (tag, rest) = line.split_once(' ').unwrap_or((line, ""));
        match (tag, skills.last_mut()) {
            ("d", _) => skills.push(Skill {
                description: rest.to_owned(),
                patterns: Vec::new(),
            }),
            ("q", _) => question = Some(Template::parse(rest)),
            ("r", Some(skill)) => {
                let answer = Template::parse(rest);
                skill
                    .patterns
                    .extend(question.take().map(|question| (question, answer)));
            }
            _ => {}
        }
    }
    skills
}

/// The words of one example; those of `c_` slots are shared by all examples of a sample.
#[derive(Debug, Clone, Default)]
struct Words(HashMap<String, String>);

impl Words {
    fn constant(&self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|(slot, _)| slot.starts_with("c_"))
                .map(|(s, w)| (s.clone(), w.clone()))
                .collect(),
        )
    }

    fn fill(&mut self, rng: &mut Rng, lexicon: &Lexicon, slot: &str) -> String {
        if let Some(words) = self.0.get(slot) {
            return words.clone();
        }
        match slot {
            "do" | "did" => {
                let verb = rng.pick(&lexicon.verbs).clone();
                self.set([("do", verb.base), ("did", verb.past)]);
            }
            "noun_pair" | "nouns_pair" => {
                let noun = rng.pick(&lexicon.nouns).clone();
                self.set([("noun_pair", noun.singular), ("nouns_pair", noun.plural)]);
            }
            "word" | "WORD" => {
                let word = word::word(rng);
                self.set([("WORD", word.to_uppercase()), ("word", word)]);
            }
            "noun_lower" | "NOUN_UPPER" => {
                let noun = rng.pick(&lexicon.nouns).singular.clone();
                self.set([("NOUN_UPPER", noun.to_uppercase()), ("noun_lower", noun)]);
            }
            "wordA" | "wordB" => {
                let mut pair = [
                    rng.pick(&lexicon.nouns).singular.clone(),
                    rng.pick(&lexicon.nouns).singular.clone(),
                ];
                pair.sort();
                let [first, second] = pair;
                self.set([("wordA", first), ("wordB", second)]);
            }
            _ => {
                let words = draw(
                    rng,
                    lexicon,
                    slot.trim_start_matches("c_").trim_end_matches('2'),
                );
                self.0.insert(slot.to_owned(), words);
            }
        }
        self.0.get(slot).cloned().unwrap_or_default()
    }

    fn set<const N: usize>(&mut self, words: [(&str, String); N]) {
        self.0
            .extend(words.map(|(slot, word)| (slot.to_owned(), word)));
    }
}

fn draw(rng: &mut Rng, lexicon: &Lexicon, slot: &str) -> String {
    match slot {
        "adj" => rng.pick(&lexicon.adjectives).clone(),
        "noun" => rng.pick(&lexicon.nouns).singular.clone(),
        "nouns" => rng.pick(&lexicon.nouns).plural.clone(),
        "animal_one" => rng.pick(lexicon.list("animal")).clone(),
        "first" => rng.pick(lexicon.list("first_name")).clone(),
        "person" => name::person(rng, lexicon).0,
        "name" => word::proper(rng, lexicon),
        "word" => word::word(rng),
        "do" => rng.pick(&lexicon.verbs).base.clone(),
        kind => value::draw(rng, lexicon, kind).text,
    }
}

/// Any relation is a skill too: one way to ask and one way to answer, about one thing after another.
fn from_relation(
    rng: &mut Rng,
    grammar: &Grammar,
    prompts: &Prompts,
) -> Result<Sample, PromptError> {
    let relation = rng.pick(&grammar.relations);
    let kind = if SUBJECTS.contains(&relation.subject.as_str()) {
        SUBJECTS.iter().find(|k| **k == relation.subject)
    } else {
        None
    };
    let kind = *kind.unwrap_or_else(|| rng.pick(SUBJECTS));
    let style = AnswerStyle::draw(rng);
    // The same generator for each example picks the same frames.
    let frames = rng.clone();
    let next = |rng: &mut Rng| {
        let entity = entity::draw(rng, &grammar.lexicon, kind);
        let mut fact = Fact::draw(rng, &grammar.lexicon, relation);
        fact.fill_all(rng, &grammar.lexicon);
        document::ask(&mut frames.clone(), &fact, &entity, style, Wording::Free)
    };
    rng.chance(0.5);
    let seed = next(rng);
    let verb = *rng.pick(&[
        "answer questions about",
        "invent facts about",
        "ask about",
        "make up something about",
        "know",
    ]);
    let what = relation.name.replace('_', " ");
    let task = match rng.between(0, 2) {
        0 => format!("{verb} {kind}s"),
        1 => format!("{verb} the {what}"),
        _ => format!("{verb} {kind} and {what}"),
    };
    let mut sample = Sample {
        unmask: rng.chance(0.15),
        ..Sample::default()
    };
    let prompt = prompts.freeform(&task, &seed.question, &seed.answer)?;
    let n = rng.between(1, 3);
    for i in 0..n {
        let request = if i == 0 {
            prompt.clone()
        } else {
            "Another one, please.".to_owned()
        };
        sample.exchange(request, next(rng).joined());
    }
    Ok(sample)
}

/// The prompt with one example, answered with another one.
pub fn sample(
    rng: &mut Rng,
    grammar: &Grammar,
    skills: &[Skill],
    prompts: &Prompts,
) -> Result<Sample, PromptError> {
    if rng.chance(0.4) {
        return from_relation(rng, grammar, prompts);
    }
    let lexicon = &grammar.lexicon;
    let skill = rng.pick(skills);
    let pattern = rng.pick(&skill.patterns);
    let mut words = Words::default();
    let seed = example(rng, lexicon, pattern, &mut words);
    let task = if rng.chance(0.25) {
        skill.description.replace("write", "make up")
    } else {
        skill.description.clone()
    };
    let prompt = prompts.freeform(&task, &seed.question, &seed.answer)?;
    let mut sample = Sample {
        unmask: rng.chance(0.15),
        ..Sample::default()
    };
    let n = if rng.chance(0.5) {
        1
    } else {
        rng.between(2, 4)
    };
    for i in 0..n {
        let mut own = words.constant();
        let other = example(rng, lexicon, pattern, &mut own);
        let request = if i == 0 {
            prompt.clone()
        } else {
            "Another one, please.".to_owned()
        };
        sample.exchange(request, other.joined());
    }
    if rng.chance(0.3) {
        // What the skill is for: the bare question.
        let mut own = words.constant();
        let other = example(rng, lexicon, pattern, &mut own);
        sample.exchange(other.question, other.answer);
    }
    Ok(sample)
}

fn example(
    rng: &mut Rng,
    lexicon: &Lexicon,
    pattern: &(Template, Template),
    words: &mut Words,
) -> QuestionAnswer {
    let (question, answer) = pattern;
    let question = question.render(|slot, _| words.fill(rng, lexicon, slot));
    let answer = answer.render(|slot, _| words.fill(rng, lexicon, slot));
    QuestionAnswer {
        question: word::capitalised(&question)
            .trim_end_matches('.')
            .to_owned()
            + if question.ends_with('.') { "." } else { "" },
        value: answer.clone(),
        answer: if answer.ends_with(char::is_alphanumeric) {
            answer
        } else {
            ended(&answer)
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_skill_has_patterns() {
        let skills = embedded();
        assert!(skills.len() > 30, "{}", skills.len());
        for skill in &skills {
            assert!(!skill.patterns.is_empty(), "{}", skill.description);
        }
    }
}
