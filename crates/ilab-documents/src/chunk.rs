//! Cutting documents into chunks of a bounded number of tokens.

use ilab_base::document_files::Format;
use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter, TextSplitter};

use crate::measure::{Exact, Measure, Ruler};
use crate::sections::{Section, sections};
use crate::table::{self, Part};

/// Counts the tokens of a text.
pub type TokenCounter = dyn Fn(&str) -> usize + Send + Sync;

/// How long a chunk may be.
#[derive(Clone, Copy)]
pub struct Budget<'counter> {
    /// At most this many tokens, headings included.
    pub n_tokens: usize,
    /// So many of the last tokens of a chunk are said again at the start of the next one, where a section is cut; never more than
    /// half of a chunk.
    pub n_overlap_tokens: usize,
    /// How tokens are counted.
    pub count: &'counter TokenCounter,
}

/// A guess at the number of tokens for when the model's tokenizer is out of reach: four tokens for three words, or one
/// for four bytes where words are long or not separated by spaces.
pub fn estimated_tokens(text: &str) -> usize {
    let n_words = text.split_whitespace().count();
    (n_words * 4).div_ceil(3).max(text.len().div_ceil(4))
}

/// Cuts documents; what it has learned of the length of words in one serves the next.
pub struct Chunker<'a> {
    budget: Budget<'a>,
    measure: Measure<'a>,
    adds_up: bool,
}

impl<'a> Chunker<'a> {
    /// Cuts into chunks of that length.
    pub fn new(budget: Budget<'a>) -> Self {
        let measure = Measure::new(budget.count);
        Self {
            budget,
            adds_up: measure.adds_up(),
            measure,
        }
    }

    /// Cuts `text` into chunks, in order.
    ///
    /// The text under one heading stays together while it fits; longer text is cut between blocks, then sentences, then
    /// words, and a table between its rows, with its head in each piece. The headings above it, outermost first and one a
    /// line, come first in each chunk. They are left out where they alone would take more than half of the budget.
    pub fn chunks(&self, text: &str, format: Format) -> Vec<String> {
        let sections = match format {
            Format::Text => vec![Section::whole(text)],
            _ => sections(text),
        };
        sections
            .iter()
            .flat_map(|section| {
                self.section(&text[section.body.clone()], &section.headings, format)
            })
            .filter(|chunk| has_text(chunk))
            .collect()
    }

    fn section(&self, body: &str, headings: &[String], format: Format) -> Vec<String> {
        let body = body.trim_matches(['\n', '\r']).trim_end();
        if body.trim().is_empty() {
            return Vec::new();
        }
        let mut headings: String = headings
            .iter()
            .map(|heading| format!("{heading}\n"))
            .collect();
        let mut n_heading_tokens = self.measure.exact(&headings);
        if n_heading_tokens * 2 > self.budget.n_tokens {
            headings.clear();
            n_heading_tokens = 0;
        }
        let whole = format!("{headings}{body}");
        if self.fits(&whole) {
            return vec![whole];
        }
        let with_headings = |pieces: Vec<String>| -> Vec<String> {
            let chunks = pieces.into_iter().map(|piece| format!("{headings}{piece}"));
            chunks.collect()
        };
        if self.adds_up {
            let ruler = Ruler::new(body, &self.measure, n_heading_tokens);
            let chunks = with_headings(self.pieces(body, format, &ruler, n_heading_tokens));
            if chunks.iter().all(|chunk| self.fits(chunk)) {
                return chunks;
            }
        }
        // An estimate was too low somewhere; to cut only that piece again would leave crumbs.
        let exact = Exact {
            headings: &headings,
            measure: &self.measure,
        };
        with_headings(self.pieces(body, format, &exact, n_heading_tokens))
    }

    /// Whether a chunk is within the budget. The tokenizer is not asked where that is plain without it: an estimate is never
    /// wrong by half.
    fn fits(&self, chunk: &str) -> bool {
        let n_tokens = self.budget.n_tokens;
        match self.measure.estimate(chunk) {
            estimate if self.adds_up && estimate * 2 <= n_tokens => true,
            estimate if self.adds_up && estimate > n_tokens * 2 => false,
            _ => self.measure.exact(chunk) <= n_tokens,
        }
    }

    /// Cuts `body` so that each piece is within the budget by what `sizer` says, headings included.
    fn pieces(
        &self,
        body: &str,
        format: Format,
        sizer: &impl ChunkSizer,
        n_heading_tokens: usize,
    ) -> Vec<String> {
        let capacity = self.budget.n_tokens.max(1);
        let overlap = match self.budget.n_overlap_tokens.min(capacity / 2) {
            0 => 0,
            // The splitter measures it as it measures a chunk.
            overlap => (overlap + n_heading_tokens).min(capacity - 1),
        };
        let config = ChunkConfig::new(capacity)
            .with_sizer(sizer)
            .with_overlap(overlap)
            .expect("the overlap is shorter than the chunk");
        if format == Format::Text {
            let splitter = TextSplitter::new(config);
            return splitter.chunks(body).map(str::to_owned).collect();
        }
        let splitter = MarkdownSplitter::new(config);
        let cut = |part: Part<'_>| match part {
            Part::Text(text) => splitter.chunks(text).map(str::to_owned).collect(),
            Part::Rows(rows) => vec![rows],
        };
        let parts = table::parts(body, sizer, capacity);
        parts.into_iter().flat_map(cut).collect()
    }
}

