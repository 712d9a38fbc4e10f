//! Measuring pieces of a text without having each tokenised anew: a splitter asks for the length of hundreds.
//!
//! A text is taken as words with the space before them, and each word is tokenised once. The sum over the words of a piece
//! is what the tokenizer says of the piece, nearly: tokenizers hardly ever join what a space divides.

use std::cell::RefCell;
use std::collections::HashMap;

use text_splitter::ChunkSizer;

use crate::chunk::TokenCounter;

/// A longer word is taken in parts, of so many bytes at most. In scripts without spaces a paragraph is one word.
const WORD_BYTES: usize = 24;
/// A word is tokenised behind this, because some tokenizers put a space of their own in front of a text.
const ANCHOR: &str = "a";
/// And one with no space before it behind this.
const LINE_ANCHOR: &str = "a\n";
/// A language has fewer words in use; a file of random numbers has more.
const N_WORDS_KEPT: usize = 200_000;
/// A text to see whether its tokens are those of its words.
const PROBE: &str =
    " the house near the old river is cold in winter, and nobody lives there but an owl";

/// The lengths of words, as they have been measured.
pub(crate) struct Measure<'a> {
    count: &'a TokenCounter,
    n_anchor_tokens: usize,
    n_line_anchor_tokens: usize,
    n_tokens_by_word: RefCell<HashMap<String, usize>>,
}

impl<'a> Measure<'a> {
    pub(crate) fn new(count: &'a TokenCounter) -> Self {
        Self {
            count,
            n_anchor_tokens: count(ANCHOR),
            n_line_anchor_tokens: count(LINE_ANCHOR),
            n_tokens_by_word: RefCell::default(),
        }
    }

    /// What the tokenizer says.
    pub(crate) fn exact(&self, text: &str) -> usize {
        (self.count)(text)
    }

    /// Whether the tokens of a text are those of its words: not so where they are counted by a rule of thumb that rounds.
    pub(crate) fn adds_up(&self) -> bool {
        let text = format!("{ANCHOR}{PROBE}");
        self.n_anchor_tokens + self.estimate(PROBE) == self.exact(&text)
    }

    /// Nearly what the tokenizer says, where tokens add up.
    pub(crate) fn estimate(&self, text: &str) -> usize {
        words(text).map(|word| self.word(word)).sum()
    }

    fn word(&self, word: &str) -> usize {
        if let Some(n_tokens) = self.n_tokens_by_word.borrow().get(word) {
            return *n_tokens;
        }
        let (anchor, n_anchor_tokens) = match word.starts_with(char::is_whitespace) {
            true => (ANCHOR, self.n_anchor_tokens),
            false => (LINE_ANCHOR, self.n_line_anchor_tokens),
        };
        let n_tokens = self
            .exact(&format!("{anchor}{word}"))
            .saturating_sub(n_anchor_tokens);
        let mut known = self.n_tokens_by_word.borrow_mut();
        if known.len() >= N_WORDS_KEPT {
            known.clear();
        }
        known.insert(word.to_owned(), n_tokens);
        n_tokens
    }
}

/// `text` in pieces, each with the space before its word.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(rest.len());
        let end = rest[start..]
            .char_indices()
            .find(|(index, c)| c.is_whitespace() || *index >= WORD_BYTES)
            .map_or(rest.len(), |(index, _)| start + index);
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

/// Measures pieces of one text, each with the headings that will stand in front of it.
pub(crate) struct Ruler<'a> {
    text: &'a str,
    measure: &'a Measure<'a>,
    n_heading_tokens: usize,
    /// Where each word ends, with the tokens up to there.
    marks: Vec<(usize, usize)>,
}

impl<'a> Ruler<'a> {
    pub(crate) fn new(text: &'a str, measure: &'a Measure<'a>, n_heading_tokens: usize) -> Self {
        let (mut end, mut n_estimated) = (0, 0);
        let marks: Vec<(usize, usize)> = words(text)
            .map(|word| {
                end += word.len();
                n_estimated += measure.word(word);
                (end, n_estimated)
            })
            .collect();
        Self {
            text,
            measure,
            n_heading_tokens,
            marks,
        }
    }

    /// The tokens of all words that end at `offset` or before it.
    fn n_tokens_before(&self, offset: usize) -> usize {
        match self.marks.partition_point(|(end, _)| *end <= offset) {
            0 => 0,
            n_words => self.marks[n_words - 1].1,
        }
    }
}

impl ChunkSizer for Ruler<'_> {
    fn size(&self, piece: &str) -> usize {
        let start = (piece.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize);
        let n_tokens = match start.filter(|start| start + piece.len() <= self.text.len()) {
            Some(start) => {
                let end = start + piece.len();
                // A word that the piece cuts counts as a whole.
                let last = self.marks.partition_point(|(mark, _)| *mark < end);
                let upto = self.marks.get(last).map_or(0, |(_, n_tokens)| *n_tokens);
                upto.saturating_sub(self.n_tokens_before(start))
            }
            None => self.measure.estimate(piece),
        };
        self.n_heading_tokens + n_tokens
    }
}

/// What the tokenizer says of each piece with the headings in front of it, at the price of asking it.
pub(crate) struct Exact<'a> {
    pub(crate) headings: &'a str,
    pub(crate) measure: &'a Measure<'a>,
}

impl ChunkSizer for Exact<'_> {
    fn size(&self, piece: &str) -> usize {
        self.measure.exact(&format!("{}{piece}", self.headings))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_text_is_its_words() {
        let text = "  one two\n\nthree averyveryverylongwordthatgoesonandon \n";
        let found: Vec<&str> = words(text).collect();
        assert_eq!(
            found,
            [
                "  one",
                " two",
                "\n\nthree",
                " averyveryverylongwordtha",
                "tgoesonandon",
                " \n"
            ]
        );
        assert_eq!(words("").count(), 0);
    }

    #[test]
    fn a_rule_of_thumb_that_rounds_does_not_add_up() {
        assert!(Measure::new(&|text: &str| text.split_whitespace().count()).adds_up());
        assert!(!Measure::new(&crate::chunk::estimated_tokens).adds_up());
    }

    #[test]
    fn pieces_are_measured_by_their_words_and_each_word_once() {
        let n_calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&n_calls);
        let count = move |text: &str| {
            counted.fetch_add(1, Ordering::Relaxed);
            text.split_whitespace().map(str::len).sum()
        };
        let measure = Measure::new(&count);
        let text = "one two three one two three";
        let ruler = Ruler::new(text, &measure, 10);
        let n_before = n_calls.load(Ordering::Relaxed);
        assert_eq!(ruler.size(&text[4..13]), 10 + 8);
        assert_eq!(ruler.size(text), 10 + 22);
        assert_eq!(ruler.size("two two"), 10 + 6);
        let n_after = n_calls.load(Ordering::Relaxed);
        assert!(n_after - n_before <= 2, "only what was not seen before");
    }
}
