//! How far blocks stand to the right of what holds them.

use ilab_base::diagnostic::{Span, line_and_column};
use ilab_base::yaml::Node;

use super::Finding;
use crate::rules::{Indentation, Sequences};

/// A block in a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Block {
    /// Columns to the right of the mapping.
    indent: usize,
    /// Its first key or dash.
    start: usize,
    is_sequence: bool,
}

/// The way of a whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Columns of a level; `None` where nothing is indented.
    pub(crate) step: Option<usize>,
    /// Whether lists are indented; `None` where either may be.
    pub(crate) are_lists_indented: Option<bool>,
}

impl Manner {
    /// What the rules ask for; where they leave it to the file, what its first blocks do.
    pub(crate) fn of(text: &str, root: &Node, limits: Indentation) -> Self {
        Self::from_blocks(&blocks(text, root), limits)
    }

    fn from_blocks(blocks: &[Block], limits: Indentation) -> Self {
        let indents = blocks.iter().map(|block| block.indent);
        let first_list = blocks.iter().find(|block| block.is_sequence);
        Self {
            step: limits.spaces.or(indents.into_iter().find(|n| *n > 0)),
            are_lists_indented: match limits.sequences {
                Sequences::Indented => Some(true),
                Sequences::Flush => Some(false),
                Sequences::Whatever => None,
                Sequences::Consistent => first_list.map(|block| block.indent > 0),
            },
        }
    }
}

/// The first block that stands otherwise than the rules or the first block of the file say.
pub(super) fn odd_one(text: &str, root: &Node, limits: Indentation) -> Option<Finding> {
    let blocks = blocks(text, root);
    let manner = Manner::from_blocks(&blocks, limits);
    let (start, message) =
        odd_step(&blocks, manner, limits).or_else(|| odd_list(&blocks, manner, limits))?;
    Some(Finding {
        span: Span {
            start,
            end: start + 1,
        },
        message,
        help: "indent all levels alike".to_owned(),
    })
}

fn odd_step(blocks: &[Block], manner: Manner, limits: Indentation) -> Option<(usize, String)> {
    let step = manner.step?;
    let mut indented = blocks.iter().filter(|block| block.indent > 0);
    let Block { indent, start, .. } = indented.find(|block| block.indent != step)?;
    let message = match limits.spaces {
        Some(_) => format!("indented by {indent} here, and the rules ask for {step}"),
        None => format!("indented by {indent} here, but by {step} above"),
    };
    Some((*start, message))
}

fn odd_list(blocks: &[Block], manner: Manner, limits: Indentation) -> Option<(usize, String)> {
    let are_indented = manner.are_lists_indented?;
    let lists = || blocks.iter().filter(|block| block.is_sequence);
    let odd = lists().find(|block| (block.indent > 0) != are_indented)?;
    let message = match (limits.sequences, are_indented) {
        (Sequences::Consistent, _) => {
            let usual = lists().next()?.indent;
            format!("indented by {} here, but by {usual} above", odd.indent)
        }
        (_, true) => "the list is not indented, and the rules ask for it".to_owned(),
        (_, false) => "the list is indented, and the rules ask for none that is".to_owned(),
    };
    Some((odd.start, message))
}

/// All blocks that stand in a mapping, in the order of the text.
fn blocks(text: &str, root: &Node) -> Vec<Block> {
    let mut blocks = Vec::new();
    collect(text, root, &mut blocks);
    blocks.sort_by_key(|block| block.start);
    blocks
}

fn collect(text: &str, node: &Node, blocks: &mut Vec<Block>) {
    for item in node.items() {
        collect(text, item, blocks);
    }
    let column = |place: usize| line_and_column(text, place).1;
    let Some((first_key, _)) = node.entries().first() else {
        return;
    };
    let outer = column(first_key.span.start);
    for (_, value) in node.entries() {
        // An alias stands for a block that is elsewhere, before it or after it.
        let start = block_start(text, value).filter(|&start| start > first_key.span.start);
        let Some(start) = start else { continue };
        blocks.push(Block {
            indent: column(start).saturating_sub(outer),
            start,
            is_sequence: !value.items().is_empty(),
        });
        collect(text, value, blocks);
    }
}

/// Where the first key or the first dash of a block stands; `None` for what is no block.
pub(crate) fn block_start(text: &str, node: &Node) -> Option<usize> {
    let first = match node.entries().first() {
        Some((key, _)) => key,
        None => node.items().first()?,
    };
    // A block starts where what it holds does; a bracket stands before that, and an alias elsewhere.
    let is_block = first.span.start == node.span.start;
    if !is_block && text[node.span.start..].starts_with(['[', '{', '*']) {
        return None;
    }
    let Some(item) = node.items().first() else {
        return node.entries().first().map(|(key, _)| key.span.start);
    };
    let before = &text[..item.span.start];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    let blanks = before[line..].len() - before[line..].trim_start_matches(' ').len();
    let first = line + blanks;
    // The dash may stand on a line before its item.
    let is_dash = text[first..].starts_with('-');
    is_dash.then_some(first).or_else(|| before.rfind('-'))
}
