//! The body of a failure.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What every failed request is answered with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// For people.
    pub message: String,
    /// The class, such as `invalid_request_error`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The field at fault.
    #[serde(default)]
    pub param: Option<String>,
    /// For programs, such as `context_length_exceeded`.
    #[serde(default)]
    pub code: Option<String>,
}

/// The message in the body of a failure, whichever of the known shapes it has.
///
/// Seen in the wild: `{"error": {"message": …}}` (OpenAI), `{"error": "…"}` (Ollama), `{"message": …}` (vLLM) and
/// `{"detail": …}` (FastAPI).
pub fn message_in(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let candidates = [
        &value["error"]["message"],
        &value["error"],
        &value["message"],
        &value["detail"],
    ];
    let found = candidates
        .into_iter()
        .find_map(|candidate| match candidate {
            Value::String(text) => Some(text.clone()),
            Value::Array(_) => Some(candidate.to_string()),
            _ => None,
        });
    found.filter(|text| !text.is_empty())
}

/// The machine-readable code in the body of a failure.
pub fn code_in(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    value["error"]["code"].as_str().map(str::to_owned)
}
