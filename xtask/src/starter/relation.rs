//! Relations: how a fact is stated, asked for and answered, read from `xtask/starter/{encyclopedia,relations}/*.txt`.
//!
//! A file is a list of blocks. `[SUBJECT relation VALUE]` starts one; then each line is a statement (`s`), a
//! statement with a pronoun (`p`), a line of a list (`l`), a question or an order (`q`) or an answer (`a`). Frames have slots:
//! `{X}` the subject, `{V}` the value, pronouns, and random words of [`FILLERS`]. A filler keeps its word within one
//! fact.

use crate::starter::entity::SUBJECTS;
use crate::starter::grammar_error::GrammarError;
use crate::starter::restate;
use crate::starter::template::Template;
use crate::starter::value;

/// Random words: the same slot is the same word wherever one fact is stated, asked or answered.
pub const FILLERS: &[&str] = &[
    "adj",
    "adj2",
    "noun",
    "noun2",
    "nouns",
    "nouns2",
    "person",
    "person2",
    "place",
    "place2",
    "year",
    "number",
    "count",
    "animal",
    "animals",
    "plant",
    "food",
    "drink",
    "material",
    "colour",
    "day",
    "month",
    "season",
    "job",
    "activity",
    "time",
    "name",
    "do",
    "does",
    "did",
    "done",
    "doing",
    "things",
    "tool",
    "instrument",
    "clothing",
    "group",
    "weather",
    "direction",
    "duration",
    "length",
    "money",
    "bodypart",
    "festival",
    "date",
    "weight",
    "sound",
    "shape",
    "smell",
    "adjective",
    "age",
    "reason",
    "purpose",
];

/// The subject and its pronouns; persons turn "it" into "he" or "she".
pub const SUBJECT_SLOTS: &[&str] = &[
    "X", "It", "it", "its", "Its", "He", "he", "his", "His", "him", "Him", "She", "she", "her",
    "Her",
];

/// A question, and the sentence that answers it in its own words where there is one.
#[derive(Debug, Clone)]
pub struct Question {
    pub asked: Template,
    pub restated: Option<Template>,
}

/// How statements sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As in an encyclopedia for children.
    Plain,
    /// As in a tale.
    Artful,
}

/// One relation with all its frames.
#[derive(Debug, Clone)]
pub struct Relation {
    pub manner: Manner,
    /// The kinds of subjects it fits: one of [`SUBJECTS`], or all of them for `any`, or all but persons for `thing`.
    pub subject: String,
    pub name: String,
    pub value_kind: String,
    pub statements: Vec<Template>,
    pub pronoun_statements: Vec<Template>,
    /// Lines of a list of data, such as `Founder: {V}`.
    pub labels: Vec<Template>,
    pub questions: Vec<Question>,
    pub answers: Vec<Template>,
}

impl Relation {
    /// Whether a subject of this kind can have it.
    pub fn fits(&self, kind: &str) -> bool {
        match self.subject.as_str() {
            "any" => true,
            "thing" => kind != "person",
            subject => subject == kind,
        }
    }

    /// Whether it may be used several times in one document, with other fillers.
    pub fn is_repeatable(&self) -> bool {
        self.questions
            .iter()
            .all(|q| q.asked.slots().any(|slot| FILLERS.contains(&slot)))
    }
}

/// Which frames a corpus is written from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Split {
    /// What the model is trained on.
    Train,
    /// Frames and relations that training never sees.
    Dev,
}

/// A relation of fewer statements keeps them all for training.
const MIN_STATEMENTS_TO_HOLD_OUT: usize = 6;
/// One relation in this many is held out whole.
const WHOLE_RELATION_IN: u64 = 30;

/// The frames of this split: training loses one statement and one question of each rich relation, which are what dev has.
pub fn split(relations: Vec<Relation>, split: Split) -> Vec<Relation> {
    relations
        .into_iter()
        .filter_map(|relation| match (split, is_held_out(&relation)) {
            (Split::Train, true) => None,
            (Split::Dev, true) => Some(relation),
            (split, false) => split_frames(relation, split),
        })
        .collect()
}

fn is_held_out(relation: &Relation) -> bool {
    let is_generic = matches!(relation.subject.as_str(), "any" | "thing");
    !is_generic && fingerprint(relation).is_multiple_of(WHOLE_RELATION_IN)
}

