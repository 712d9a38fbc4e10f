//! Tables that are longer than a chunk: a row without the head of its table says nothing.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag};
use text_splitter::ChunkSizer;

/// A part of a section.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Anything, of any length.
    Text(&'a str),
    /// Some rows of a table below its head, no longer than a chunk.
    Rows(String),
}

/// Cuts the tables out of `text` that do not fit into `capacity`, as `sizer` measures it.
///
/// A table without rows, or with one that is too long even alone with the head, stays with the text around it.
pub(crate) fn parts<'a>(text: &'a str, sizer: &impl ChunkSizer, capacity: usize) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut rest_start = 0;
    for table in tables(text) {
        if sizer.size(text[table.clone()].trim_end()) <= capacity {
            continue;
        }
        if let Some(pieces) = pieces(&text[table.clone()], sizer, capacity) {
            parts.push(Part::Text(&text[rest_start..table.start]));
            parts.extend(pieces.into_iter().map(Part::Rows));
            rest_start = table.end;
        }
    }
    parts.push(Part::Text(&text[rest_start..]));
    parts
}

/// Where the tables are that stand alone, not in a list or a quote.
fn tables(text: &str) -> Vec<Range<usize>> {
    let mut n_open = 0_usize;
    let mut tables = Vec::new();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if n_open == 0 && matches!(tag, Tag::Table(_)) {
                    tables.push(range);
                }
                n_open += 1;
            }
            Event::End(_) => n_open = n_open.saturating_sub(1),
            _ => {}
        }
    }
    tables
}

/// The rows of a table in as few pieces as fit, each below the head.
fn pieces(table: &str, sizer: &impl ChunkSizer, capacity: usize) -> Option<Vec<String>> {
    let mut lines = table.trim_end().lines();
    let head = format!("{}\n{}", lines.next()?, lines.next()?);
    let mut pieces = Vec::new();
    let mut piece = head.clone();
    for row in lines {
        let longer = format!("{piece}\n{row}");
        if sizer.size(&longer) <= capacity {
            piece = longer;
            continue;
        }
        let alone = format!("{head}\n{row}");
        if sizer.size(&alone) > capacity {
            return None;
        }
        if piece != head {
            pieces.push(std::mem::replace(&mut piece, alone));
        } else {
            piece = alone;
        }
    }
    let has_rows = piece != head;
    pieces.push(piece);
    has_rows.then_some(pieces)
}
