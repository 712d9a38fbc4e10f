//! The sections of a Markdown text.

use std::ops::Range;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The text between two headings.
pub(crate) struct Section {
    /// The headings above it, outermost first.
    pub(crate) headings: Vec<String>,
    pub(crate) body: Range<usize>,
}

impl Section {
    /// All of a text, under no heading.
    pub(crate) fn whole(text: &str) -> Self {
        Self {
            headings: Vec::new(),
            body: 0..text.len(),
        }
    }
}

/// The sections of `text`, in order.
pub(crate) fn sections(text: &str) -> Vec<Section> {
    let mut path: Vec<(HeadingLevel, String)> = Vec::new();
    let mut sections = Vec::new();
    let mut heading: Option<String> = None;
    let start = front_matter(text);
    let mut body_start = start;
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
    for (event, range) in Parser::new_ext(&text[start..], Options::ENABLE_TABLES).into_offset_iter()
    {
        let range = start + range.start..start + range.end;
        match event {
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

/// Where the text behind the keys and values begins that some editors put at the top of a file, between lines of `---`.
///
/// Such lines elsewhere are rules between slides and chapters.
fn front_matter(text: &str) -> usize {
    let Some(inside) = text.strip_prefix("---\n") else {
        return 0;
    };
    let mut end = text.len() - inside.len();
    for line in inside.split_inclusive('\n') {
        end += line.len();
        match line.trim_end() {
            "---" | "..." => return end,
            line if is_of_yaml(line) => {}
            _ => return 0,
        }
    }
    0
}

/// Whether a line may stand among keys and values: a key, an item, a comment, what is indented, or nothing.
fn is_of_yaml(line: &str) -> bool {
    let key = line.split(':').next().unwrap_or_default();
    let is_key = key.len() < line.len()
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || "_- .\"'".contains(c));
    line.is_empty() || line.starts_with([' ', '\t', '#']) || line.starts_with("- ") || is_key
}
