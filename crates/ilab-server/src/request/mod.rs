//! From the bytes of a request to what the model is asked.

mod body;
mod prompt;
mod sampling;

pub(crate) use body::ApiJson;
pub(crate) use prompt::Asked;
