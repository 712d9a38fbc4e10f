//! Changes of a text, each tried before it is made.

use std::ops::Range;

use super::meaning::Meaning;

/// So many texts are parsed for one rule. It is far more than people's files need, and bounds what other files cost.
const MAX_TRIALS: usize = 2_000;

/// Something else in the place of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) range: Range<usize>,
    replacement: String,
}

impl Edit {
    pub(super) fn new(range: Range<usize>, replacement: impl Into<String>) -> Self {
        Self {
            range,
            replacement: replacement.into(),
        }
    }
}

/// The text with all `edits`, which are in the order of the text and do not overlap.
pub(super) fn apply<'e>(text: &str, edits: impl IntoIterator<Item = &'e Edit>) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut end = 0;
    for edit in edits {
        edited.push_str(&text[end..edit.range.start]);
        edited.push_str(&edit.replacement);
        end = edit.range.end;
    }
    edited.push_str(&text[end..]);
    edited
}

/// The text with those `edits` that leave what it says as it is.
pub(super) fn apply_safely(text: &str, edits: &[Edit], meaning: &Meaning) -> String {
    let mut trial = Trial {
        text,
        meaning,
        accepted: Vec::new(),
        n_left: MAX_TRIALS,
    };
    trial.accept(edits);
    apply(text, trial.accepted)
}

struct Trial<'a> {
    text: &'a str,
    meaning: &'a Meaning,
    accepted: Vec<&'a Edit>,
    n_left: usize,
}

impl<'a> Trial<'a> {
    /// Takes all of `edits` where that is safe, else what is safe of each half.
    fn accept(&mut self, edits: &'a [Edit]) {
        if edits.is_empty() || self.n_left == 0 {
            return;
        }
        self.n_left -= 1;
        let candidates = self.accepted.iter().copied().chain(edits);
        if self.meaning.is_that_of(&apply(self.text, candidates)) {
            self.accepted.extend(edits);
        } else if edits.len() > 1 {
            let (first, second) = edits.split_at(edits.len() / 2);
            self.accept(first);
            self.accept(second);
        }
    }
}
