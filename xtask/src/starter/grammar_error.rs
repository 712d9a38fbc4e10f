//! What can be wrong with the files of the grammar.

use ilab_base::hint::Hint;

/// A mistake in a relation or lexicon file, with its place.
#[derive(Debug, thiserror::Error)]
pub enum GrammarError {
    /// Words in `lists.txt` before the first `[section]`.
    #[error("`{line}` stands before the first section")]
    WordOutsideSection {
        /// The line.
        line: String,
    },
    /// A line of `names.txt` that is neither `heads` nor a weight and a pattern.
    #[error("`{line}` is not a weight above zero and a pattern of names")]
    NamePattern {
        /// The line.
        line: String,
    },
    /// A heading that is not `[SUBJECT relation VALUE]`.
    #[error("{file}:{line}: `{text}` is not `[SUBJECT relation VALUE]`")]
    Heading {
        /// The file.
        file: String,
        /// The line number, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A kind that nothing generates.
    #[error("{file}:{line}: unknown kind `{kind}`")]
    Kind {
        /// The file.
        file: String,
        /// The line number, from 1.
        line: usize,
        /// The kind.
        kind: String,
    },
    /// A line that starts with none of `s`, `p`, `l`, `q`, `a`.
    #[error("{file}:{line}: `{text}` does not start with s, p, l, q or a")]
    Line {
        /// The file.
        file: String,
        /// The line number, from 1.
        line: usize,
        /// The line.
        text: String,
    },
    /// A slot that nothing fills.
    #[error("{file}:{line}: unknown slot `{{{slot}}}`")]
    Slot {
        /// The file.
        file: String,
        /// The line number, from 1.
        line: usize,
        /// The slot.
        slot: String,
    },
    /// A question without a question mark, or an order without a full stop.
    #[error("{file}:{line}: the question ends with neither a question mark nor a full stop")]
    QuestionMark {
        /// The file.
        file: String,
        /// The line number, from 1.
        line: usize,
    },
    /// A relation that cannot be stated, asked or answered.
    #[error("{file}: relation `{relation}` lacks a statement, a question or an answer")]
    Incomplete {
        /// The file.
        file: String,
        /// The relation.
        relation: String,
    },
}

impl Hint for GrammarError {}
