//! Passages of documents that examples can be about.

use std::collections::HashSet;

use ilab_documents::chunk::{Budget, Chunker, TokenCounter};
use ilab_documents::source::Document;

use super::{DraftError, N_PASSAGES};

/// A passage is a few paragraphs: long enough for three questions, short enough to be read by who edits the draft.
const PASSAGE_TOKENS: usize = 256;
/// Shorter pieces are sentences, not passages.
const MIN_PASSAGE_TOKENS: usize = 16;
/// Of a document with long passages, those that are shorter than this part of the budget are headings and remains.
const SHORT_PART: usize = 4;

/// As many passages as a leaf needs, spread over the documents. Short documents are cut more finely.
///
/// # Errors
/// The documents are too short.
pub fn passages(
    documents: &[Document],
    count: &TokenCounter,
    max_tokens: usize,
) -> Result<Vec<String>, DraftError> {
    let mut n_tokens = PASSAGE_TOKENS.min(max_tokens);
    let mut n_passages = 0;
    while n_tokens >= MIN_PASSAGE_TOKENS {
        let found = cut(documents, count, n_tokens);
        let is_long = |passage: &&String| count(passage) * SHORT_PART >= n_tokens;
        let long: Vec<&String> = found.iter().filter(is_long).collect();
        if long.len() >= N_PASSAGES {
            return Ok(spread(&long));
        }
        n_passages = found.len();
        n_tokens /= 2;
    }
    let found = cut(documents, count, MIN_PASSAGE_TOKENS);
    match found.len() >= N_PASSAGES {
        true => Ok(spread(&found.iter().collect::<Vec<_>>())),
        false => Err(DraftError::TooShort {
            n_passages: n_passages.max(found.len()),
            n_wanted: N_PASSAGES,
        }),
    }
}

fn cut(documents: &[Document], count: &TokenCounter, n_tokens: usize) -> Vec<String> {
    let chunker = Chunker::new(Budget {
        n_tokens,
        n_overlap_tokens: 0,
        count,
    });
    let mut seen = HashSet::new();
    let chunks = documents
        .iter()
        .flat_map(|document| chunker.chunks(&document.text, document.format));
    let tidy = chunks.map(|chunk| tidied(&chunk));
    tidy.filter(|chunk| !chunk.is_empty() && seen.insert(chunk.clone()))
        .collect()
}

/// The first, the last, and what is evenly between.
fn spread(passages: &[&String]) -> Vec<String> {
    let last = passages.len() - 1;
    let indices = (0..N_PASSAGES).map(|index| index * last / (N_PASSAGES - 1));
    indices.map(|index| passages[index].clone()).collect()
}

/// A text that a block of YAML can hold and whose layout nobody has to put right.
pub(super) fn tidied(text: &str) -> String {
    let text: String = text
        .chars()
        .filter_map(|letter| match letter {
            '\n' => Some('\n'),
            // YAML takes some of these as ends of lines and refuses others.
            '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}' => Some(' '),
            '\t' => Some(' '),
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => None,
            letter if letter.is_control() => None,
            letter => Some(letter),
        })
        .collect();
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let follows_empty = lines.last().is_none_or(|last| last.is_empty());
        if !(line.is_empty() && follows_empty) {
            lines.push(line);
        }
    }
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ilab_base::document_files::Format;
    use ilab_documents::chunk::estimated_tokens;

    fn document(text: &str) -> Document {
        Document {
            path: "a.md".to_owned(),
            format: Format::Markdown,
            text: text.to_owned(),
        }
    }

    fn sections(n_sections: usize, n_words: usize) -> String {
        let words = |section| {
            let words = (0..n_words).map(|word| format!("w{section}-{word}"));
            words.collect::<Vec<_>>().join(" ")
        };
        let section = |index| format!("# Part {index}\n\n{}\n\n", words(index));
        (0..n_sections).map(section).collect()
    }

    #[test]
    fn passages_are_spread_over_long_documents() {
        let long = [document(&sections(41, 100))];
        let found = passages(&long, &estimated_tokens, usize::MAX).unwrap();
        let heads: Vec<_> = found
            .iter()
            .map(|one| one.lines().next().unwrap())
            .collect();
        assert_eq!(
            heads,
            ["Part 0", "Part 10", "Part 20", "Part 30", "Part 40"]
        );
    }

    #[test]
    fn short_documents_are_cut_finely_and_too_short_ones_refused() {
        let short = [document(&sections(1, 100))];
        let found = passages(&short, &estimated_tokens, usize::MAX).unwrap();
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), N_PASSAGES);
        let tiny = [document("# A brill\n\nIt is an animal.\n")];
        let error = passages(&tiny, &estimated_tokens, usize::MAX).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the documents hold 1 different passages, and a leaf needs 5"
        );
    }

    #[test]
    fn passages_have_a_layout_that_needs_no_care() {
        assert_eq!(
            tidied("\u{feff}  a \t\r\n\n\n\n\tb\u{2028}c\u{7}  "),
            "a\n\n b c"
        );
    }
}
