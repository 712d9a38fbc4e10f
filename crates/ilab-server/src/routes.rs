//! What is served at which path.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ilab_openai::wire::chat::ChatRequest;
use ilab_openai::wire::completion::CompletionRequest;
use ilab_openai::wire::models::ModelList;
use serde_json::{Value, json};

use crate::answer::{ChatShape, CompletionShape, Heading, Shape, event_stream};
use crate::error::ApiError;
use crate::generation;
use crate::model::ServedModel;
use crate::request::{ApiJson, Asked};

/// The longest request body: far beyond any context, and little beside a model.
pub const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// All routes over one model.
pub fn router(model: ServedModel) -> Router {
    Router::new()
        .route("/", get(greeting))
        .route("/health", get(health))
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(completions))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(model)
}

async fn greeting() -> Json<Value> {
    Json(json!({"message": "Hello from InstructLab! Visit us at https://instructlab.ai"}))
}

async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn models(State(model): State<ServedModel>) -> Json<ModelList> {
    Json(model.list())
}

async fn chat(
    State(model): State<ServedModel>,
    ApiJson(body): ApiJson<ChatRequest>,
) -> Result<Response, ApiError> {
    let asked = Asked::chat(&model, body)?;
    let shape = ChatShape(Heading::new("chatcmpl", asked.model.clone()));
    answer(&model, &asked, shape).await
}

async fn completions(
    State(model): State<ServedModel>,
    ApiJson(body): ApiJson<CompletionRequest>,
) -> Result<Response, ApiError> {
    let asked = Asked::completion(&model, body)?;
    let n_choices = asked.requests.len() * asked.n_choices();
    let shape = CompletionShape::new(Heading::new("cmpl", asked.model.clone()), n_choices);
    answer(&model, &asked, shape).await
}

async fn answer<S: Shape + Sync>(
    model: &ServedModel,
    asked: &Asked,
    shape: S,
) -> Result<Response, ApiError> {
    let events = generation::start(model, asked);
    if asked.is_stream {
        return event_stream(shape, events, asked.wants_usage).await;
    }
    let n_choices = asked.requests.len() * asked.n_choices();
    let completion = generation::collect(events, n_choices).await?;
    tracing::info!(
        prompt_tokens = completion.usage.prompt_tokens,
        completion_tokens = completion.usage.completion_tokens,
        "answered"
    );
    Ok(Json(shape.whole(completion)).into_response())
}

async fn unknown_route(method: Method, uri: Uri) -> ApiError {
    ApiError::unknown_route(method.as_str(), uri.path())
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::wrong_method(method.as_str(), uri.path())
}
