//! From a place in the data to a place in the text.

use ilab_base::diagnostic::{Diagnostic, Span};
use ilab_base::yaml::{Node, Value};

/// One step down: into a mapping by key, or into a list by position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Item(usize),
}

/// Where a value stands and what people call it.
#[derive(Debug)]
pub(crate) struct Place<'tree> {
    /// The value.
    pub(crate) node: &'tree Node,
    /// What to underline: the key of a list or mapping, the whole of anything short.
    pub(crate) span: Span,
    /// "`question`", "item 2 of `seed_examples`", "the file".
    pub(crate) name: String,
}

/// Follows `steps` from `root`; stops early where the tree does.
pub(crate) fn locate<'tree>(root: &'tree Node, steps: &[Step]) -> Place<'tree> {
    let mut place = Place {
        node: root,
        span: head(root),
        name: "the file".to_owned(),
    };
    for step in steps {
        let found = match step {
            Step::Key(name) => place.node.entry(name).map(|(key, node)| Place {
                node,
                span: if is_container(node) {
                    key.span
                } else {
                    visible(node, key)
                },
                name: format!("`{name}`"),
            }),
            Step::Item(index) => place.node.items().get(*index).map(|node| Place {
                node,
                span: head(node),
                name: format!("item {} of {}", index + 1, place.name),
            }),
        };
        match found {
            Some(found) => place = found,
            None => break,
        }
    }
    place
}

/// The start of a value that is too long to underline whole.
fn head(node: &Node) -> Span {
    match &node.value {
        Value::Mapping(entries) => entries.first().map_or(node.span, |(key, _)| key.span),
        Value::Sequence(_) => Span {
            start: node.span.start,
            end: (node.span.start + 1).min(node.span.end.max(node.span.start)),
        },
        _ => node.span,
    }
}

fn is_container(node: &Node) -> bool {
    matches!(node.value, Value::Mapping(_) | Value::Sequence(_))
}

/// An absent value has no extent: its key is shown instead.
fn visible(node: &Node, key: &Node) -> Span {
    if node.span.start < node.span.end {
        node.span
    } else {
        key.span
    }
}

/// The file holds bytes that are no text.
pub(crate) fn not_utf8(text: &str, byte: usize) -> Diagnostic {
    let start = byte.min(text.len());
    let end = text[start..]
        .chars()
        .next()
        .map_or(start, |next| start + next.len_utf8());
    Diagnostic::error(text, Span { start, end }, "the file is not UTF-8 text").with_help(
        "save it as UTF-8: `iconv -f LATIN1 -t UTF-8` converts the most common other encoding",
    )
}
