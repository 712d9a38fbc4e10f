//! Which files of a folder or repository are the documents of a leaf.
//!
//! The check of a taxonomy and the reading of its documents stand on this one set of rules, so that what the first calls
//! valid the second can read.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::hint::Hint;
use crate::io::{self, IoError};

/// Deeper folders are not looked into: a tree of documents is shallow, and the bound ends loops.
const MAX_DEPTH: usize = 32;
/// The longest document that is read, in bytes: a longer file is data that a pattern has caught by mistake, or a picture book.
pub const MAX_DOCUMENT_BYTES: u64 = 200 * MEGABYTE;
const MEGABYTE: u64 = 1_000_000;
/// How many files an error names.
const N_NAMED: usize = 12;
/// As in a shell: `*` stays inside a folder, `**` crosses folders, hidden files are only matched by name.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Markdown: headings are kept with each chunk.
    Markdown,
    /// Plain text.
    Text,
    /// HTML.
    Html,
    /// A Word document (.docx).
    Word,
    /// Slides (.pptx).
    Slides,
    /// PDF.
    Pdf,
}

impl Format {
    /// The format that the file name says, whatever its case; `None` when it is not one that can be read.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "txt" => Some(Self::Text),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "docx" => Some(Self::Word),
            "pptx" => Some(Self::Slides),
            "pdf" => Some(Self::Pdf),
            _ => None,
        }
    }

    /// Whether a document is read as it is; the others are converted to Markdown.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Markdown | Self::Text)
    }
}

/// Files cannot be documents.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A pattern is not a pattern.
    #[error("`{pattern}` is not a file pattern: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A pattern matches no file.
    #[error(
        "the pattern `{pattern}` matches no file in `{place}`{}",
        listing(files)
    )]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// The folder or repository.
        place: String,
        /// The files that are there, sorted.
        files: Vec<String>,
    },
    /// Every file that a pattern matches is in a format that cannot be read.
    #[error(
        "none of the files that `{pattern}` matches in `{place}` can be read{}",
        listing(files)
    )]
    NoReadable {
        /// The pattern.
        pattern: String,
        /// The folder or repository.
        place: String,
        /// The files that match.
        files: Vec<String>,
    },
    /// A document is longer than [`MAX_DOCUMENT_BYTES`].
    #[error(
        "`{path}` in `{place}` has {} MB; documents of up to {} MB are read",
        n_bytes.div_ceil(MEGABYTE),
        MAX_DOCUMENT_BYTES / MEGABYTE
    )]
    TooBig {
        /// The document.
        path: String,
        /// The folder or repository.
        place: String,
        /// Its length.
        n_bytes: u64,
    },
    /// A document is not UTF-8.
    #[error("`{path}` in `{place}` is not UTF-8 text: byte {byte} is wrong")]
    NotText {
        /// The document.
        path: String,
        /// The folder or repository.
        place: String,
        /// Position of the first byte that is not UTF-8.
        byte: usize,
    },
}

fn listing(files: &[String]) -> String {
    if files.is_empty() {
        return "; there are no files".to_owned();
    }
    let more = match files.len().saturating_sub(N_NAMED) {
        0 => String::new(),
        n_more => format!(" and {n_more} more"),
    };
    format!(
        "; there are: {}{more}",
        files[..files.len().min(N_NAMED)].join(", ")
    )
}

impl Hint for SelectionError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Pattern { .. } => "patterns are like `docs/*.md` or `**/*.md`",
            Self::NoMatch { .. } => {
                "`*.md` takes the files of the folder itself, `**/*.md` those of its subfolders too"
            }
            Self::NoReadable { .. } => {
                "Markdown, text, HTML, .docx, .pptx and PDF can be read: convert the documents first"
            }
            Self::TooBig { .. } => "let the pattern leave it out, or split the document into parts",
            Self::NotText { .. } => "save the document as UTF-8",
        };
        vec![hint.to_owned()]
    }
}

/// The files below `folder`, relative to it with `/` between the parts, sorted. Hidden folders are left out, and so is what a link
/// names outside of the folder.
///
/// # Errors
/// A folder that cannot be listed.
pub fn below(folder: &Path) -> Result<Vec<String>, IoError> {
    let root = folder
        .canonicalize()
        .map_err(|source| IoError::new("read", folder, source))?;
    let mut files = Vec::new();
    walk(&root, &root, &mut Vec::new(), &mut files)?;
    files.sort();
    Ok(files)
}

