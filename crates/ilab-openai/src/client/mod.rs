//! A model behind an OpenAI-compatible endpoint.

mod answer;
mod endpoint;
mod http_completer;
mod key;
mod retry;
mod stream;

pub use endpoint::{Endpoint, EndpointError, EndpointOptions, list_models};
pub use http_completer::HttpCompleter;
pub use key::ApiKey;
pub use retry::RetryPolicy;
