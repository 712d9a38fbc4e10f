//! Cutting a document into chunks of a bounded number of tokens.

use std::ops::Range;

use ilab_base::document_files::Format;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter, TextSplitter};

/// Counts the tokens of a text.
pub type TokenCounter = dyn Fn(&str) -> usize + Send + Sync;

/// How long a chunk may be.
#[derive(Clone, Copy)]
pub struct Budget<'counter> {
    /// At most this many tokens, headings included.
    pub n_tokens: usize,
    /// How tokens are counted.
    pub count: &'counter TokenCounter,
}

/// A guess at the number of tokens for when the model's tokenizer is out of reach: four tokens for three words, or one
/// for four bytes where words are long or not separated by spaces.
pub fn estimated_tokens(text: &str) -> usize {
    let n_words = text.split_whitespace().count();
    (n_words * 4).div_ceil(3).max(text.len().div_ceil(4))
}

/// Cuts `text` into chunks, in order.
///
/// The text under one heading stays together while it fits; longer text is cut between blocks, then sentences, then
/// words. The headings above it, outermost first and one a line, come first in each chunk. They are left out where they
/// alone would take more than half of the budget.
pub fn chunks(text: &str, format: Format, budget: Budget<'_>) -> Vec<String> {
    let sections = match format {
        Format::Markdown => sections(text),
        Format::Text => vec![Section {
            headings: Vec::new(),
            body: 0..text.len(),
        }],
    };
    sections
        .iter()
        .flat_map(|section| section_chunks(text, section, format, budget))
        .filter(|chunk| has_text(chunk))
        .collect()
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

fn section_chunks(
    text: &str,
    section: &Section,
    format: Format,
    budget: Budget<'_>,
) -> Vec<String> {
    let body = text[section.body.clone()]
        .trim_matches(['\n', '\r'])
        .trim_end();
    if body.trim().is_empty() {
        return Vec::new();
    }
    let mut prefix = section
        .headings
        .iter()
        .map(|heading| format!("{heading}\n"))
        .collect::<String>();
    let n_prefix = (budget.count)(&prefix);
    if n_prefix * 2 > budget.n_tokens {
        prefix.clear();
    }
    let whole = format!("{prefix}{body}");
    if (budget.count)(&whole) <= budget.n_tokens {
        return vec![whole];
    }
    let sizer = Prefixed {
        prefix: &prefix,
        count: budget.count,
    };
    let config = ChunkConfig::new(budget.n_tokens.max(1)).with_sizer(sizer);
    let pieces: Vec<&str> = match format {
        Format::Markdown => MarkdownSplitter::new(config).chunks(body).collect(),
        Format::Text => TextSplitter::new(config).chunks(body).collect(),
    };
    pieces
        .into_iter()
        .map(|piece| format!("{prefix}{piece}"))
        .collect()
}

/// Counts a chunk together with the headings that will stand in front of it.
struct Prefixed<'a> {
    prefix: &'a str,
    count: &'a TokenCounter,
}

impl ChunkSizer for Prefixed<'_> {
    fn size(&self, chunk: &str) -> usize {
        (self.count)(&format!("{}{chunk}", self.prefix))
    }
}

/// The text between two headings.
struct Section {
    /// The headings above it, outermost first.
    headings: Vec<String>,
    body: Range<usize>,
}

fn sections(text: &str) -> Vec<Section> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut path: Vec<(HeadingLevel, String)> = Vec::new();
    let mut sections = Vec::new();
    let mut heading: Option<String> = None;
    let mut body_start = 0;
    // A heading inside a quote or a list belongs to the text around it.
    let mut n_open_containers = 0_usize;
    let mut close = |path: &[(HeadingLevel, String)], body: Range<usize>| {
        sections.push(Section {
            headings: path
                .iter()
                .map(|(_, title)| title.clone())
                .filter(|title| !title.is_empty())
                .collect(),
            body,
        });
    };
    for (event, range) in Parser::new_ext(text, options).into_offset_iter() {
        match event {
            Event::Start(Tag::MetadataBlock(_)) => body_start = range.end,
            Event::Start(Tag::BlockQuote(_) | Tag::List(_)) => n_open_containers += 1,
            Event::End(TagEnd::BlockQuote(_) | TagEnd::List(_)) => n_open_containers -= 1,
            Event::Start(Tag::Heading { level, .. }) if n_open_containers == 0 => {
                close(&path, body_start..range.start);
                path.retain(|(above, _)| *above < level);
                heading = Some(String::new());
                body_start = range.end;
            }
            Event::End(TagEnd::Heading(level)) => {
                if let Some(title) = heading.take() {
                    path.push((level, title.trim().to_owned()));
                }
            }
            Event::Text(piece) | Event::Code(piece) => {
                if let Some(title) = &mut heading {
                    title.push_str(&piece);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(title) = &mut heading {
                    title.push(' ');
                }
            }
            _ => {}
        }
    }
    close(&path, body_start..text.len());
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn cut(text: &str, n_tokens: usize) -> Vec<String> {
        chunks(
            text,
            Format::Markdown,
            Budget {
                n_tokens,
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
                count: &words,
            },
        );
        assert_eq!(chunks, ["# no heading.", "Next one here."]);
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_lost_and_no_chunk_is_too_long(text in "[a-z#\\-\\n >|`*.]{0,200}", n_tokens in 1_usize..20) {
            for format in [Format::Markdown, Format::Text] {
                let chunks = chunks(&text, format, Budget { n_tokens, count: &words });
                for chunk in &chunks {
                    proptest::prop_assert!(words(chunk) <= n_tokens, "{chunk:?}");
                }
            }
            let chunks = chunks(&text, Format::Text, Budget { n_tokens, count: &words });
            let letters = |text: &str| text.chars().filter(char::is_ascii_alphabetic).count();
            proptest::prop_assert_eq!(chunks.iter().map(|chunk| letters(chunk)).sum::<usize>(), letters(&text));
        }
    }
}