fn walk(
    root: &Path,
    folder: &Path,
    parts: &mut Vec<String>,
    files: &mut Vec<String>,
) -> Result<(), IoError> {
    for entry in io::read_dir_sorted(folder)? {
        let Some(name) = entry
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned)
        else {
            continue;
        };
        let Some(target) = inside(root, &entry) else {
            continue;
        };
        if target.is_file() {
            files.push(
                parts
                    .iter()
                    .chain([&name])
                    .cloned()
                    .collect::<Vec<_>>()
                    .join("/"),
            );
        } else if target.is_dir()
            && !name.starts_with('.')
            && !entry.is_symlink()
            && parts.len() < MAX_DEPTH
        {
            parts.push(name);
            walk(root, &entry, parts, files)?;
            parts.pop();
        }
    }
    Ok(())
}

/// The entry itself or what it links to, unless that is gone or outside of `root`.
fn inside(root: &Path, entry: &Path) -> Option<PathBuf> {
    if !entry.is_symlink() {
        return Some(entry.to_owned());
    }
    entry
        .canonicalize()
        .ok()
        .filter(|target| target.starts_with(root))
}

/// A file that a pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matched {
    /// Its position in the list of files.
    pub index: usize,
    /// Its format, when that can be read.
    pub format: Option<Format>,
}

/// The files of `place` that `pattern` matches, at least one of them readable.
///
/// # Errors
/// A pattern that is none, and one that matches nothing or nothing readable.
pub fn matches(
    place: &str,
    files: &[String],
    pattern: &str,
) -> Result<Vec<Matched>, SelectionError> {
    let compiled =
        Pattern::new(pattern.strip_prefix("./").unwrap_or(pattern)).map_err(|error| {
            SelectionError::Pattern {
                pattern: pattern.to_owned(),
                reason: error.msg,
            }
        })?;
    let matched: Vec<Matched> = (0..files.len())
        .filter(|index| compiled.matches_with(&files[*index], OPTIONS))
        .map(|index| Matched {
            index,
            format: Format::of(Path::new(&files[index])),
        })
        .collect();
    if matched.is_empty() {
        return Err(SelectionError::NoMatch {
            pattern: pattern.to_owned(),
            place: place.to_owned(),
            files: files.to_vec(),
        });
    }
    if matched.iter().all(|file| file.format.is_none()) {
        return Err(SelectionError::NoReadable {
            pattern: pattern.to_owned(),
            place: place.to_owned(),
            files: matched
                .iter()
                .map(|file| files[file.index].clone())
                .collect(),
        });
    }
    Ok(matched)
}

/// Refuses a document that is too long, before it is read.
///
/// # Errors
/// More than [`MAX_DOCUMENT_BYTES`].
pub fn check_size(place: &str, path: &str, n_bytes: u64) -> Result<(), SelectionError> {
    if n_bytes <= MAX_DOCUMENT_BYTES {
        return Ok(());
    }
    Err(SelectionError::TooBig {
        path: path.to_owned(),
        place: place.to_owned(),
        n_bytes,
    })
}

/// The text of the document `path` of `place`.
///
/// # Errors
/// Bytes that are not UTF-8.
pub fn text(place: &str, path: &str, bytes: Vec<u8>) -> Result<String, SelectionError> {
    let text = String::from_utf8(bytes).map_err(|error| SelectionError::NotText {
        path: path.to_owned(),
        place: place.to_owned(),
        byte: error.utf8_error().valid_up_to(),
    })?;
    // Editors on Windows write a byte order mark and carriage returns; neither is part of the document.
    Ok(text
        .strip_prefix('\u{feff}')
        .unwrap_or(&text)
        .replace("\r\n", "\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_whatever_the_case() {
        assert_eq!(Format::of(Path::new("A/B.MD")), Some(Format::Markdown));
        assert_eq!(Format::of(Path::new("b.txt")), Some(Format::Text));
        assert_eq!(Format::of(Path::new("b.Pdf")), Some(Format::Pdf));
        assert_eq!(Format::of(Path::new("b.doc")), None);
        assert_eq!(Format::of(Path::new("md")), None);
    }
}
