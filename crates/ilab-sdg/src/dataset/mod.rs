//! The files of a run, with the names, folders and fields that training expects.
//!
//! Everything is a function of the generated rows and the seed: the same rows give the same bytes, wherever and whenever
//! they are written.

mod files;
mod json_lines;
mod knowledge;
mod mixing;
mod mmlu_bench;
mod precomputed;
mod provenance;
mod record;
mod report;

pub use files::RunFiles;
pub(crate) use files::{Contents, LeafResult, PrecomputedData, write};
pub(crate) use mmlu_bench::{COLUMNS as EXAM_COLUMNS, ExamQuestion, exam};
pub use precomputed::RecipeError;
pub(crate) use precomputed::read_recipe;
