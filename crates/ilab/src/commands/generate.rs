//! `ilab data generate`: a taxonomy and a teacher in, a dataset out.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use ilab_base::cancel::Cancel;
use ilab_base::io::{IoError, WithPath};
use ilab_documents::chunk::{TokenCounter, estimated_tokens};
use ilab_infer::{Batching, SpecialTokens};
use ilab_openai::client::{ApiKey, Endpoint, EndpointOptions, HttpCompleter, list_models};
use ilab_openai::completer::Completer;
use ilab_sdg::drops::Drops;
use ilab_sdg::{GenerateError, GenerateOptions, RunName, Summary, cancelled, check, generate};
use ilab_taxonomy::{Selection, Taxonomy, TaxonomyLeaf};
use serde_json::json;

use crate::commands::generation_progress::{CheckProgress, GenerationProgress, tell_retries};
use crate::commands::stop::cancel_on_signal;
use crate::commands::{local_model, timestamp};
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::{EngineSettings, GenerateSettings, TeacherSettings};
use crate::ui::Ui;

/// What a chat model is told it is, in training data for it.
const SYSTEM_PROMPT: &str = "You are a helpful assistant. You answer truthfully and to the point.";
/// Dropped samples that are shown for each reason.
const EXAMPLES_PER_REASON: usize = 1;
/// Characters of a dropped sample that are shown.
const EXAMPLE_LENGTH: usize = 100;

/// A teacher that is ready.
struct Teacher {
    completer: Arc<dyn Completer>,
    count_tokens: Arc<TokenCounter>,
    /// The longest chunk that leaves room for the prompt around it and the answer.
    chunk_tokens: usize,
    /// Tells models apart that have the same name.
    identity: Option<String>,
}

/// Generates and says what came of it.
pub(crate) fn run(settings: &GenerateSettings, ui: Ui) -> CommandResult {
    let ui = ui.quiet(settings.is_quiet);
    let leaves = read_leaves(&settings.selection, ui)?;
    let cancel = Cancel::new();
    let runtime = cancel_on_signal(&cancel)?;
    // A teacher takes a minute to load: what stops the run without one is told before.
    check(
        &leaves,
        &settings.pipeline,
        &settings.repositories,
        &CheckProgress(ui),
        &cancel,
    )
    .map_err(failure)?;
    let teacher = runtime.block_on(async {
        tokio::select! {
            teacher = teacher(&settings.teacher, ui) => teacher,
            () = cancelled(&cancel) => Err(failure(GenerateError::Cancelled)),
        }
    })?;
    ui.status(format!(
        "Generating synthetic data from {} leaves with `{}`",
        leaves.len(),
        teacher.completer.model_id()
    ));
    let options = GenerateOptions {
        leaves,
        pipeline: settings.pipeline.clone(),
        output_dir: settings.output_dir.clone(),
        started: run_name(),
        repositories: settings.repositories.clone(),
        scale_factor: settings.scale_factor,
        temperature: None,
        max_tokens: settings.max_tokens,
        chunk_tokens: settings.chunk_tokens.min(teacher.chunk_tokens),
        count_tokens: teacher.count_tokens,
        max_in_flight: settings.max_in_flight,
        seed: settings.seed,
        system_prompt: SYSTEM_PROMPT.to_owned(),
        teacher_identity: teacher.identity,
    };
    let progress = GenerationProgress::new(ui);
    let result = runtime.block_on(generate(&options, teacher.completer, &progress, &cancel));
    progress.finish();
    match result {
        Ok(summary) => {
            tell(&summary, settings.is_json, ui);
            Ok(())
        }
        Err(error) => {
            if let GenerateError::NothingKept { drops } = &error {
                tell_drops(drops, ui);
            }
            Err(failure(error))
        }
    }
}

fn failure(error: GenerateError) -> CommandError {
    match error {
        GenerateError::Cancelled => {
            CommandError::interrupted("run the same command again: finished requests are kept")
        }
        error => error.into(),
    }
}

/// The leaves of a taxonomy without errors; findings are drawn.
fn read_leaves(selection: &Selection, ui: Ui) -> Result<Vec<TaxonomyLeaf>, CommandError> {
    let taxonomy: Taxonomy = ilab_taxonomy::read(selection)?;
    for file in &taxonomy.files {
        ui.findings(&file.path, &file.text, &file.diagnostics);
    }
    let n_errors = taxonomy.n_errors();
    if n_errors > 0 {
        return Err(CommandError::message(
            Kind::User,
            format!(
                "the taxonomy in `{}` has {n_errors} error{}",
                taxonomy.path.display(),
                if n_errors == 1 { "" } else { "s" },
            ),
            "each place above says what to change; nothing was generated",
        ));
    }
    Ok(taxonomy.leaves().cloned().collect())
}

async fn teacher(settings: &TeacherSettings, ui: Ui) -> Result<Teacher, CommandError> {
    match settings {
        TeacherSettings::Endpoint {
            url,
            api_key,
            model,
        } => remote_teacher(url, api_key.clone(), model.clone(), ui).await,
        TeacherSettings::Local(engine) => local_teacher(engine, ui),
    }
}

async fn remote_teacher(
    url: &str,
    api_key: Option<ApiKey>,
    model: Option<String>,
    ui: Ui,
) -> Result<Teacher, CommandError> {
    let mut options = EndpointOptions::new(url, api_key);
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

/// `2026-11-23_091500` for the folder and `2026-11-23T09_15_00` for the files in it.
fn run_name() -> RunName {
    let suffix = timestamp::local();
    let directory = suffix
        .split_once('T')
        .map_or(suffix.clone(), |(date, time)| {
            format!("{date}_{}", time.replace('_', ""))
        });
    RunName { directory, suffix }
}

fn tell(summary: &Summary, is_json: bool, ui: Ui) {
    if is_json {
        let drops = summary
            .drops
            .by_reason()
            .into_iter()
            .map(|(reason, n)| json!({"reason": reason, "n_samples": n}));
        ui.data(
            json!({
                "n_samples": summary.n_samples(),
                "n_requests": summary.n_requests,
                "leaves": summary.leaves,
                "drops": drops.collect::<Vec<_>>(),
                "files": summary.files,
            })
            .to_string(),
        );
        return;
    }
    for leaf in &summary.leaves {
        ui.status(format!(
            "{}: {} samples of {} answers, {} left out",
            leaf.leaf_path, leaf.n_samples, leaf.n_answers, leaf.n_dropped
        ));
    }
    tell_drops(&summary.drops, ui);
    ui.status("ᕦ(òᴗóˇ)ᕤ Data generate completed successfully! ᕦ(òᴗóˇ)ᕤ");
    ui.data(shown(&summary.files.directory));
}

fn tell_drops(drops: &Drops, ui: Ui) {
    for (reason, n_samples) in drops.by_reason() {
        ui.status(format!(
            "left out: {n_samples:>5}  {}",
            reason.description()
        ));
        for drop in drops
            .0
            .iter()
            .filter(|drop| drop.reason == reason)
            .take(EXAMPLES_PER_REASON)
        {
            let text: String = drop.text.chars().take(EXAMPLE_LENGTH).collect();
            ui.status(format!("                 such as {text:?}"));
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
