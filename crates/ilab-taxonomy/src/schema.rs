//! The rules for qna.yaml: JSON Schemas, and what their violations mean to the writer of the file.

use std::sync::LazyLock;

use ilab_base::diagnostic::{Diagnostic, Span};
use ilab_base::yaml::{Node, Value, nearest};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, Validator};

use crate::locate::{Place, Step, locate};

/// The rules for one kind of file.
pub(crate) struct Schema {
    validator: Validator,
    document: serde_json::Value,
    /// What such a file is called: "knowledge", "a compositional skill".
    subject: &'static str,
}

static KNOWLEDGE_V3: LazyLock<Schema> =
    LazyLock::new(|| Schema::embedded("knowledge", include_str!("../schema/knowledge-v3.json")));
static SKILLS: LazyLock<[Schema; 3]> = LazyLock::new(|| {
    [
        include_str!("../schema/compositional_skills-v1.json"),
        include_str!("../schema/compositional_skills-v2.json"),
        include_str!("../schema/compositional_skills-v3.json"),
    ]
    .map(|text| Schema::embedded("a compositional skill", text))
});

/// The rules for knowledge, version 3.
pub(crate) fn knowledge() -> &'static Schema {
    &KNOWLEDGE_V3
}

/// The rules for compositional skills of a version.
pub(crate) fn skill(version: i64) -> Option<&'static Schema> {
    SKILLS.get(usize::try_from(version).ok()?.checked_sub(1)?)
}

impl Schema {
    fn embedded(subject: &'static str, text: &str) -> Self {
        let document: serde_json::Value =
            serde_json::from_str(text).expect("the schemas are part of the program and parse");
        let validator = jsonschema::draft202012::new(&document)
            .expect("the schemas are part of the program and follow the draft");
        Self {
            validator,
            document,
            subject,
        }
    }

    /// Everything in `root` that breaks a rule.
    pub(crate) fn check(&self, text: &str, root: &Node) -> Vec<Diagnostic> {
        let data = root.to_json();
        self.validator
            .iter_errors(&data)
            .flat_map(|error| self.explain(text, root, &error))
            .collect()
    }

    fn explain(&self, text: &str, root: &Node, error: &ValidationError<'_>) -> Vec<Diagnostic> {
        let place = locate(root, &steps(error));
        let (name, span) = (&place.name, place.span);
        let told = |message: String| Diagnostic::error(text, span, message);
        vec![match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                return self.explain_unexpected(text, &place, unexpected, error);
            }
            ValidationErrorKind::Required { property } => {
                let property = property.as_str().unwrap_or_default();
                told(format!("`{property}` is missing in {name}")).with_help(describe(property))
            }
            ValidationErrorKind::MinItems { limit } => {
                let n_items = place.node.items().len();
                told(format!("{name} has {n_items} of at least {limit} items"))
                    .with_help(format!("add {} more", limit.saturating_sub(n_items as u64)))
            }
            ValidationErrorKind::UniqueItems => explain_repeated(text, &place),
            ValidationErrorKind::MinLength { .. } => told(format!("{name} is empty"))
                .with_help("write some text, or remove it where it is optional"),
            ValidationErrorKind::Type { kind } => explain_type(text, &place, kind),
            ValidationErrorKind::Constant { expected_value } => {
                told(format!("{name} must be {expected_value}"))
                    .with_help(format!("write `version: {expected_value}`, without quotes"))
            }
            _ => told(format!("{name} breaks a rule: {error}")),
        }]
    }

    fn explain_unexpected(
        &self,
        text: &str,
        place: &Place<'_>,
        unexpected: &[String],
        error: &ValidationError<'_>,
    ) -> Vec<Diagnostic> {
        let allowed = self.keys_beside(error);
        let absent = allowed
            .iter()
            .map(String::as_str)
            .filter(|key| place.node.entry(key).is_none());
        let absent: Vec<_> = absent.collect();
        let entries = place.node.entries().iter();
        entries
            .map(|(key, _)| (key.key_text(), key.span))
            .filter(|(key, _)| unexpected.contains(key))
            .map(|(key, span)| {
                let inside = match place.name.as_str() {
                    "the file" => self.subject,
                    name => name,
                };
                let help = match nearest(&key, absent.iter().copied()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("remove it; the keys are {}", list(&allowed)),
                };
                Diagnostic::error(text, span, format!("`{key}` is not a key of {inside}"))
                    .with_help(help)
            })
            .collect()
    }

    /// The keys that the rule which rejected a key does allow.
    fn keys_beside(&self, error: &ValidationError<'_>) -> Vec<String> {
        // `/…/additionalProperties` stands beside `/…/properties`.
        let rule = error.schema_path().as_str();
        let beside = rule.strip_suffix("/additionalProperties").unwrap_or(rule);
        let pointer = format!("{beside}/properties");
        let properties = self
            .document
            .pointer(&pointer)
            .and_then(|value| value.as_object());
        properties.map_or_else(Vec::new, |properties| properties.keys().cloned().collect())
    }
}

