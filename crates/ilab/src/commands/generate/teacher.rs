//! Getting the teacher ready.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ilab_base::io::{IoError, WithPath};
use ilab_documents::chunk::{TokenCounter, estimated_tokens};
use ilab_infer::{Batching, SpecialTokens};
use ilab_openai::client::{
    Endpoint, EndpointOptions, Frame, HttpCompleter, RetryPolicy, list_models,
};
use ilab_openai::completer::{Completer, CompletionError};

use super::progress::tell_retries;
use crate::commands::local_model;
use crate::error::{CommandError, Kind};
use crate::settings::{EngineSettings, TeacherSettings};
use crate::ui::Ui;

/// How long an endpoint whose model is named is waited for to tell how long its context is.
const LONGEST_GLANCE: Duration = Duration::from_secs(5);

/// A teacher that is ready.
pub(crate) struct Teacher {
    pub(crate) completer: Arc<dyn Completer>,
    pub(crate) count_tokens: Arc<TokenCounter>,
    /// The longest chunk that leaves room for the prompt around it and the answer.
    pub(crate) chunk_tokens: usize,
    /// Tells models apart that have the same name.
    pub(crate) identity: Option<String>,
}

/// Loads the model, or finds out what the endpoint serves. `must_answer` asks also an endpoint whose model is named, which
/// would otherwise be met with the first request only.
pub(crate) async fn teacher(
    settings: &TeacherSettings,
    must_answer: bool,
    ui: Ui,
) -> Result<Teacher, CommandError> {
    match settings {
        TeacherSettings::Endpoint {
            url,
            access,
            model,
            budget,
            frame,
        } => {
            let mut options = access.options(url);
            options.budget = *budget;
            remote_teacher(options, model.clone(), (*frame, must_answer), ui).await
        }
        TeacherSettings::Local(engine) => local_teacher(engine, ui),
    }
}

async fn remote_teacher(
    mut options: EndpointOptions,
    model: Option<String>,
    (frame, must_answer): (Option<Frame>, bool),
    ui: Ui,
) -> Result<Teacher, CommandError> {
    let quick = EndpointOptions {
        retry: RetryPolicy::never(),
        silence_timeout: LONGEST_GLANCE,
        ..options.clone()
    };
    options.on_retry = Some(tell_retries(ui));
    let endpoint = Endpoint::new(options).map_err(CommandError::usage)?;
    let model = match model {
        Some(name) => {
            if must_answer {
                check_reachable(&endpoint).await?;
            }
            // Not every endpoint lists its models.
            let glance = Endpoint::new(quick).map_err(CommandError::usage)?;
            let models = list_models(&glance).await.unwrap_or_default();
            let found = models.into_iter().find(|model| model.id == name);
            (name, found.and_then(|model| model.max_model_len))
        }
        None => served_model(&endpoint).await?,
    };
    let (model, n_context_tokens) = model;
    let frame = frame.or(Frame::of_model(&model)).unwrap_or_default();
    Ok(Teacher {
        completer: Arc::new(HttpCompleter::new(endpoint, model).with_frame(frame)),
        count_tokens: Arc::new(estimated_tokens),
        chunk_tokens: n_context_tokens.map_or(usize::MAX, |n_tokens| n_tokens / 2),
        identity: None,
    })
}

fn local_teacher(settings: &EngineSettings, ui: Ui) -> Result<Teacher, CommandError> {
    let file = local_model::find_gguf(&settings.model_path, "--model", ui)?;
    let n_sequences = local_model::n_sequences_that_fit(&file, settings.n_context_tokens)?;
    let engine = local_model::load(&file, settings, n_sequences, Batching::Reproducible)?;
    let counter = engine.clone();
    Ok(Teacher {
        chunk_tokens: engine.n_context_tokens() / 2,
        identity: Some(identity(&file)?),
        completer: Arc::new(engine),
        count_tokens: Arc::new(move |text| counter.tokenize(text, SpecialTokens::Omit).len()),
    })
}

/// A model that was trained anew under the old name is another one; its size and its time of writing tell.
fn identity(file: &Path) -> Result<String, IoError> {
    let metadata = file.metadata().with_path("read", file)?;
    let written = metadata.modified().with_path("read", file)?;
    let nanos = written
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_nanos());
    Ok(format!("{}-{nanos}", metadata.len()))
}

/// Whether anything answers there. Not every endpoint lists its models, so a refusal is an answer.
async fn check_reachable(endpoint: &Endpoint) -> Result<(), CommandError> {
    match list_models(endpoint).await {
        Err(error @ CompletionError::Unavailable { status: None, .. }) => Err(error.into()),
        _ => Ok(()),
    }
}

/// The first model that an endpoint serves, with its context where that is told.
async fn served_model(endpoint: &Endpoint) -> Result<(String, Option<usize>), CommandError> {
    let models = list_models(endpoint).await?;
    let first = models.into_iter().next();
    let first = first.map(|model| (model.id, model.max_model_len));
    first.ok_or_else(|| {
        CommandError::message(
            Kind::User,
            format!("`{}` serves no model", endpoint.url()),
            "name one with `--model`, or load one into that server",
        )
    })
}
