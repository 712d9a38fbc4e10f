//! Synthetic data generation: pipelines, blocks, scheduler, journal and dataset files.
//!
//! A pipeline file names the blocks; a prompt file says what a block asks. Rows of a leaf stream through the blocks of its
//! pipeline, every answer is written to the journal when it arrives, and the finished rows become the dataset files that
//! training reads. [`generate()`] is the whole run.
//!
//! Deliberately absent: any model, any HTTP, and anything that draws on a screen. The teacher is a
//! [`Completer`](ilab_openai::completer::Completer), progress goes to an [`Observer`].

mod block;
mod dataset;
pub mod draft;
pub mod drops;
pub mod embedded;
mod error;
mod forecast;
mod generate;
pub mod journal;
mod journal_error;
mod model_prompt;
mod near_duplicates;
mod observer;
pub mod pipeline;
mod prepare;
mod preview;
pub mod prompt;
mod question;
mod row;
mod run;
mod samples;
mod scheduler;
mod teacher;
mod track;
mod watch;
mod yaml;

pub use dataset::{RecipeError, RunFiles};
pub use error::GenerateError;
pub use forecast::{Forecast, LeafForecast, Work, forecast};
pub use generate::{CHUNK_TOKENS, GenerateOptions, LeafSummary, RunName, Summary, generate};
pub use observer::{Event, Observer};
pub use prepare::{DefaultRecipes, check};
pub use preview::{Preview, PreviewSample, preview};
pub use row::Row;
pub use samples::{LeafSource, read_documents};
pub use teacher::cancelled;
pub use yaml::YamlError;
