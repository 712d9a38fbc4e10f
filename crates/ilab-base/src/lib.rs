//! What every other crate stands on: paths, file writes that cannot be half done, errors that carry their path,
//! cancellation, hints and seeded randomness.
//!
//! Deliberately absent: anything that prints, exits, reads the environment or the home directory, or starts a runtime.
//! The binary finds the directories and passes them in as [`dirs::Dirs`].

pub mod atomic;
pub mod cancel;
pub mod diagnostic;
pub mod dirs;
pub mod document_files;
pub mod hint;
pub mod io;
pub mod seed;
pub mod yaml;
