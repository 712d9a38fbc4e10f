//! Moving blocks to the columns that the rules ask for.

use std::collections::HashSet;

use ilab_base::yaml::{Node, Value};

use super::edit::Edit;
use crate::layout::indentation::{Manner, block_start};
use crate::layout::lines;
use crate::layout::marks::Marks;
use crate::rules::{Blanks, LayoutRules};

/// Where nothing in a file is indented and a list must be.
const USUAL_STEP: usize = 2;
/// What stays as it is.
const ANY: Blanks = Blanks { min: 0, max: None };

/// Everything that moves, in the order of the text.
pub(super) fn edits(text: &str, root: &Node, rules: &LayoutRules) -> Vec<Edit> {
    if rules.indentation.is_none() && rules.hyphens.is_none() {
        return Vec::new();
    }
    let lines: Vec<Line<'_>> = lines::lines(text)
        .map(|(start, text)| Line {
            start,
            text,
            shift: 0,
        })
        .collect();
    let limits = rules.indentation.as_ref().map(|rule| rule.limits);
    let mut moves = Moves {
        text,
        marks: Marks::of(text, root),
        lines,
        dashes: HashSet::new(),
        gaps: Vec::new(),
        manner: limits.map(|limits| Manner::of(text, root, limits)),
        after_dash: rules.hyphens.as_ref().map_or(ANY, |rule| rule.limits.after),
    };
    if let Some(start) = block_start(text, root) {
        moves.block(root, start, moves.column(start));
    }
    moves.shift_comments();
    moves.into_edits()
}

/// The first thing in a node that holds nothing itself.
fn first_leaf(node: &Node) -> &Node {
    let first = match node.entries().first() {
        Some((key, _)) => Some(key),
        None => node.items().first(),
    };
    first.map_or(node, first_leaf)
}

struct Line<'a> {
    start: usize,
    /// Without its end of line.
    text: &'a str,
    /// Columns to the right.
    shift: isize,
}

impl Line<'_> {
    fn n_blanks(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    fn is_empty(&self) -> bool {
        self.text.trim_start_matches(' ').is_empty()
    }

    fn first(&self) -> usize {
        self.start + self.n_blanks()
    }
}

struct Moves<'a> {
    text: &'a str,
    marks: Marks<'a>,
    lines: Vec<Line<'a>>,
    /// Dashes whose items were looked at.
    dashes: HashSet<usize>,
    /// New blanks after dashes.
    gaps: Vec<Edit>,
    /// `None` keeps every block as far to the right of its parent as it is.
    manner: Option<Manner>,
    after_dash: Blanks,
}

