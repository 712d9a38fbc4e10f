//! YAML that users write: one document, every node with its place in the text.
//!
//! Values follow the YAML 1.2 core schema. The parser builds the tree itself, event by event, so that depth and alias
//! expansion are bounded whatever the file holds, and keys that occur twice are kept and reported rather than lost.

use std::collections::{HashMap, HashSet};

use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScanError, StrInput};

use crate::diagnostic::{Diagnostic, Span};

/// Deeper nesting is refused: no file of ours comes near it, and dropping a tree recurses.
const MAX_DEPTH: usize = 64;
/// Aliases may copy this many nodes in all: nested aliases would otherwise grow without bound.
const MAX_COPIED_NODES: usize = 10_000;

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place in the text.
    pub span: Span,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// Text, exactly as YAML defines it.
    Text(String),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file; a key that occurs twice is there twice.
    Mapping(Vec<(Node, Node)>),
}

/// A parsed file.
#[derive(Debug, Clone)]
pub struct Document {
    /// The top node; `Null` for an empty file.
    pub root: Node,
    /// Keys that occur twice in the same mapping.
    pub duplicate_keys: Vec<DuplicateKey>,
}

/// A key that occurs twice in the same mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuplicateKey {
    /// The key.
    pub key: String,
    /// Where it occurs first.
    pub first: Span,
    /// Where it occurs again.
    pub second: Span,
}

impl Node {
    /// The value of a mapping's key; where the key occurs twice, the last.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// A mapping's key with its value; where the key occurs twice, the last.
    pub fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries()
            .iter()
            .rev()
            .find(|(name, _)| name.as_text() == Some(key))
    }

    /// The keys and values of a mapping; empty for anything else.
    pub fn entries(&self) -> &[(Node, Node)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; empty for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The text, if it is text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What kind of value it is, for messages: "text", "a list", ….
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Boolean(_) => "true or false",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }

    /// A plain JSON value. Keys that are not text are written as text, numbers that JSON lacks become null.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(text) => text.as_str().into(),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| (key.key_text(), value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// The name that a key goes by.
    pub fn key_text(&self) -> String {
        match &self.value {
            Value::Text(text) => text.clone(),
            Value::Null => "null".to_owned(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => value.to_string(),
            Value::Sequence(_) | Value::Mapping(_) => self.to_json().to_string(),
        }
    }

    fn count(&self) -> usize {
        match &self.value {
            Value::Sequence(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Value::Mapping(entries) => {
                let sizes = entries
                    .iter()
                    .map(|(key, value)| key.count() + value.count());
                1 + sizes.sum::<usize>()
            }
            _ => 1,
        }
    }
}

/// Parses the one document of `text`.
///
/// # Errors
/// Where the text is no YAML, holds a second document, is nested too deeply, or copies too much through aliases: what and where.
pub fn parse(text: &str) -> Result<Document, Diagnostic> {
    Builder::new(text).run()
}

/// A list or mapping that is being filled.
struct Open {
    node: Node,
    anchor: usize,
    /// The key that waits for its value.
    key: Option<Node>,
    /// The keys so far, with their places.
    seen: HashMap<String, Span>,
}

struct Builder<'text> {
    text: &'text str,
    parser: Parser<'text, StrInput<'text>>,
    /// Byte offsets of characters, because the parser counts characters; `None` for plain ASCII, where both agree.
    byte_offsets: Option<Vec<usize>>,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, Node>,
    n_copied: usize,
    duplicate_keys: Vec<DuplicateKey>,
}

