//! HTML, office documents and PDF to Markdown, by `docling`.

use std::thread;

use docling::{
    ConversionError, DocumentConverter, InputFormat, MarkdownExportOptions, SourceDocument,
};
use ilab_base::document_files::Format;
use ilab_base::hint::Hint;

use crate::pages;

/// The thread that converts. Its panics become errors, so that nobody need be told of them otherwise.
pub const THREAD_NAME: &str = "converts-a-document";
/// Elements of HTML may lie in each other a thousand deep, and each takes its share of the stack. Pages of memory that are never
/// touched cost nothing.
const STACK_BYTES: usize = 256 << 20;

/// A document cannot be converted.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It is encrypted.
    #[error("`{path}` in `{place}` is protected by a password")]
    Locked {
        /// The document.
        path: String,
        /// The folder or repository.
        place: String,
    },
    /// There is no text in it.
    #[error(
        "`{path}` in `{place}` holds no text: its pages are empty or pictures, as those of a scan are"
    )]
    NoText {
        /// The document.
        path: String,
        /// The folder or repository.
        place: String,
    },
    /// It is not what its name says, or damaged.
    #[error("`{path}` in `{place}` cannot be read: {reason}")]
    Unreadable {
        /// The document.
        path: String,
        /// The folder or repository.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Hint for ConvertError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Locked { .. } => {
                "save a copy without the password, a PDF for example with `qpdf --decrypt --password=... in.pdf out.pdf`"
            }
            Self::NoText { .. } => {
                "have the text of a scan recognised first, for example with `ocrmypdf in.pdf out.pdf`"
            }
            Self::Unreadable { .. } => {
                "open it with the program that made it and save it anew, or let the pattern leave it out"
            }
        };
        vec![hint.to_owned()]
    }
}

/// What is wrong with a document, before its name is known.
enum Problem {
    Locked,
    NoText,
    Unreadable(String),
}

/// Converts the document `path` of `place` to Markdown; what is Markdown already is written anew.
///
/// # Errors
/// A document with a password, without text, or that is damaged.
pub fn to_markdown(
    (place, path): (&str, &str),
    format: Format,
    bytes: Vec<u8>,
) -> Result<String, ConvertError> {
    let (place, path) = (place.to_owned(), path.to_owned());
    markdown(&path, format, bytes).map_err(|problem| match problem {
        Problem::Locked => ConvertError::Locked { path, place },
        Problem::NoText => ConvertError::NoText { path, place },
        Problem::Unreadable(reason) => ConvertError::Unreadable {
            path,
            place,
            reason,
        },
    })
}

fn markdown(path: &str, format: Format, bytes: Vec<u8>) -> Result<String, Problem> {
    if let Some(kind) = missing_signature(format, &bytes) {
        return Err(Problem::Unreadable(format!(
            "it is no {kind}, whatever its name says"
        )));
    }
    // A PDF's own words for "encrypted"; the text reader only says that it cannot read it.
    let is_encrypted = format == Format::Pdf && contains(&bytes, b"/Encrypt");
    let source = SourceDocument::from_bytes(path, input_format(format), bytes);
    // A document is foreign: whatever it does to the converter ends here.
    let converted = thread::Builder::new()
        .name(THREAD_NAME.to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || convert(source))
        .map_err(|error| Problem::Unreadable(error.to_string()))?
        .join()
        .map_err(|_| Problem::Unreadable("the converter failed on it".to_owned()))?;
    match converted {
        Ok(text) if text.chars().any(char::is_alphanumeric) => Ok(text),
        Ok(_) => Err(Problem::NoText),
        Err(error) if is_encrypted || error.encryption().is_some() => Err(Problem::Locked),
        Err(error) if error.to_string().contains("no embedded text layer") => Err(Problem::NoText),
        Err(error) => {
            let reason = error.to_string();
            let reason = reason.strip_prefix("parse error: ").unwrap_or(&reason);
            Err(Problem::Unreadable(reason.to_owned()))
        }
    }
}

fn convert(source: SourceDocument) -> Result<String, ConversionError> {
    let is_pdf = source.format == InputFormat::Pdf;
    let converter =
        DocumentConverter::new().page_break_placeholder(is_pdf.then(|| pages::BREAK.to_owned()));
    let document = converter.convert(source)?.document;
    let options = MarkdownExportOptions {
        // The text goes into prompts, where nothing undoes an escape.
        escape_html: false,
        escape_underscores: false,
        image_placeholder: String::new(),
        ..MarkdownExportOptions::default()
    };
    let (text, _images) = document.export_to_markdown_with_options(&options);
    Ok(if is_pdf { pages::join(&text) } else { text })
}

fn input_format(format: Format) -> InputFormat {
    match format {
        Format::Markdown | Format::Text => InputFormat::Md,
        Format::Html => InputFormat::Html,
        Format::Word => InputFormat::Docx,
        Format::Slides => InputFormat::Pptx,
        Format::Pdf => InputFormat::Pdf,
    }
}

/// What `bytes` should be and are not. The converter would guess what they are instead, and say so on the screen.
fn missing_signature(format: Format, bytes: &[u8]) -> Option<&'static str> {
    // Office files are archives, whose directory names their files; one with a password is a container of the older kind.
    let is_office = |part: &[u8]| {
        bytes.starts_with(b"\xd0\xcf\x11\xe0") || bytes.starts_with(b"PK") && contains(bytes, part)
    };
    let (kind, is_there) = match format {
        Format::Markdown | Format::Text | Format::Html => return None,
        Format::Word => ("Word document", is_office(b"word/")),
        Format::Slides => ("PowerPoint document", is_office(b"ppt/")),
        // Other bytes may stand before it.
        Format::Pdf => ("PDF", contains(&bytes[..bytes.len().min(1024)], b"%PDF-")),
    };
    (!is_there).then_some(kind)
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