impl Moves<'_> {
    fn line(&self, place: usize) -> usize {
        let after = self.lines.partition_point(|line| line.start <= place);
        after.saturating_sub(1)
    }

    /// The column of a key or dash, from 0. Nothing but blanks and dashes, a byte each, stands before it.
    fn column(&self, place: usize) -> usize {
        let line = self.lines.get(self.line(place));
        place - line.map_or(0, |line| line.start)
    }

    /// Moves a block whose first key or dash is at `start` to column `to`.
    fn block(&mut self, node: &Node, start: usize, to: usize) {
        let shift = to.cast_signed() - self.column(start).cast_signed();
        let is_list = matches!(node.value, Value::Sequence(_));
        if is_list && !self.marks.is_dash(start) {
            return;
        }
        let first_line = self.line(start);
        let last_line = self.line(node.span.end.saturating_sub(1).max(start));
        for index in first_line..=last_line {
            let line = &mut self.lines[index];
            // What stands before the block on its first line decides where that line starts.
            if index > first_line || line.first() == start {
                line.shift = shift;
            }
        }
        if is_list {
            self.items(node, start, to);
        } else {
            self.entries(node, start, to);
        }
    }

    fn entries(&mut self, node: &Node, first_key: usize, to: usize) {
        let from = self.column(first_key);
        for (_, value) in node.entries() {
            let start = block_start(self.text, value).filter(|&start| start > first_key);
            // A block that shares its line with its key or the mark of one cannot move alone.
            let Some(start) = start.filter(|&start| self.is_first(start)) else {
                continue;
            };
            let is_list = matches!(value.value, Value::Sequence(_));
            let indent = self.column(start).saturating_sub(from);
            self.block(value, start, to + self.wanted_indent(indent, is_list));
        }
    }

    fn is_first(&self, place: usize) -> bool {
        self.lines[self.line(place)].first() == place
    }

    fn wanted_indent(&self, indent: usize, is_list: bool) -> usize {
        let Some(manner) = self.manner else {
            return indent;
        };
        let is_indented = match manner.are_lists_indented {
            Some(are_indented) if is_list => are_indented,
            _ => indent > 0,
        };
        match is_indented {
            true => manner.step.unwrap_or(USUAL_STEP),
            false => 0,
        }
    }

    fn items(&mut self, node: &Node, first_dash: usize, to: usize) {
        let from = self.column(first_dash);
        for item in node.items() {
            // What an alias stands for is elsewhere.
            let content = match block_start(self.text, item) {
                Some(_) => first_leaf(item).span.start,
                None => item.span.start,
            };
            let dash = self.dash_before(content, from, first_dash);
            let Some(dash) = dash.filter(|&dash| self.dashes.insert(dash)) else {
                continue;
            };
            let change = match self.blanks_after(dash) {
                Some(n_blanks) => self.change_gap(dash, n_blanks),
                None => 0,
            };
            let Some(inner) = self.block_in_item(item, dash) else {
                continue;
            };
            let is_on_line = self.line(inner) == self.line(dash);
            if is_on_line || self.is_first(inner) {
                let change = if is_on_line { change } else { 0 };
                let distance = self.column(inner).saturating_sub(from).cast_signed() + change;
                self.block(item, inner, to.saturating_add_signed(distance));
            }
        }
    }

    /// Where a block that is an item starts, behind the dash of the item.
    fn block_in_item(&self, item: &Node, dash: usize) -> Option<usize> {
        let start = block_start(self.text, item)?;
        if item.entries().is_empty() {
            return self.marks.next_dash(dash + 1);
        }
        (start > dash).then_some(start)
    }

    /// The dash in column `column` that is nearest before `place`.
    fn dash_before(&self, place: usize, column: usize, first: usize) -> Option<usize> {
        let lines = self.lines[..=self.line(place)].iter().rev();
        let mut dashes = lines.map(|line| line.start + column);
        let is_it = |dash: &usize| *dash < place && self.marks.is_dash(*dash);
        dashes.find(is_it).filter(|&dash| dash >= first)
    }

    /// Blanks between a dash and what follows on its line; `None` where nothing but a comment does.
    fn blanks_after(&self, dash: usize) -> Option<usize> {
        let line = &self.lines[self.line(dash)];
        let rest = &line.text[dash + 1 - line.start..];
        let content = rest.trim_start_matches(' ');
        (!content.is_empty() && !content.starts_with('#')).then(|| rest.len() - content.len())
    }

    /// Puts as many blanks after a dash as there should be: how many more that are.
    fn change_gap(&mut self, dash: usize, n_blanks: usize) -> isize {
        let n_wanted = self.after_dash.nearest(n_blanks);
        if n_wanted == n_blanks {
            return 0;
        }
        let range = dash + 1..dash + 1 + n_blanks;
        self.gaps.push(Edit::new(range, " ".repeat(n_wanted)));
        n_wanted.cast_signed() - n_blanks.cast_signed()
    }

    /// Lines with a comment alone move with the line that they are about: the next one, unless only the one before stands in
    /// the same column.
    fn shift_comments(&mut self) {
        let starts: HashSet<usize> = self.marks.comments().iter().map(|one| one.start).collect();
        let is_comment = |line: &Line<'_>| starts.contains(&line.first());
        let is_content = |line: &&Line<'_>| !line.is_empty() && !is_comment(line);
        for index in 0..self.lines.len() {
            let comment = &self.lines[index];
            if comment.is_empty() || !is_comment(comment) {
                continue;
            }
            let before = self.lines[..index].iter().rev().find(is_content);
            let next = self.lines[index + 1..].iter().find(is_content);
            let is_beside = |line: &&Line<'_>| line.n_blanks() == comment.n_blanks();
            let about = next.filter(is_beside).or(before.filter(is_beside));
            self.lines[index].shift = about.or(next).map_or(0, |line| line.shift);
        }
    }

    fn into_edits(self) -> Vec<Edit> {
        let shifted = self.lines.iter().filter(|line| line.shift != 0);
        let moved = shifted.filter(|line| !line.text.is_empty()).map(|line| {
            let n_blanks = line.n_blanks();
            let n_wanted = n_blanks.saturating_add_signed(line.shift);
            Edit::new(line.start..line.start + n_blanks, " ".repeat(n_wanted))
        });
        let mut edits: Vec<Edit> = moved.chain(self.gaps).collect();
        edits.sort_by_key(|edit| edit.range.start);
        edits
    }
}
