//! How long it takes to cut pages of Markdown into chunks, with a real tokenizer.
//!
//!     cargo run --release -p ilab-sdg --example chunking -- crates/ilab/starter README.md 1000
//!
//! Each page is the text of the file with its letters turned round the alphabet, by another number of places on each of 26 pages:
//! as many different words as a long text has, and stranger ones. What is told of words seen before is not told of these.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use ilab_base::document_files::Format;
use ilab_documents::chunk::{Budget, Chunker};
use ilab_sdg::CHUNK_TOKENS;
use ilab_text::tokenizer::Tokenizer;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let tokenizer = arguments.next().ok_or("which folder has the tokenizer?")?;
    let page = std::fs::read_to_string(arguments.next().ok_or("which page?")?)?;
    let n_pages: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let tokenizer = Tokenizer::from_dir(Path::new(&tokenizer))?;
    let count = move |text: &str| {
        tokenizer
            .encode(text)
            .map_or(0, |encoding| encoding.ids.len())
    };
    let start = Instant::now();
    let chunker = Chunker::new(Budget {
        n_tokens: CHUNK_TOKENS,
        n_overlap_tokens: 0,
        count: &count,
    });
    let pages = (0..n_pages).map(|number| turned(&page, number));
    let n_chunks: usize = pages
        .map(|page| chunker.chunks(&page, Format::Markdown).len())
        .sum();
    println!(
        "{n_pages} pages of {} characters: {n_chunks} chunks in {:.2} s",
        page.len(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

fn turned(text: &str, n_places: usize) -> String {
    let turn = |c: char, first: u8| {
        char::from(first + ((c as usize - first as usize + n_places) % 26) as u8)
    };
    text.chars()
        .map(|c| match c {
            'a'..='z' => turn(c, b'a'),
            'A'..='Z' => turn(c, b'A'),
            c => c,
        })
        .collect()
}
