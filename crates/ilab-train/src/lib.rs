//! Full fine-tuning of Llama-architecture models: data, packing, the model with its backward pass, loss, optimiser, steps
//! and checkpoints.
//!
//! Deliberately absent: GGUF files, engines and the screen. A caller drives [`trainer::Trainer`] one step at a time and
//! decides when to save and what to show.
//!
//! Axis letters: `N` rows (tokens of all packed segments), `C` width of the residual stream, `H` query heads, `K` key/value
//! heads, `D` width of a head, `V` vocabulary.

pub mod checkpoint;
pub mod dataset;
pub mod diagnosis;
pub mod initialise;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod optimiser;
pub mod packing;
pub mod report;
pub mod schedule;
pub mod tensorboard;
pub mod trainer;
