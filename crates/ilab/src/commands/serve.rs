//! `ilab model serve`.

use std::sync::Arc;

use ilab_infer::Batching;
use ilab_server::ServedModel;
use tokio::net::TcpListener;

use crate::commands::local_model;
use crate::commands::stop::{Stop, StopSignals};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::{ServeSettings, base_url};
use crate::ui::Ui;

pub(crate) fn run(settings: &ServeSettings, ui: Ui) -> CommandResult {
    let file = local_model::find_gguf(&settings.engine.model_path, "--model-path", ui)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(no_runtime)?;
    // The port is taken before the model is loaded: a port in use is told at once, not after a minute.
    let listener = runtime.block_on(ilab_server::bind(&settings.host, settings.port))?;
    let model = load(settings, &file, ui)?;
    let outcome = runtime.block_on(serve(settings, listener, model, ui));
    // Answers that were cut off end here, not when the last of their clients goes away.
    runtime.shutdown_background();
    outcome
}

fn load(
    settings: &ServeSettings,
    file: &std::path::Path,
    ui: Ui,
) -> Result<ServedModel, CommandError> {
    let engine_settings = &settings.engine;
    let n_sequences = local_model::n_sequences_that_fit(file, engine_settings.n_context_tokens)?;
    let engine = local_model::load(file, engine_settings, n_sequences, Batching::Fastest)?;
    let n_context_tokens = engine.n_context_tokens();
    ui.status(format!(
        "Using model '{}' with {} gpu-layers and {n_context_tokens} max context size, {n_sequences} requests at once.",
        file.display(),
        engine_settings
            .n_gpu_layers
            .map_or("all".to_owned(), |n_layers| n_layers.to_string()),
    ));
    let mut names = vec![
        file.display().to_string(),
        engine_settings.model_path.display().to_string(),
    ];
    names.extend(
        file.file_name()
            .map(|name| name.to_string_lossy().into_owned()),
    );
    Ok(ServedModel::new(Arc::new(engine), names, n_context_tokens))
}

async fn serve(
    settings: &ServeSettings,
    listener: TcpListener,
    model: ServedModel,
    ui: Ui,
) -> CommandResult {
    let mut signals = StopSignals::listen().map_err(no_runtime)?;
    let port = listener
        .local_addr()
        .map_or(settings.port, |address| address.port());
    let url = base_url(&settings.host, port);
    ui.status(format!(
        "Serving at {url}, press CTRL+C to shut down the server."
    ));
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = ilab_server::serve(listener, model, async {
        // The sender goes away only when the whole command ends.
        let _ = stopped.await;
    });
    tokio::pin!(serving);
    let reason = tokio::select! {
        outcome = &mut serving => return Ok(outcome?),
        reason = signals.next() => reason,
    };
    ui.status(match reason {
        Stop::Keyboard => "Server terminated by keyboard",
        Stop::Terminated => "Received termination signal 15, exiting...",
    });
    // Nobody receives once serving has ended by itself.
    let _ = stop.send(());
    tokio::select! {
        outcome = &mut serving => Ok(outcome?),
        // Asked twice: answers that are still running are not waited for.
        _ = signals.next() => Ok(()),
    }
}

pub(super) fn no_runtime(error: std::io::Error) -> CommandError {
    CommandError::message(
        Kind::User,
        format!("the operating system gave no threads or signals: {error}"),
        "check the limits of this process with `ulimit -a`",
    )
}
