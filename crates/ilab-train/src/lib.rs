//! Fine-tuning of language models, all weights or adapters: data, packing, the model with its backward pass, loss, optimisers,
//! steps, checkpoints, the state of an unfinished run, and what is recorded of it.
//!
//! There is one model and one loop. On the processor it computes by the kernels of `ilab-kernels`, on a GPU by tensor
//! operations: see [`device::Device`].
//!
//! Deliberately absent: writing GGUF files, engines and the screen. A caller drives [`trainer::Trainer`] one step at a time and
//! decides when to save and what to show.
//!
//! Axis letters: `N` rows (tokens of all packed segments), `C` width of the residual stream, `H` query heads, `K` key/value
//! heads, `D` width of a head, `V` vocabulary.

pub(crate) mod activation;
pub(crate) mod adapter;
pub mod checkpoint;
pub(crate) mod composed;
pub mod dataset;
pub mod device;
pub mod diagnosis;
pub mod error;
pub mod identity;
pub mod initialise;
pub mod layer;
pub(crate) mod linear;
pub mod method;
pub mod metrics;
pub mod model;
pub mod optimiser;
pub mod packing;
pub mod parameter;
pub mod plan;
pub mod report;
pub mod resume;
pub(crate) mod rotary;
pub mod schedule;
pub(crate) mod state_file;
pub mod tensorboard;
pub mod trainer;
pub(crate) mod workspace;
