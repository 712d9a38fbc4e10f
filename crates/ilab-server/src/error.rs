//! Every failure as the API spells it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ilab_openai::completer::CompletionError;
use ilab_openai::wire::error::{ErrorBody, ErrorDetail};

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    status: StatusCode,
    detail: ErrorDetail,
}

impl ApiError {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let kind = match status.as_u16() {
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        Self {
            status,
            detail: ErrorDetail {
                message: message.into(),
                kind: kind.to_owned(),
                param: None,
                code: None,
            },
        }
    }

    /// The field `param` of the request is at fault.
    pub(crate) fn field(param: &str, message: impl Into<String>) -> Self {
        let mut error = Self::body(message);
        error.detail.param = Some(param.to_owned());
        error
    }

    /// The body as a whole is at fault.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The body is longer than `limit` bytes.
    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body has more than {limit} bytes, the most that this server reads"),
        )
        .with_code("request_too_large")
    }

    /// There is no model of that name.
    pub(crate) fn unknown_model(name: &str, known: &[String]) -> Self {
        let mut error = Self::new(
            StatusCode::NOT_FOUND,
            format!(
                "the model `{name}` is not served here; there is `{}`",
                known.join("`, `")
            ),
        )
        .with_code("model_not_found");
        error.detail.param = Some("model".to_owned());
        error
    }

    /// There is nothing at that path.
    pub(crate) fn unknown_route(method: &str, path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("there is no `{method} {path}` here"),
        )
        .with_code("unknown_url")
    }

    /// The path takes another method.
    pub(crate) fn wrong_method(method: &str, path: &str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("`{path}` does not take `{method}`"),
        )
        .with_code("method_not_allowed")
    }

    fn with_code(mut self, code: &str) -> Self {
        self.detail.code = Some(code.to_owned());
        self
    }

    pub(crate) fn into_body(self) -> ErrorBody {
        ErrorBody { error: self.detail }
    }
}

impl From<CompletionError> for ApiError {
    fn from(error: CompletionError) -> Self {
        match error {
            CompletionError::Rejected { status, message } => {
                let status = StatusCode::from_u16(status)
                    .ok()
                    .filter(StatusCode::is_client_error)
                    .unwrap_or(StatusCode::BAD_REQUEST);
                Self::new(status, message)
            }
            // Clients read the two numbers from the text, the limit first.
            CompletionError::ContextOverflow {
                n_prompt_tokens,
                n_context_tokens,
            } => Self::body(format!(
                "the context holds {n_context_tokens} tokens and the prompt has {n_prompt_tokens}"
            ))
            .with_code("context_length_exceeded"),
            CompletionError::Cancelled => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the server is shutting down",
            ),
            internal => {
                tracing::error!(error = %internal, "generation failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the model failed to answer; the server's log says why",
                )
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.into_body())).into_response()
    }
}
