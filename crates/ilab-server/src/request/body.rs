//! Reading a JSON body so that whatever is wrong with it is answered in the API's own shape.

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::ApiError;
use crate::routes::MAX_BODY_BYTES;

/// The JSON body of a request. Unlike axum's own extractor it takes any content type and fails with 400 and JSON.
pub(crate) struct ApiJson<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        // Told from the announced length where there is one, so that nobody sends a body for nothing.
        if request.body().size_hint().lower() > MAX_BODY_BYTES as u64 {
            return Err(ApiError::too_large(MAX_BODY_BYTES));
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|error| {
            if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::too_large(MAX_BODY_BYTES)
            } else {
                ApiError::body("the body broke off")
            }
        })?;
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| ApiError::body(format!("the body is not JSON: {error}")))?;
    let Value::Object(fields) = value else {
        return Err(ApiError::body("the body is not a JSON object"));
    };
    serde_json::from_value(Value::Object(fields.clone())).map_err(|error| {
        wrong_field::<T>(fields).unwrap_or_else(|| ApiError::body(in_json_terms(&error)))
    })
}

/// The first field that cannot be read on its own. Every request type reads an empty object, so a field that fails alone
/// is the one at fault.
fn wrong_field<T: DeserializeOwned>(fields: Map<String, Value>) -> Option<ApiError> {
    fields.into_iter().find_map(|(name, value)| {
        let alone = Map::from_iter([(name.clone(), value)]);
        let error = serde_json::from_value::<T>(Value::Object(alone)).err()?;
        Some(ApiError::field(
            &name,
            format!("`{name}`: {}", in_json_terms(&error)),
        ))
    })
}

/// Names of Rust types mean nothing to a client.
fn in_json_terms(error: &serde_json::Error) -> String {
    error
        .to_string()
        .replace("expected i64", "expected a whole number")
        .replace("expected f32", "expected a number")
        .replace("expected a sequence", "expected a list")
}
