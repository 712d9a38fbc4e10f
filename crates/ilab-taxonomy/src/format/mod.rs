//! Changing the layout of a file to what the rules ask for, and nothing of what the file says.
//!
//! Every change is tried: the text is parsed anew, and a change after which it says something else is not made. What the
//! rules find all the same is told as left.

mod edit;
mod meaning;
mod reindent;

use std::path::Path;

use ilab_base::diagnostic::Diagnostic;
use ilab_base::io::{self, IoError};
use ilab_base::yaml::{self, Node};

use self::edit::{Edit, apply, apply_safely};
use self::meaning::Meaning;
use crate::layout::marks::{Marks, Misfit};
use crate::layout::{self, lines};
use crate::locate::not_utf8;
use crate::rules::{LayoutRules, LineEnd};

/// One change makes room for another; after so many rounds it is enough whatever the file holds.
const MAX_ROUNDS: usize = 30;

/// A file in the layout that the rules ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// Its text.
    pub text: String,
    /// Findings in that text: to change those would change what the file says.
    pub left: Vec<Diagnostic>,
}

/// A file on disk and the layout that the rules ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileLayout {
    /// The text on disk; bytes that are no UTF-8 are replaced.
    pub before: String,
    /// The text as it should be, or why there is none.
    pub after: Result<Formatted, Diagnostic>,
}

/// Reads a file and changes its layout in memory: nothing is written.
///
/// # Errors
/// The file cannot be read.
pub fn format_file(path: &Path, rules: &LayoutRules) -> Result<FileLayout, IoError> {
    let bytes = io::read(path)?;
    Ok(match String::from_utf8(bytes) {
        Ok(before) => FileLayout {
            after: format(&before, rules),
            before,
        },
        Err(error) => {
            let place = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(error.as_bytes()).into_owned();
            FileLayout {
                after: Err(not_utf8(&before, place)),
                before,
            }
        }
    })
}

/// Changes the layout of `text` to what `rules` ask for. What it says stays the same, and so do comments.
///
/// # Errors
/// The text is no YAML: what and where.
pub fn format(text: &str, rules: &LayoutRules) -> Result<Formatted, Diagnostic> {
    let meaning = Meaning::of(text)?;
    let mut seen = vec![text.to_owned()];
    while seen.len() <= MAX_ROUNDS {
        let before = seen.last().map_or(text, String::as_str);
        let after = round(before, rules, &meaning)?;
        if let Some(first) = seen.iter().position(|one| *one == after) {
            // Rules that contradict each other change a text for ever: any choice among its forms must be the same each time.
            seen.drain(..first);
            seen.sort();
            seen.truncate(1);
            break;
        }
        seen.push(after);
    }
    let text = seen.pop().unwrap_or_else(|| text.to_owned());
    let left = layout::findings(&text, &yaml::parse(&text)?.root, rules);
    Ok(Formatted { text, left })
}

/// All rules once, in an order in which each leaves little to those before it.
fn round(text: &str, rules: &LayoutRules, meaning: &Meaning) -> Result<String, Diagnostic> {
    let mut text = text.to_owned();
    for pass in [
        line_ends,
        marks,
        empty_lines,
        trailing_blanks,
        final_newline,
    ] {
        let root = yaml::parse(&text)?.root;
        text = apply_safely(&text, &pass(&text, &root, rules), meaning);
    }
    let root = yaml::parse(&text)?.root;
    let moved = apply(&text, &reindent::edits(&text, &root, rules));
    // Blocks move together or not at all.
    Ok(match meaning.is_that_of(&moved) {
        true => moved,
        false => text,
    })
}

fn line_ends(text: &str, _: &Node, rules: &LayoutRules) -> Vec<Edit> {
    let Some(rule) = &rules.new_lines else {
        return Vec::new();
    };
    match rule.limits {
        LineEnd::Unix => {
            let ends = text.match_indices("\r\n");
            ends.map(|(place, end)| Edit::new(place..place + end.len(), "\n"))
                .collect()
        }
        LineEnd::Windows => {
            let ends = text.match_indices('\n');
            ends.filter(|(place, _)| !text[..*place].ends_with('\r'))
                .map(|(place, end)| Edit::new(place..place + end.len(), "\r\n"))
                .collect()
        }
    }
}

fn marks(text: &str, root: &Node, rules: &LayoutRules) -> Vec<Edit> {
    let marks = Marks::of(text, root);
    let colons = rules.colons.as_ref().map(|rule| marks.colons(rule.limits));
    let commas = rules.commas.as_ref().map(|rule| marks.commas(rule.limits));
    let brackets = rules.brackets.as_ref();
    let brackets = brackets.map(|rule| marks.brackets(rule.limits, b"[]"));
    let braces = rules.braces.as_ref();
    let braces = braces.map(|rule| marks.brackets(rule.limits, b"{}"));
    let misfits = [colons, commas, brackets, braces].into_iter().flatten();
    let edit = |misfit: Misfit| Edit::new(misfit.blanks, " ".repeat(misfit.n_wanted));
    let mut edits: Vec<Edit> = misfits.flatten().map(edit).collect();
    edits.sort_by_key(|edit| edit.range.start);
    // Blanks between two marks are those of both: one of them now, the other in the next round.
    edits.dedup_by(|next, edit| next.range.start < edit.range.end || next.range == edit.range);
    edits
}

fn empty_lines(text: &str, _: &Node, rules: &LayoutRules) -> Vec<Edit> {
    let Some(rule) = &rules.empty_lines else {
        return Vec::new();
    };
    let runs = lines::long_empty_runs(text, rule.limits);
    let edit = |run: lines::EmptyRun| {
        let lines = text[run.span.start..run.span.end].split_inclusive('\n');
        let excess: usize = lines.take(run.n_lines - run.max).map(str::len).sum();
        Edit::new(run.span.start..run.span.start + excess, "")
    };
    runs.into_iter().map(edit).collect()
}

fn trailing_blanks(text: &str, _: &Node, rules: &LayoutRules) -> Vec<Edit> {
    if rules.trailing_spaces.is_none() {
        return Vec::new();
    }
    let blanks = lines::trailing(text);
    let is_open = ends_in_block_scalar(text);
    blanks
        .filter(|span| !(is_open && span.end == text.len()))
        .map(|span| Edit::new(span.start..span.end, ""))
        .collect()
}

fn final_newline(text: &str, _: &Node, rules: &LayoutRules) -> Vec<Edit> {
    if rules.new_line_at_end_of_file.is_none() || text.is_empty() || text.ends_with('\n') {
        return Vec::new();
    }
    if ends_in_block_scalar(text) {
        return Vec::new();
    }
    let end = match &rules.new_lines {
        Some(rule) if rule.limits == LineEnd::Windows => "\r\n",
        _ => "\n",
    };
    vec![Edit::new(text.len()..text.len(), end)]
}

/// Whether a text that lacks its last line break ends inside of a block scalar: to programs that read YAML differently, the line
/// break would be part of the value.
fn ends_in_block_scalar(text: &str) -> bool {
    let indent = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let is_header = |line: &str| {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        let line = line.trim_end_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
        line.ends_with(['|', '>'])
    };
    if text.ends_with('\n') {
        return false;
    }
    let lines: Vec<&str> = text.lines().collect();
    let header = lines.iter().rposition(|line| is_header(line));
    header.is_some_and(|header| {
        let below = lines[header + 1..]
            .iter()
            .filter(|line| !line.trim().is_empty());
        below
            .clone()
            .all(|line| indent(line) > indent(lines[header]))
            || below.count() == 0
    })
}
