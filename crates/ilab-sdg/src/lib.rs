//! Synthetic data generation: pipelines, blocks, scheduler, journal and dataset files.
//!
//! A pipeline file names the blocks; a prompt file says what a block asks. Rows of a leaf stream through the blocks of its
//! pipeline, every answer is written to the journal when it arrives, and the finished rows become the dataset files that
//! training reads.
//!
//! Deliberately absent: any model, any HTTP, and anything that draws on a screen. The teacher is a
//! [`Completer`](ilab_openai::completer::Completer), progress goes to an observer.

pub mod embedded;
pub mod prompt;
pub mod yaml;
