//! Documents to chunks that keep their headings.
//!
//! [`source`] finds the documents of a taxonomy leaf, in a folder or in a git repository; [`convert`] makes Markdown of
//! those that are none; [`chunk`] cuts them into pieces that a model can be asked about.
//!
//! Deliberately absent: tokenizers (the caller counts tokens) and any network access except through the `git` program.

pub mod chunk;
pub mod convert;
mod git;
mod measure;
mod pages;
mod sections;
pub mod source;
mod table;
