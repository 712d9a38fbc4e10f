//! Who answers: an endpoint, a server of this machine, or the model in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ilab_infer::Batching;
use ilab_openai::client::{Endpoint, HttpCompleter, RetryPolicy, list_models};
use ilab_openai::completer::{Completer, CompletionError, Streamer};
use ilab_openai::wire::models::Model;

use crate::commands::local_model;
use crate::error::CommandError;
use crate::settings::ChatSettings;
use crate::ui::Ui;

/// How long a server of this machine may take to say that it is there.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Who answers.
pub(super) struct Backend {
    pub(super) streamer: Arc<dyn Streamer>,
    /// The model's name.
    pub(super) name: String,
    /// Tokens that a prompt and its answer may have together, where that is known.
    pub(super) n_context_tokens: Option<usize>,
}

/// `--endpoint-url`, else a server where the configuration says, else the model in this process.
pub(super) async fn choose(settings: &ChatSettings, ui: Ui) -> Result<Backend, CommandError> {
    if let Some(url) = &settings.endpoint_url {
        let endpoint = connect(settings, url)?;
        let models = list_models(&endpoint).await?;
        return Ok(remote(settings, endpoint, &models, ui));
    }
    match probe(settings).await? {
        Some((_, models)) if prefers_own_file(settings, &models) => {
            ui.status(format!(
                "The server at {} does not serve `{}`: loading it in this process",
                settings.server_url, settings.model
            ));
        }
        Some((endpoint, models)) => return Ok(remote(settings, endpoint, &models, ui)),
        None => ui.status(format!(
            "No server at {}: loading `{}` in this process",
            settings.server_url, settings.model
        )),
    }
    local(settings, ui)
}

fn connect(settings: &ChatSettings, url: &str) -> Result<Endpoint, CommandError> {
    let mut options = settings.access.options(url);
    options.retry = RetryPolicy {
        n_attempts: 2,
        ..RetryPolicy::default()
    };
    Endpoint::new(options).map_err(CommandError::usage)
}

/// The server that the configuration names, if it answers with a model.
async fn probe(settings: &ChatSettings) -> Result<Option<(Endpoint, Vec<Model>)>, CommandError> {
    let mut options = settings.access.options(&settings.server_url);
    options.connect_timeout = PROBE_TIMEOUT;
    options.silence_timeout = PROBE_TIMEOUT;
    options.retry = RetryPolicy::never();
    match list_models(&Endpoint::new(options)?).await {
        Ok(models) if !models.is_empty() => {
            let endpoint = connect(settings, &settings.server_url)?;
            Ok(Some((endpoint, models)))
        }
        Err(error @ CompletionError::Unauthorized { .. }) => Err(error.into()),
        Ok(_) | Err(_) => Ok(None),
    }
}

/// Whether the user named a file that the server does not serve: it must not be answered by another model unnoticed.
fn prefers_own_file(settings: &ChatSettings, models: &[Model]) -> bool {
    settings.is_model_chosen
        && served_name(&settings.model, models).is_none()
        && Path::new(&settings.model).exists()
}

fn remote(settings: &ChatSettings, endpoint: Endpoint, models: &[Model], ui: Ui) -> Backend {
    let name = match (served_name(&settings.model, models), models.first()) {
        (Some(name), _) => name,
        (None, None) => settings.model.clone(),
        (None, Some(first)) => {
            if settings.is_model_chosen {
                ui.warning(format!(
                    "`{}` is not served there: chatting with `{}`",
                    settings.model, first.id
                ));
            }
            first.id.clone()
        }
    };
    ui.status(format!("Connected to {} ({name})", endpoint.url()));
    let label = Path::new(&name)
        .file_name()
        .map_or_else(|| name.clone(), |file| file.to_string_lossy().into_owned());
    let served = models.iter().find(|model| model.id == name);
    Backend {
        n_context_tokens: served.and_then(|model| model.max_model_len),
        streamer: Arc::new(HttpCompleter::new(endpoint, name)),
        name: label,
    }
}

/// The name under which a server has `model`: the same, or the file's name with or without its ending.
fn served_name(model: &str, models: &[Model]) -> Option<String> {
    let path = Path::new(model);
    let candidates = [Some(path.as_os_str()), path.file_name(), path.file_stem()];
    candidates
        .into_iter()
        .flatten()
        .find_map(|name| models.iter().find(|served| name == served.id.as_str()))
        .map(|served| served.id.clone())
}

fn local(settings: &ChatSettings, ui: Ui) -> Result<Backend, CommandError> {
    let file = local_model::find_gguf(&settings.engine.model_path, "--model", ui)?;
    let engine = local_model::load(&file, &settings.engine, 1, Batching::Fastest)?;
    Ok(Backend {
        name: engine.model_id().to_owned(),
        n_context_tokens: Some(engine.n_context_tokens()),
        streamer: Arc::new(engine),
    })
}
