//! The text of a PDF as a reader sees it: without what stands at the top and bottom of every page, and with paragraphs that
//! go on where a line, a column or a page ended.
//!
//! A PDF knows where letters stand and nothing of headings or paragraphs, so this is by rule of thumb.

use std::collections::{HashMap, HashSet};

/// Stands between two pages.
pub(crate) const BREAK: &str = "\u{c}";
/// A line on so many pages, and on half of all, is a header or a footer.
const N_PAGES_OF_RUNNING_LINE: usize = 3;
/// How many paragraphs at the top and at the bottom of a page can be headers and footers.
const N_EDGE_PARAGRAPHS: usize = 3;

/// Joins the pages of `text`, in which [`BREAK`] stands between pages and an empty line between paragraphs.
pub(crate) fn join(text: &str) -> String {
    let pages: Vec<Vec<&str>> = text.split(BREAK).map(paragraphs).collect();
    let running = running_lines(&pages);
    let mut joined: Vec<String> = Vec::new();
    for page in &pages {
        for (index, paragraph) in page.iter().enumerate() {
            if is_edge(index, page.len()) && running.contains(&without_numbers(paragraph)) {
                continue;
            }
            match joined.last_mut() {
                Some(last) if goes_on(last, paragraph) => {
                    last.push(' ');
                    last.push_str(paragraph);
                }
                _ => joined.push((*paragraph).to_owned()),
            }
        }
    }
    joined.join("\n\n")
}

fn paragraphs(page: &str) -> Vec<&str> {
    let paragraphs = page.split("\n\n").map(str::trim);
    paragraphs.filter(|text| !text.is_empty()).collect()
}

/// What headers and footers say, without the numbers in them.
fn running_lines(pages: &[Vec<&str>]) -> HashSet<String> {
    let mut n_pages_by_line: HashMap<String, usize> = HashMap::new();
    for page in pages {
        let edges = page.iter().enumerate();
        let edges = edges.filter(|(index, _)| is_edge(*index, page.len()));
        let lines: HashSet<String> = edges.map(|(_, text)| without_numbers(text)).collect();
        for line in lines {
            *n_pages_by_line.entry(line).or_default() += 1;
        }
    }
    let n_needed = N_PAGES_OF_RUNNING_LINE.max(pages.len().div_ceil(2));
    n_pages_by_line
        .into_iter()
        .filter(|(_, n_pages)| *n_pages >= n_needed)
        .map(|(line, _)| line)
        .collect()
}

fn is_edge(index: usize, n_paragraphs: usize) -> bool {
    index < N_EDGE_PARAGRAPHS || index + N_EDGE_PARAGRAPHS >= n_paragraphs
}

/// `Page 1 of 12` and `Page 11 of 12` are the same line.
fn without_numbers(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    for c in line.chars() {
        match c.is_ascii_digit() {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(c),
        }
    }
    text
}

/// Whether a paragraph is the rest of the one before it.
fn goes_on(before: &str, paragraph: &str) -> bool {
    let is_open = before
        .chars()
        .next_back()
        .is_some_and(|last| last.is_alphanumeric() || matches!(last, ',' | ';' | '(' | '–'));
    let is_rest = paragraph.chars().next().is_some_and(char::is_lowercase);
    is_open && is_rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_footers_go_and_sentences_are_whole_again() {
        let page = |number: usize, text: &str| format!("The log\n\n{text}\n\nPage {number} of 3");
        let pages = [
            page(1, "The brill eats moss,\n\nfog and\n\n- nothing."),
            page(2, "It sleeps in a"),
            page(3, "bowl.\n\nHome\n\nThe log"),
        ];
        assert_eq!(
            join(&pages.join(BREAK)),
            "The brill eats moss, fog and\n\n- nothing.\n\nIt sleeps in a bowl.\n\nHome"
        );
    }

    #[test]
    fn what_is_said_on_two_pages_is_no_header() {
        let text = ["Six legs", "Six legs"].join(BREAK);
        assert_eq!(join(&text), "Six legs\n\nSix legs");
        assert_eq!(join(""), "");
    }
}
