//! `ilab quickstart`: from a document to a model that learned it, in a folder of its own.

mod folder;
mod generate;
mod lesson;
mod report;
mod sample;
mod serve;
mod stages;
mod starter;
mod train;
mod training_data;

use ilab_base::atomic;
use ilab_base::cancel::Cancel;

use crate::commands::exam;
use crate::commands::stop::cancel_on_signal;
use crate::error::{CommandError, CommandResult};
use crate::settings::{QuickstartSettings, Topic};
use crate::ui::Ui;

use folder::Folder;
use lesson::{Lesson, Taught};
use report::Report;
use stages::Stages;

/// Teaches the topic and says what came of it.
pub(crate) fn run(settings: &QuickstartSettings, ui: Ui) -> CommandResult {
    let cancel = Cancel::new();
    let runtime = cancel_on_signal(&cancel)?;
    check(settings, ui)?;
    let folder = Folder::prepare(settings.keep.as_deref(), &settings.inputs())?;
    let mut stages = Stages::new(ui, cancel.clone());
    let lesson = Lesson {
        folder: &folder,
        runtime: &runtime,
        ui,
        cancel: &cancel,
    };
    match lesson.give(settings, &mut stages) {
        Err(_) if cancel.is_cancelled() => Err(CommandError::interrupted(
            "`ilab quickstart` starts from the beginning when it is run again",
        )),
        Err(error) => Err(error),
        Ok(taught) => conclude(taught, stages, &folder, settings.is_json, ui),
    }
}

/// Reads what the user gave before anything of an earlier run is removed.
fn check(settings: &QuickstartSettings, ui: Ui) -> CommandResult {
    if let Topic::Own {
        taxonomy,
        questions,
    } = &settings.topic
    {
        exam::read(questions)?;
        generate::read_taxonomy(taxonomy, ui)?;
    }
    if let Some(student) = &settings.student {
        starter::check(student)?;
    }
    Ok(())
}

/// Writes the result into the folder and onto the screen.
fn conclude(
    taught: Taught,
    stages: Stages,
    folder: &Folder,
    is_json: bool,
    ui: Ui,
) -> CommandResult {
    let (stages, seconds) = stages.finish();
    let answers_file = folder.join("answers.jsonl");
    atomic::write(&answers_file, &report::json_lines(&taught.comparisons))?;
    let report_file = folder.join("report.json");
    let mut files = taught.files;
    files.extend([answers_file, report_file.clone()]);
    let report = Report {
        accuracy_before: exam::accuracy(&taught.comparisons, |comparison| &comparison.before),
        accuracy_after: exam::accuracy(&taught.comparisons, |comparison| &comparison.after),
        n_questions: taught.comparisons.len(),
        n_training_samples: taught.n_learned,
        n_examples: taught.counts.n_examples,
        n_withheld_samples: taught.counts.n_withheld,
        seconds,
        stages,
        question: taught.question,
        answer: taught.answer,
        files: files.iter().map(|file| folder.shown(file)).collect(),
    };
    let json = report.to_json();
    atomic::write(&report_file, json.as_bytes())?;
    if is_json {
        ui.data(json);
    } else {
        ui.data(report::summary(
            &report,
            &taught.comparisons,
            folder.is_kept(),
        ));
    }
    Ok(())
}
