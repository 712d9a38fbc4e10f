//! Short documents about things that do not exist.

use ilab_base::seed::Rng;

use crate::starter::draw::Draw as _;
use crate::starter::fact::{AnswerStyle, Fact, Mention, ended};
use crate::starter::filler_sentence;
use crate::starter::grammar::Grammar;
use crate::starter::intro::{self, Intro};
use crate::starter::name::{self, Entity, SUBJECTS};
use crate::starter::word::{capitalised, english};

/// A text with the facts that it states.
#[derive(Debug, Clone)]
pub struct Document<'g> {
    pub text: String,
    pub subjects: Vec<Subject<'g>>,
}

/// One thing of a document.
#[derive(Debug, Clone)]
pub struct Subject<'g> {
    pub entity: Entity,
    pub intro: Intro,
    pub facts: Vec<Fact<'g>>,
}

/// A question with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuestionAnswer {
    pub question: String,
    pub answer: String,
    /// The words that a right answer contains.
    pub value: String,
}

impl QuestionAnswer {
    /// Both on one line, as the pipeline prompts want them.
    pub fn joined(&self) -> String {
        format!("{} {}", self.question, self.answer)
    }
}

impl Document<'_> {
    /// One question for each fact, in random order.
    pub fn questions(&self, rng: &mut Rng, style: AnswerStyle) -> Vec<QuestionAnswer> {
        let mut questions = Vec::new();
        for subject in &self.subjects {
            if rng.chance(0.35) && self.text.contains(&subject.intro.sentence) {
                let about = subject.intro.questions(rng, &subject.entity, style);
                questions.extend(about);
            }
            for fact in subject.facts.iter().filter(|f| f.is_askable()) {
                questions.push(ask(rng, fact, &subject.entity, style));
            }
        }
        rng.shuffle_all(&mut questions);
        questions
    }

    /// The kind of its first subject.
    pub fn kind(&self) -> &'static str {
        self.subjects[0].entity.kind
    }
}

/// A question about this fact.
pub fn ask(rng: &mut Rng, fact: &Fact<'_>, entity: &Entity, style: AnswerStyle) -> QuestionAnswer {
    QuestionAnswer {
        question: fact.question(rng, entity, Mention::Name),
        answer: fact.answer(rng, entity, style),
        value: fact.value.text.clone(),
    }
}

/// A document about something of a random kind.
pub fn any<'g>(rng: &mut Rng, grammar: &'g Grammar, n_facts: usize) -> Document<'g> {
    let kind = *rng.pick(SUBJECTS);
    of_kind(rng, grammar, kind, n_facts)
}

/// A document about something of this kind; sometimes about two of them, so that a reader must look which is asked for.
pub fn of_kind<'g>(
    rng: &mut Rng,
    grammar: &'g Grammar,
    kind: &'static str,
    n_facts: usize,
) -> Document<'g> {
    let is_pair = n_facts >= 4 && rng.chance(0.14);
    if is_pair {
        return pair(rng, grammar, kind, n_facts);
    }
    let entity = name::entity(rng, &grammar.lexicon, kind);
    let mut facts = grammar.facts(rng, kind, n_facts);
    let intro = intro::sentence(rng, &grammar.lexicon, &entity);
    let mut sentences = vec![intro.sentence.clone()];
    let mut data_lines = Vec::new();
    let data_share = if rng.chance(0.12) { 0.5 } else { 0.0 };
    for fact in &mut facts {
        let label = if rng.chance(data_share) {
            fact.labelled(rng, &grammar.lexicon, &entity)
        } else {
            None
        };
        match label {
            Some(line) => data_lines.push(line),
            None => {
                let mention = mention(rng);
                let sentence = fact.state(rng, &grammar.lexicon, &entity, mention);
                append(rng, &mut sentences, &entity, sentence);
            }
        }
        if rng.chance(0.12) {
            sentences.push(filler_sentence::draw(rng, &grammar.lexicon, &entity));
        }
    }
    if rng.chance(0.12) {
        rng.shuffle_all(&mut sentences);
    }
    let text = lay_out(rng, grammar, &entity, &sentences, &data_lines);
    Document {
        text,
        subjects: vec![Subject {
            entity,
            intro,
            facts,
        }],
    }
}

/// Two things of one kind in one text, each with its own values of the same relations.
fn pair<'g>(
    rng: &mut Rng,
    grammar: &'g Grammar,
    kind: &'static str,
    n_facts: usize,
) -> Document<'g> {
    let facts = grammar.facts(rng, kind, n_facts / 2);
    let mut subjects: Vec<Subject<'g>> = Vec::new();
    let mut paragraphs = Vec::new();
    let mut interleaved = Vec::new();
    for _ in 0..2 {
        let entity = name::entity(rng, &grammar.lexicon, kind);
        let mut own: Vec<Fact<'g>> = facts
            .iter()
            .map(|fact| {
                loop {
                    let new = Fact::draw(rng, &grammar.lexicon, fact.relation);
                    let is_taken = subjects
                        .iter()
                        .any(|s| s.facts.iter().any(|f| f.value == new.value));
                    if !is_taken {
                        break new;
                    }
                }
            })
            .collect();
        let intro = intro::sentence(rng, &grammar.lexicon, &entity);
        let mut sentences = vec![intro.sentence.clone()];
        for fact in &mut own {
            let sentence = fact.state(rng, &grammar.lexicon, &entity, Mention::Name);
            interleaved.push(sentence.clone());
            sentences.push(sentence);
        }
        paragraphs.push(sentences.join(" "));
        subjects.push(Subject {
            entity,
            intro,
            facts: own,
        });
    }
    let text = if rng.chance(0.4) {
        rng.shuffle_all(&mut interleaved);
        interleaved.join(" ")
    } else {
        paragraphs.join("\n\n")
    };
    Document { text, subjects }
}

fn mention(rng: &mut Rng) -> Mention {
    match rng.weighted(&[0.6, 0.08, 0.32]) {
        0 => Mention::Name,
        1 => Mention::Head,
        _ => Mention::Pronoun,
    }
}

/// Adds the sentence, or joins it to the one before when both have the same subject.
fn append(rng: &mut Rng, sentences: &mut Vec<String>, entity: &Entity, sentence: String) {
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

fn lay_out(
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
