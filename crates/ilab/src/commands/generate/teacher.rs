//! Getting the teacher ready.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use ilab_base::io::{IoError, WithPath};
use ilab_documents::chunk::{TokenCounter, estimated_tokens};
use ilab_infer::{Batching, SpecialTokens};
use ilab_openai::client::{Endpoint, EndpointOptions, HttpCompleter, list_models};
use ilab_openai::completer::Completer;

use super::progress::tell_retries;
use crate::commands::local_model;
use crate::error::{CommandError, Kind};
use crate::settings::{EngineSettings, TeacherSettings};
use crate::ui::Ui;

/// A teacher that is ready.
pub(crate) struct Teacher {
    pub(crate) completer: Arc<dyn Completer>,
    pub(crate) count_tokens: Arc<TokenCounter>,
    /// The longest chunk that leaves room for the prompt around it and the answer.
    pub(crate) chunk_tokens: usize,
    /// Tells models apart that have the same name.
    pub(crate) identity: Option<String>,
}

/// Loads the model, or finds out what the endpoint serves.
pub(crate) async fn teacher(settings: &TeacherSettings, ui: Ui) -> Result<Teacher, CommandError> {
    match settings {
        TeacherSettings::Endpoint {
            url,
            api_key,
            model,
            budget,
        } => {
            let mut options = EndpointOptions::new(url, api_key.clone());
            options.budget = *budget;
            remote_teacher(options, model.clone(), ui).await
        }
        TeacherSettings::Local(engine) => local_teacher(engine, ui),
    }
}

async fn remote_teacher(
    mut options: EndpointOptions,
    model: Option<String>,
    ui: Ui,
) -> Result<Teacher, CommandError> {
    options.on_retry = Some(tell_retries(ui));
    let endpoint = Endpoint::new(options).map_err(CommandError::usage)?;
    let model = match model {
        Some(model) => model,
        None => served_model(&endpoint).await?,
    };
    Ok(Teacher {
        completer: Arc::new(HttpCompleter::new(endpoint, model)),
        count_tokens: Arc::new(estimated_tokens),
        chunk_tokens: usize::MAX,
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

/// The first model that an endpoint serves.
async fn served_model(endpoint: &Endpoint) -> Result<String, CommandError> {
    let models = list_models(endpoint).await?;
    let first = models.into_iter().next().map(|model| model.id);
    first.ok_or_else(|| {
        CommandError::message(
            Kind::User,
            format!("`{}` serves no model", endpoint.url()),
            "name one with `--model`, or load one into that server",
        )
    })
}
