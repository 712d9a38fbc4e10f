//! What a file says, apart from its layout.

use ilab_base::diagnostic::Diagnostic;
use ilab_base::yaml::{self, Node, Value};

use crate::layout::marks::Marks;

/// The values and the comments of a text.
#[derive(Debug)]
pub(super) struct Meaning {
    root: Node,
    comments: Vec<String>,
}

impl Meaning {
    pub(super) fn of(text: &str) -> Result<Self, Diagnostic> {
        let root = yaml::parse(text)?.root;
        let marks = Marks::of(text, &root);
        let comments = marks.comments().iter();
        let comments = comments
            .map(|range| text[range.clone()].trim_end().to_owned())
            .collect();
        Ok(Self { root, comments })
    }

    /// Whether `text` says the same.
    pub(super) fn is_that_of(&self, text: &str) -> bool {
        Self::of(text)
            .is_ok_and(|other| same(&self.root, &other.root) && self.comments == other.comments)
    }
}

fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Sequence(one), Value::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Mapping(one), Value::Mapping(other)) => {
            let mut pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs.all(|(one, other)| same(&one.0, &other.0) && same(&one.1, &other.1))
        }
        // What is no number is the same as itself here.
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        (one, other) => one == other,
    }
}
