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
