//! Which text of which templates is learned, as pictures: learned text stands in brackets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod builtin;
mod family;
mod pictures;
mod properties;
mod reference;
mod vocabulary;