fn split_frames(mut relation: Relation, split: Split) -> Option<Relation> {
    let n = relation.statements.len();
    if n < MIN_STATEMENTS_TO_HOLD_OUT || relation.questions.len() < 2 {
        return (split == Split::Train).then_some(relation);
    }
    let held = usize::try_from(fingerprint(&relation) % 97).unwrap_or(0);
    // The first statement is the plainest one: training keeps it.
    let statement = 1 + held % (n - 1);
    let question = 1 + held % (relation.questions.len() - 1);
    match split {
        Split::Train => {
            relation.statements.remove(statement);
            relation.questions.remove(question);
        }
        Split::Dev => {
            relation.statements = vec![relation.statements.swap_remove(statement)];
            relation.questions = vec![relation.questions.swap_remove(question)];
            relation.pronoun_statements.clear();
        }
    }
    Some(relation)
}

/// A number that depends on the names only, so that the split survives new frames in other relations.
fn fingerprint(relation: &Relation) -> u64 {
    let text = format!("{} {}", relation.subject, relation.name);
    text.bytes().fold(7, |hash: u64, byte| {
        hash.wrapping_mul(131).wrapping_add(u64::from(byte))
    }) / 8
}

/// Reads one file.
pub fn parse(file: &str, text: &str, manner: Manner) -> Result<Vec<Relation>, GrammarError> {
    let mut relations: Vec<Relation> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let place = Place { file, line: i + 1 };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.starts_with('[') {
            relations.push(place.heading(line, manner)?);
            continue;
        }
        let (tag, frame) = line.split_once(' ').unwrap_or((line, ""));
        let Some(relation) = relations.last_mut() else {
            return Err(place.bad_line(line));
        };
        let template = place.template(frame.trim())?;
        match tag {
            "s" => relation.statements.push(template),
            "p" => relation.pronoun_statements.push(template),
            "l" => relation.labels.push(template),
            "q" if !frame.trim().ends_with(['?', '.']) => return Err(place.question_mark()),
            "q" => {
                let restated = restate::restated(frame.trim(), &relation.value_kind);
                relation.questions.push(Question {
                    asked: template,
                    restated: restated.as_deref().map(Template::parse),
                });
            }
            "a" => relation.answers.push(template),
            _ => return Err(place.bad_line(line)),
        }
    }
    for relation in &relations {
        if relation.statements.is_empty()
            || relation.questions.is_empty()
            || relation.answers.is_empty()
        {
            return Err(GrammarError::Incomplete {
                file: file.to_owned(),
                relation: relation.name.clone(),
            });
        }
    }
    Ok(relations)
}

/// Where a line stands, for errors.
struct Place<'a> {
    file: &'a str,
    line: usize,
}

impl Place<'_> {
    fn heading(&self, text: &str, manner: Manner) -> Result<Relation, GrammarError> {
        let inner = text.trim_start_matches('[').trim_end_matches(']');
        let [subject, name, value_kind] = inner.split_whitespace().collect::<Vec<_>>()[..] else {
            return Err(GrammarError::Heading {
                file: self.file.to_owned(),
                line: self.line,
                text: text.to_owned(),
            });
        };
        if !SUBJECTS.contains(&subject) && !["any", "thing"].contains(&subject) {
            return Err(self.kind(subject));
        }
        if !value::KINDS.contains(&value_kind) {
            return Err(self.kind(value_kind));
        }
        Ok(Relation {
            manner,
            subject: subject.to_owned(),
            name: name.to_owned(),
            value_kind: value_kind.to_owned(),
            statements: Vec::new(),
            pronoun_statements: Vec::new(),
            labels: Vec::new(),
            questions: Vec::new(),
            answers: Vec::new(),
        })
    }

    fn template(&self, frame: &str) -> Result<Template, GrammarError> {
        let template = Template::parse(frame);
        let known =
            |slot: &&str| *slot == "V" || SUBJECT_SLOTS.contains(slot) || FILLERS.contains(slot);
        let unknown = template
            .slots()
            .find(|slot| !known(slot))
            .map(str::to_owned);
        match unknown {
            None => Ok(template),
            Some(slot) => Err(GrammarError::Slot {
                file: self.file.to_owned(),
                line: self.line,
                slot,
            }),
        }
    }

    fn kind(&self, kind: &str) -> GrammarError {
        GrammarError::Kind {
            file: self.file.to_owned(),
            line: self.line,
            kind: kind.to_owned(),
        }
    }

    fn bad_line(&self, text: &str) -> GrammarError {
        GrammarError::Line {
            file: self.file.to_owned(),
            line: self.line,
            text: text.to_owned(),
        }
    }

    fn question_mark(&self) -> GrammarError {
        GrammarError::QuestionMark {
            file: self.file.to_owned(),
            line: self.line,
        }
    }
}