fn steps(error: &ValidationError<'_>) -> Vec<Step> {
    let segments = error.instance_path().into_iter();
    segments
        .map(|segment| match segment {
            LocationSegment::Property(name) => Step::Key(name.to_string()),
            LocationSegment::Index(index) => Step::Item(index),
        })
        .collect()
}

fn explain_type(text: &str, place: &Place<'_>, expected: &TypeKind) -> Diagnostic {
    let expected = match expected {
        TypeKind::Single(kind) => kind.to_string(),
        TypeKind::Multiple(_) => String::new(),
    };
    let expected = match expected.as_str() {
        "string" => "text",
        "array" => "a list",
        "object" => "a mapping",
        _ => "something else",
    };
    let (name, node) = (&place.name, place.node);
    let message = match node.value {
        Value::Null => format!("{name} has no value; {expected} is needed"),
        _ => format!("{name} must be {expected}, not {}", node.kind()),
    };
    let diagnostic = Diagnostic::error(text, place.span, message);
    let written = text.get(node.span.start..node.span.end).unwrap_or_default();
    match (expected, &node.value) {
        ("text", Value::Boolean(_) | Value::Integer(_) | Value::Float(_)) => {
            diagnostic.with_help(format!("put quotes around it: \"{written}\""))
        }
        ("a list", _) => diagnostic.with_help("start each item with `- ` on a line of its own"),
        ("text", Value::Mapping(_)) => diagnostic.with_help(
            "a text with a colon in it needs quotes around it, or a block that starts with `|`",
        ),
        _ => diagnostic,
    }
}

fn explain_repeated(text: &str, place: &Place<'_>) -> Diagnostic {
    let items: Vec<_> = place.node.items().iter().map(Node::to_json).collect();
    let repeated = (1..items.len()).find_map(|second| {
        let first = items[..second]
            .iter()
            .position(|item| *item == items[second])?;
        Some((first, second))
    });
    let Some((first, second)) = repeated else {
        return Diagnostic::error(text, place.span, format!("{} repeats an item", place.name));
    };
    let span = locate(place.node, &[Step::Item(second)]).span;
    let message = format!(
        "item {} of {} repeats item {}",
        second + 1,
        place.name,
        first + 1
    );
    Diagnostic::error(text, span, message)
        .with_help("change or remove one of them: every item must teach something new")
}

/// What a missing key is for.
fn describe(property: &str) -> &'static str {
    match property {
        "version" => "add `version: 3` at the top",
        "created_by" => "add `created_by:` with your name or handle",
        "domain" => "add `domain:` with the field of knowledge, such as `astronomy`",
        "document_outline" => {
            "add `document_outline:` with one line that says what the documents are about"
        }
        "document" => {
            "add `document:` with `repo`, `commit` and `patterns`, or with a local `path` and `patterns`"
        }
        "repo" | "commit" => {
            "a document needs `repo`, `commit` and `patterns`, or a local `path` and `patterns`"
        }
        "patterns" => "add `patterns:` with the files to read, such as `- \"*.md\"`",
        "task_description" => "add `task_description:` with one line that says what the skill does",
        "seed_examples" => "add `seed_examples:` with a list of examples",
        "questions_and_answers" => "add `questions_and_answers:` with at least 3 pairs",
        "context" => "add `context:` with the piece of the document that the questions are about",
        "question" => "add `question:`",
        "answer" => "add `answer:`",
        _ => "add it",
    }
}

fn list(keys: &[String]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
    keys.join(", ")
}

/// The first line of a file, for findings about the file as such.
pub(crate) fn first_line(text: &str) -> Span {
    first_line_of(text, 0)
}

/// From `start` to the end of its line.
pub(crate) fn first_line_of(text: &str, start: usize) -> Span {
    let rest = text.get(start..).unwrap_or_default();
    Span {
        start,
        end: start + rest.lines().next().map_or(0, str::len),
    }
}
