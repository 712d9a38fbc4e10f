//! The trained model behind a port, asked once as any other program would ask it.

use std::sync::Arc;

use ilab_infer::Engine;
use ilab_openai::client::{Endpoint, EndpointOptions, HttpCompleter};
use ilab_openai::completer::Completer;
use ilab_server::ServedModel;

use crate::commands::exam::{self, Question};
use crate::commands::quickstart::lesson::MAX_ANSWER_TOKENS;
use crate::error::{CommandError, Kind};

/// Only this machine can reach it.
const HOST: &str = "127.0.0.1";

/// What was asked where, and the answer.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) url: String,
    pub(super) answer: String,
}

/// Serves `engine` on a free port for as long as one question takes.
pub(super) async fn ask(engine: &Engine, question: &str) -> Result<Served, CommandError> {
    let listener = ilab_server::bind(HOST, 0).await?;
    let port = listener.local_addr().map_or(0, |address| address.port());
    let url = format!("http://{HOST}:{port}/v1");
    let model = ServedModel::new(Arc::new(engine.clone()), [], engine.n_context_tokens());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(ilab_server::serve(listener, model, async {
        // The sender goes away only after the answer.
        let _ = stopped.await;
    }));
    let endpoint = Endpoint::new(EndpointOptions::new(&url, None))?;
    let client = HttpCompleter::new(endpoint, engine.model_id());
    let question = Question::alone(question, Vec::new());
    let answer = exam::ask(&client, &question, MAX_ANSWER_TOKENS).await;
    drop((stop, client));
    serving.await.map_err(|error| {
        CommandError::message(
            Kind::User,
            format!("the server ended before its time: {error}"),
            "run the same command again",
        )
    })??;
    Ok(Served {
        url,
        answer: answer?,
    })
}