impl<'text> Builder<'text> {
    fn new(text: &'text str) -> Self {
        let byte_offsets = (!text.is_ascii()).then(|| {
            let starts = text.char_indices().map(|(byte, _)| byte);
            starts.chain(std::iter::once(text.len())).collect()
        });
        Self {
            text,
            parser: Parser::new_from_str(text),
            byte_offsets,
            open: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            n_copied: 0,
            duplicate_keys: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Document, Diagnostic> {
        let mut is_over = false;
        while let Some(event) = self.parser.next_event() {
            let (event, place) = event.map_err(|error| self.syntax_error(&error))?;
            let span = Span {
                start: self.byte(place.start.index()),
                end: self.byte(place.end.index()),
            };
            if is_over && matches!(event, Event::DocumentStart(_)) {
                return Err(self.second_document(span));
            }
            is_over |= matches!(event, Event::DocumentEnd);
            self.take(event, span)?;
        }
        let nothing = Node {
            value: Value::Null,
            span: Span::default(),
        };
        Ok(Document {
            root: self.root.unwrap_or(nothing),
            duplicate_keys: self.duplicate_keys,
        })
    }

    fn second_document(&self, span: Span) -> Diagnostic {
        let message = "a second document begins here, and only one is read";
        Diagnostic::error(self.text, span, message)
            .with_help("remove the line that separates them, or put the second into its own file")
    }

    fn take(&mut self, event: Event<'text>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let scalar = Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref());
                let value = scalar.map_or_else(
                    || {
                        Err(Diagnostic::error(
                            self.text,
                            span,
                            "the value does not fit its tag",
                        ))
                    },
                    |scalar| Ok(Value::from(scalar)),
                )?;
                self.add(Node { value, span }, anchor);
            }
            Event::SequenceStart(anchor, _) => {
                self.begin(Value::Sequence(Vec::new()), span, anchor)?
            }
            Event::MappingStart(anchor, _) => {
                self.begin(Value::Mapping(Vec::new()), span, anchor)?
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    open.node.span.end = self.trimmed(open.node.span.start, span.end);
                    self.add(open.node, open.anchor);
                }
            }
            Event::Alias(anchor) => self.copy(anchor, span)?,
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, value: Value, span: Span, anchor: usize) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(Diagnostic::error(self.text, span, message));
        }
        self.open.push(Open {
            node: Node { value, span },
            anchor,
            key: None,
            seen: HashMap::new(),
        });
        Ok(())
    }

    fn copy(&mut self, anchor: usize, span: Span) -> Result<(), Diagnostic> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Diagnostic::error(
                self.text,
                span,
                "the alias stands inside its own anchor",
            ));
        };
        self.n_copied += node.count();
        if self.n_copied > MAX_COPIED_NODES {
            let message = format!("the aliases copy more than {MAX_COPIED_NODES} values");
            return Err(Diagnostic::error(self.text, span, message));
        }
        let value = node.value.clone();
        self.add(Node { value, span }, 0);
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) {
        // The parser counts anchors from 1.
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        match (&mut open.node.value, open.key.take()) {
            (Value::Mapping(entries), Some(key)) => entries.push((key, node)),
            (Value::Mapping(_), None) => {
                let name = node.key_text();
                if let Some(&first) = open.seen.get(&name) {
                    self.duplicate_keys.push(DuplicateKey {
                        key: name,
                        first,
                        second: node.span,
                    });
                } else {
                    open.seen.insert(name, node.span);
                }
                open.key = Some(node);
            }
            (Value::Sequence(items), _) => items.push(node),
            _ => {}
        }
    }

    /// A block ends where the next token starts; the blank space between belongs to neither.
    fn trimmed(&self, start: usize, end: usize) -> usize {
        let inside = self.text.get(start..end).unwrap_or_default();
        start + inside.trim_end().len()
    }

    fn byte(&self, character: usize) -> usize {
        match &self.byte_offsets {
            Some(offsets) => offsets.get(character).copied().unwrap_or(self.text.len()),
            None => character.min(self.text.len()),
        }
    }

    fn syntax_error(&self, error: &ScanError) -> Diagnostic {
        let start = self.byte(error.marker().index());
        let end = self.text[start..]
            .chars()
            .next()
            .map_or(start, |next| start + next.len_utf8());
        let diagnostic = Diagnostic::error(
            self.text,
            Span { start, end },
            format!("this is not YAML: {}", error.info()),
        );
        match advice(self.text, start) {
            Some(advice) => diagnostic.with_help(advice),
            None => diagnostic,
        }
    }
}

/// The mistakes that people make most, by the look of the lines around the place.
fn advice(text: &str, byte: usize) -> Option<&'static str> {
    let is_tabbed = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    let line_start = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    let mut lines = text[line_start..].lines();
    let line = lines.next().unwrap_or_default();
    let next = lines.next().unwrap_or_default();
    let before = text[..line_start]
        .trim_end()
        .lines()
        .next_back()
        .unwrap_or_default();
    let value = line.split_once(": ").map(|(_, value)| value.trim_start());
    // The parser may read on: a tab is reported on the line before it, a key without its blank on the line after.
    if is_tabbed(line) || is_tabbed(next) {
        Some("YAML is indented with spaces, never with tabs")
    } else if value.is_some_and(|value| value.contains(": ") && !value.starts_with(['"', '\''])) {
        Some("a text with a colon in it needs quotes around it, or a block that starts with `|`")
    } else if value.is_some_and(|value| value.starts_with(['@', '`', '%', '&', '*', '!'])) {
        Some("a text that starts with a special character needs quotes around it")
    } else if [line, before].into_iter().any(lacks_blank_after_colon) {
        Some("a key ends with a colon and a blank: `key: value`")
    } else {
        None
    }
}

