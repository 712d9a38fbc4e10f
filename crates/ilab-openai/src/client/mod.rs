//! A model behind an OpenAI-compatible endpoint.

mod answer;
mod endpoint;
mod frame;
mod http_completer;
mod key;
mod options;
mod pace;
mod retry;
mod stream;
mod tls;

pub use endpoint::{Endpoint, list_models};
pub use frame::Frame;
pub use http_completer::HttpCompleter;
pub use key::ApiKey;
pub use options::{EndpointError, EndpointOptions};
pub use pace::Budget;
pub use retry::{Retry, RetryListener, RetryPolicy};
pub use tls::{ClientCertificate, TlsOptions};