/// Converters leave comments where a picture was; a chunk of nothing else has nothing to ask about.
fn has_text(chunk: &str) -> bool {
    let mut rest = chunk;
    while let Some((before, after)) = rest.split_once("<!--") {
        if before.chars().any(char::is_alphanumeric) {
            return true;
        }
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    rest.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn chunks(text: &str, format: Format, budget: Budget<'_>) -> Vec<String> {
        Chunker::new(budget).chunks(text, format)
    }

    fn cut(text: &str, n_tokens: usize) -> Vec<String> {
        chunks(
            text,
            Format::Markdown,
            Budget {
                n_tokens,
                n_overlap_tokens: 0,
                count: &words,
            },
        )
    }

    #[test]
    fn each_section_carries_the_headings_above_it() {
        let text = "---\nauthor: x\n---\nBefore.\n\n# The *Brill*\n\nA **bold** animal, see [it](x.md).\n\n## Food `list`\n\n- moss\n- fog\n\n### Empty\n\n## Home\n\nA hill\n=====\n";
        assert_eq!(
            cut(text, 50),
            [
                "Before.",
                "The Brill\nA **bold** animal, see [it](x.md).",
                "The Brill\nFood list\n- moss\n- fog",
            ]
        );
    }

    #[test]
    fn rules_between_slides_are_no_metadata() {
        let text = "# One\n\nAlpha.\n\n---\n# Two\n\nBeta.\n\n---\nGamma.\n---\n\nDelta.\n";
        let cut = cut(text, 50).join(" / ");
        for word in ["Alpha", "Beta", "Gamma", "Delta"] {
            assert!(cut.contains(word), "{cut}");
        }
        let text = "---\nNo key here.\n---\n\nText.\n";
        assert!(self::cut(text, 50).join(" ").contains("No key here"));
    }

    #[test]
    fn long_text_is_cut_between_blocks_and_keeps_its_headings() {
        let text =
            "# Title\n\none two three four\n\nfive six seven\n\n| a | b |\n|---|---|\n| c | d |\n";
        assert_eq!(
            cut(text, 8),
            [
                "Title\none two three four\n\nfive six seven",
                "Title\n| a | b |\n|---|---|",
                "Title\n| c | d |",
            ]
        );
    }

    #[test]
    fn every_piece_of_a_table_has_its_head() {
        let text = "# Legs\n\nBefore it.\n\n| who | n |\n|---|---|\n| ant | 6 |\n| fly | 6 |\n| cat | 4 |\n\nAfter it.\n";
        assert_eq!(
            cut(text, 17),
            [
                "Legs\nBefore it.",
                "Legs\n| who | n |\n|---|---|\n| ant | 6 |\n| fly | 6 |",
                "Legs\n| who | n |\n|---|---|\n| cat | 4 |",
                "Legs\nAfter it.",
            ]
        );
        assert_eq!(cut(text, 40).len(), 1, "one that fits is not cut");
    }

    #[test]
    fn a_cut_section_says_its_last_words_again() {
        let text = "# T\n\none two. three four. five six. seven eight.\n";
        let cut = |n_overlap_tokens| {
            let budget = Budget {
                n_tokens: 5,
                n_overlap_tokens,
                count: &words,
            };
            chunks(text, Format::Markdown, budget)
        };
        assert_eq!(
            cut(0),
            ["T\none two. three four.", "T\nfive six. seven eight."]
        );
        assert_eq!(
            cut(2),
            [
                "T\none two. three four.",
                "T\nthree four. five six.",
                "T\nfive six. seven eight.",
            ]
        );
        assert_eq!(cut(2), cut(9), "never more than half");
    }

    #[test]
    fn headings_longer_than_half_of_the_budget_are_left_out() {
        let text = "# a very long title indeed\n\none two three\n";
        assert_eq!(cut(text, 6), ["one two three"]);
    }

    #[test]
    fn headings_inside_fences_and_quotes_are_text() {
        let text = "# Real\n\n```\n# code\n```\n\n> # quoted\n> text\n";
        assert_eq!(
            cut(text, 50),
            ["Real\n```\n# code\n```\n\n> # quoted\n> text"]
        );
    }

    #[test]
    fn pictures_and_rules_alone_are_no_chunk() {
        let text = "<!-- image -->\n\n# Title\n\n<!-- image -->\n\ntext\n";
        assert_eq!(cut(text, 50), ["Title\n<!-- image -->\n\ntext"]);
        assert_eq!(cut("***\n\n<!-- open", 50), [""; 0]);
    }

    #[test]
    fn plain_text_is_cut_by_sentences() {
        let chunks = chunks(
            "# no heading. Next one here.",
            Format::Text,
            Budget {
                n_tokens: 3,
                n_overlap_tokens: 0,
                count: &words,
            },
        );
        assert_eq!(chunks, ["# no heading.", "Next one here."]);
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_lost_and_no_chunk_is_too_long(text in "([a-z#\\-\\n >|`*.]{0,20}|\\| a \\| b \\|\\n|\\|---\\|---\\|\\n){0,20}", n_tokens in 1_usize..20, n_overlap_tokens in 0_usize..20) {
            for format in [Format::Markdown, Format::Text] {
                let chunks = chunks(&text, format, Budget { n_tokens, n_overlap_tokens, count: &words });
                for chunk in &chunks {
                    proptest::prop_assert!(words(chunk) <= n_tokens, "{chunk:?}");
                }
            }
            let chunks = chunks(&text, Format::Text, Budget { n_tokens, n_overlap_tokens: 0, count: &words });
            let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).count();
            proptest::prop_assert_eq!(chunks.iter().map(|chunk| letters(chunk)).sum::<usize>(), letters(&text));
        }
    }
}