/// `key:value`, which YAML reads as one word.
fn lacks_blank_after_colon(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '-']);
    line.split_once(':').is_some_and(|(key, value)| {
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        !key.is_empty()
            && key.chars().all(is_name)
            && !value.is_empty()
            && !value.starts_with([' ', '/'])
    })
}

impl From<Scalar<'_>> for Value {
    fn from(scalar: Scalar<'_>) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Boolean(value) => Self::Boolean(value),
            Scalar::Integer(value) => Self::Integer(value),
            Scalar::FloatingPoint(value) => Self::Float(value.into_inner()),
            Scalar::String(text) => Self::Text(text.into_owned()),
        }
    }
}

/// The name in `known` that `name` was probably meant to be.
pub fn nearest<'name>(
    name: &str,
    known: impl IntoIterator<Item = &'name str>,
) -> Option<&'name str> {
    let mut tried = HashSet::new();
    known
        .into_iter()
        .filter(|candidate| tried.insert(*candidate))
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| {
            *distance <= 1 + candidate.chars().count().min(name.chars().count()) / 4
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(text: &str, span: Span) -> &str {
        &text[span.start..span.end]
    }

    #[test]
    fn spans_are_bytes_even_after_other_alphabets() {
        let text = "título: \"né\"\nseed: [1, two]\n";
        let document = parse(text).unwrap();
        let (key, value) = document.root.entry("título").unwrap();
        assert_eq!(text_of(text, key.span), "título");
        assert_eq!(text_of(text, value.span), "\"né\"");
        let seed = document.root.get("seed").unwrap();
        assert_eq!(text_of(text, seed.items()[1].span), "two");
        assert_eq!(
            document.root.to_json(),
            serde_json::json!({"título": "né", "seed": [1, "two"]})
        );
    }

    #[test]
    fn a_key_that_occurs_twice_is_reported_and_the_last_counts() {
        let document = parse("a: 1\nb: 2\na: 3\n").unwrap();
        assert_eq!(document.duplicate_keys.len(), 1);
        assert_eq!(
            document.duplicate_keys[0].second,
            Span { start: 10, end: 11 }
        );
        assert_eq!(document.root.get("a").unwrap().value, Value::Integer(3));
    }

    #[test]
    fn hostile_texts_are_refused_with_a_place() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        for deep in ["[".repeat(100), "- ".repeat(100_000)] {
            assert!(parse(&deep).unwrap_err().message.contains("nested"));
        }
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let copies = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{copies}]\n"));
        }
        assert!(parse(&bomb).unwrap_err().message.contains("aliases"));
        assert!(parse("a: &a [*a]").is_err());
        let error = parse("a: 1\n\tb: 2\n").unwrap_err();
        assert!(error.help.unwrap().contains("tabs"), "{}", error.message);
        let error = parse("seed_examples:xx\n- a: b\n").unwrap_err();
        assert!(error.help.unwrap().contains("blank"));
        let error = parse("question: what is this: a test\n").unwrap_err();
        assert!(
            error.help.clone().unwrap_or_default().contains("quotes"),
            "{error:?}"
        );
    }

    #[test]
    fn an_empty_text_is_nothing() {
        for text in ["", "\n", "# only a comment\n", "---\n"] {
            assert_eq!(parse(text).unwrap().root.value, Value::Null, "{text:?}");
        }
    }

    #[test]
    fn a_second_document_is_an_error_at_its_place() {
        for (text, line) in [
            ("a: 1\n---\nb: 2\n", 2),
            ("---\na: 1\n---\n", 3),
            ("é: 1\n...\nb: 2\n", 3),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, 1), "{text:?}");
            assert!(error.message.contains("second document"), "{error:?}");
        }
        for text in ["---\na: 1\n", "a: 1\n...\n", "# a\n---\na: 1\n...\n# b\n"] {
            assert!(parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let known = ["taxonomy_path", "taxonomy_base", "model"];
        assert_eq!(nearest("taxonomy_pth", known), Some("taxonomy_path"));
        assert_eq!(nearest("modle", known), Some("model"));
        assert_eq!(nearest("colour", known), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[-a:\\[\\]{}&*!|>'\"\\n\\t #%@,?é\\x00]{0,80}") {
            if let Ok(document) = parse(&text) {
                check_spans(&document.root, &text);
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse(&String::from_utf8_lossy(&bytes));
        }
    }

    fn check_spans(node: &Node, text: &str) {
        assert!(
            text.get(node.span.start..node.span.end).is_some(),
            "{:?} of {text:?}",
            node.span
        );
        node.items().iter().for_each(|item| check_spans(item, text));
        for (key, value) in node.entries() {
            check_spans(key, text);
            check_spans(value, text);
        }
    }
}
