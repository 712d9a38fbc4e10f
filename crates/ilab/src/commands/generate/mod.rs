//! `ilab data generate`: a taxonomy and a teacher in, a dataset out.

mod ahead;
mod progress;
mod summary;
mod teacher;

use std::sync::Arc;

use ilab_base::cancel::Cancel;
use ilab_sdg::journal::set_aside;
use ilab_sdg::{
    GenerateError, GenerateOptions, LeafSource, RunName, cancelled, check, generate, read_documents,
};
use ilab_taxonomy::{Taxonomy, TaxonomyLeaf};
use tokio::runtime::Runtime;

use self::progress::CheckProgress;
pub(crate) use self::progress::GenerationProgress;
pub(crate) use self::teacher::{Teacher, teacher};
use crate::commands::process::record::recorded;
use crate::commands::stop::cancel_on_signal;
use crate::commands::timestamp;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::{Ahead, GenerateSettings};
use crate::ui::Ui;

/// Everything that asking needs.
struct Session<'s> {
    runtime: Runtime,
    cancel: Cancel,
    options: GenerateOptions,
    teacher: Teacher,
    settings: &'s GenerateSettings,
    ui: Ui,
}

/// Generates and says what came of it.
pub(crate) fn run(settings: &GenerateSettings, ui: Ui) -> CommandResult {
    let ui = ui.quiet(settings.is_quiet);
    match settings.ahead {
        Ahead::DryRun(prices) => Session::new(settings, ui)?.forecast(prices),
        Ahead::Preview(n_samples) => {
            let session = Session::new(settings, ui)?;
            match session.preview(n_samples)? {
                true => recorded(&settings.record, ui, |_| session.generate()),
                false => Ok(()),
            }
        }
        Ahead::Nothing => recorded(&settings.record, ui, |record| {
            let session = Session::new(settings, ui)?;
            record.checks_passed()?;
            session.generate()
        }),
    }
}

impl<'s> Session<'s> {
    /// Gets everything ready that can fail, the cheapest first.
    fn new(settings: &'s GenerateSettings, ui: Ui) -> Result<Self, CommandError> {
        let leaves = read_leaves(settings, ui)?;
        let cancel = Cancel::new();
        let runtime = cancel_on_signal(&cancel)?;
        // A teacher takes a minute to load: what stops the run without one is told before.
        check(&leaves, &settings.pipeline, &settings.recipes).map_err(failure)?;
        let repositories = &settings.repositories;
        let leaves =
            read_documents(leaves, repositories, &CheckProgress(ui), &cancel).map_err(failure)?;
        // Whoever starts a run in the background is told at once that nothing answers.
        let must_answer = settings.record.log_file.is_some();
        let teacher = runtime.block_on(async {
            tokio::select! {
                teacher = teacher(&settings.teacher, must_answer, ui) => teacher,
                () = cancelled(&cancel) => Err(failure(GenerateError::Cancelled)),
            }
        })?;
        let options = options(settings, leaves, &teacher);
        if settings.is_fresh
            && let Some(path) = set_aside(&settings.output_dir, &options.started.suffix)
                .map_err(GenerateError::from)?
        {
            ui.status(format!(
                "Starting over: earlier answers are now in `{}`",
                path.display()
            ));
        }
        Ok(Self {
            runtime,
            cancel,
            options,
            teacher,
            settings,
            ui,
        })
    }

    fn generate(&self) -> CommandResult {
        let Self { options, ui, .. } = self;
        ui.status(format!(
            "Generating synthetic data from {} leaves with `{}`",
            options.leaves.len(),
            self.teacher.completer.model_id()
        ));
        let progress = GenerationProgress::new(*ui);
        let completer = Arc::clone(&self.teacher.completer);
        let generated = generate(options, completer, &progress, &self.cancel);
        let result = self.runtime.block_on(generated);
        progress.finish();
        match result {
            Ok(summary) => {
                summary::tell(&summary, self.settings.is_json, *ui);
                Ok(())
            }
            Err(error) => Err(self.told(error)),
        }
    }

    /// Shows what was left out where that is why a run ends.
    fn told(&self, error: GenerateError) -> CommandError {
        match &error {
            GenerateError::NothingKept { drops } => summary::tell_drops(drops, self.ui),
            GenerateError::Unfit { examples, .. } => summary::tell_answers(examples, self.ui),
            _ => {}
        }
        match self.settings.is_fresh {
            true => failure(error)
                .and_hint("leave `--fresh` out the next time: what was answered now is kept"),
            false => failure(error),
        }
    }
}

fn options(
    settings: &GenerateSettings,
    leaves: Vec<LeafSource>,
    teacher: &Teacher,
) -> GenerateOptions {
    GenerateOptions {
        leaves,
        pipeline: settings.pipeline.clone(),
        recipes: settings.recipes.clone(),
        output_dir: settings.output_dir.clone(),
        started: run_name(),
        scale_factor: settings.scale_factor,
        temperature: None,
        max_tokens: settings.max_tokens,
        chunk_tokens: settings.chunk_tokens.min(teacher.chunk_tokens),
        chunk_overlap_tokens: settings.chunk_overlap_tokens,
        count_tokens: Arc::clone(&teacher.count_tokens),
        max_in_flight: settings.max_in_flight,
        keeps_going: settings.keeps_going,
        max_similarity: settings.max_similarity,
        seed: settings.seed,
        system_prompt: settings.system_prompt.clone(),
        teacher_identity: teacher.identity.clone(),
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
fn read_leaves(settings: &GenerateSettings, ui: Ui) -> Result<Vec<TaxonomyLeaf>, CommandError> {
    let taxonomy: Taxonomy = ilab_taxonomy::read_with(&settings.selection, &settings.rules)?;
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
