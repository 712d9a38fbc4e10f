//! The OpenAI-compatible HTTP server over any [`ilab_openai::completer::Streamer`].
//!
//! Routes: `/v1/models`, `/v1/completions`, `/v1/chat/completions`, `/health` and a greeting at `/`. A client that goes
//! away takes its generation with it. Deliberately absent: the engine, templates and tokens; they lie behind the trait.

mod error;
mod model;
mod request;

mod answer;
mod generation;

mod routes;
mod serve;

pub use model::ServedModel;
pub use routes::{MAX_BODY_BYTES, router};
pub use serve::{GRACE, ServeError, bind, serve};
