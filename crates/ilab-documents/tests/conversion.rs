//! Every format that is read, from files that other programs wrote (`goldens/documents/gen.py`), and files that cannot be read.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use ilab_base::document_files::Format;
use ilab_base::hint::Hint as _;
use ilab_documents::convert::{ConvertError, to_markdown};
use insta::assert_snapshot;

fn bytes(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    std::fs::read(folder.join(name)).unwrap()
}

fn converted(name: &str, bytes: Vec<u8>) -> Result<String, ConvertError> {
    let format = Format::of(Path::new(name)).unwrap();
    to_markdown(("FOLDER", name), format, bytes)
}

fn text(name: &str) -> String {
    converted(name, bytes(name)).unwrap()
}

fn problem(name: &str, bytes: Vec<u8>) -> String {
    let error = converted(name, bytes).unwrap_err();
    format!("{error}\n{}", error.hints().join("\n"))
}

#[test]
fn word_keeps_headings_emphasis_lists_and_tables() {
    assert_snapshot!(text("brill.docx"), @r"
    ## The brill

    The brill is a **small** animal of the hills & meadows. Its keepers write brill_log files, and it weighs < 3 kg.

    ### Food

    - moss
    - fog

    | Part   |   Number |
    |--------|----------|
    | legs   |        6 |
    | eyes   |        4 |
    ");
}

#[test]
fn a_slide_is_a_heading_with_what_stands_below() {
    assert_snapshot!(text("brill.pptx"), @r"
    # The brill

    - The brill is a small animal of the hills & meadows. Its keepers write brill_log files, and it weighs < 3 kg.

    # Food

    - moss
    - fog
    ");
}

#[test]
fn a_page_loses_scripts_and_styles_and_pictures() {
    assert_snapshot!(text("brill.html"), @r"
    # The brill

    The brill is a **small** animal of the hills & meadows. Its keepers write brill_log files, see [the log](log.html) .

    ## Food

    - moss
    - fog

    | Part   |   Number |
    |--------|----------|
    | legs   |        6 |

    a brill
    ");
}

#[test]
fn a_pdf_keeps_its_paragraphs() {
    assert_snapshot!(text("brill.pdf"), @r"
    The brill

    The brill is a small animal of the hills & meadows. Its keepers write brill_log files, and it weighs < 3 kg.

    Food

    It eats moss and fog. It eats moss and fog. It eats moss and fog. It eats moss and fog. It eats moss and fog. It eats moss and fog. It eats moss and fog. It eats moss and fog.

    Part Number legs 6 eyes 4
    ");
    assert_eq!(text("not_to_print.pdf"), text("brill.pdf"));
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    assert_snapshot!(problem("locked.pdf", bytes("locked.pdf")), @r"
    `locked.pdf` in `FOLDER` is protected by a password
    save a copy without the password, a PDF for example with `qpdf --decrypt --password=... in.pdf out.pdf`
    ");
    assert_snapshot!(problem("locked.docx", bytes("locked.docx")), @r"
    `locked.docx` in `FOLDER` is protected by a password
    save a copy without the password, a PDF for example with `qpdf --decrypt --password=... in.pdf out.pdf`
    ");
    assert_snapshot!(problem("scan.pdf", bytes("scan.pdf")), @r"
    `scan.pdf` in `FOLDER` holds no text: its pages are empty or pictures, as those of a scan are
    have the text of a scan recognised first, for example with `ocrmypdf in.pdf out.pdf`
    ");
    assert_snapshot!(problem("wrong.pdf", b"<html>no PDF</html>".to_vec()), @r"
    `wrong.pdf` in `FOLDER` cannot be read: it is no PDF, whatever its name says
    open it with the program that made it and save it anew, or let the pattern leave it out
    ");
    assert_snapshot!(problem("wrong.docx", b"PK\x03\x04".to_vec()), @r"
    `wrong.docx` in `FOLDER` cannot be read: it is no Word document, whatever its name says
    open it with the program that made it and save it anew, or let the pattern leave it out
    ");
    assert_snapshot!(problem("wrong.pptx", bytes("brill.docx")), @r"
    `wrong.pptx` in `FOLDER` cannot be read: it is no PowerPoint document, whatever its name says
    open it with the program that made it and save it anew, or let the pattern leave it out
    ");
    assert_snapshot!(problem("empty.html", Vec::new()), @r"
    `empty.html` in `FOLDER` holds no text: its pages are empty or pictures, as those of a scan are
    have the text of a scan recognised first, for example with `ocrmypdf in.pdf out.pdf`
    ");
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_text_and_no_panic() {
    for name in ["brill.docx", "brill.pptx", "brill.pdf", "brill.html"] {
        let whole = bytes(name);
        for part in 1..12 {
            let cut = whole[..whole.len() * part / 12].to_vec();
            match converted(name, cut) {
                Ok(text) => assert!(text.chars().any(char::is_alphanumeric)),
                Err(ConvertError::Unreadable { reason, .. }) => {
                    assert!(!reason.contains("the converter failed"), "{name}: {reason}");
                }
                Err(ConvertError::NoText { .. } | ConvertError::Locked { .. }) => {}
            }
        }
    }
}

#[test]
fn elements_a_hundred_thousand_deep_do_not_end_the_program() {
    let deep = format!(
        "{}deep{}",
        "<div>".repeat(100_000),
        "</div>".repeat(100_000)
    );
    // Text or an error: both are an answer.
    let _ = converted("deep.html", deep.into_bytes());
}
