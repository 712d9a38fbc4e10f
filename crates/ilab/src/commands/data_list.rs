//! `ilab data list`: the files of all runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, WithPath as _, read_dir_sorted};
use jiff::{Timestamp, Zoned};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::{CommandError, CommandResult, Kind};
use crate::ui::{Ui, table};

/// What stands in the column of the model where nothing tells it.
const NO_MODEL: &str = "General";

/// One dataset.
#[derive(Debug, Serialize)]
struct Dataset {
    /// Relative to the folder that was asked for.
    path: PathBuf,
    model: String,
    created_at: String,
    n_bytes: u64,
}

/// Lists every `.jsonl` file below the folders, run by run, the newest run first.
pub(crate) fn run(folders: &[PathBuf], is_json: bool, ui: Ui) -> CommandResult {
    let mut all = Vec::new();
    for folder in folders {
        let runs = runs(folder)?;
        if !is_json {
            runs.iter()
                .rev()
                .for_each(|(run, datasets)| show(run, datasets, ui));
        }
        let of_run = |(run, datasets): (String, Vec<Dataset>)| json!({"folder": folder, "run": run, "datasets": datasets});
        all.extend(runs.into_iter().rev().map(of_run));
    }
    if is_json {
        ui.data(format!("{:#}", Value::from(all)));
    } else if all.is_empty() {
        ui.status("There are no datasets yet; `ilab data generate` makes them.");
    }
    Ok(())
}

fn show(run: &str, datasets: &[Dataset], ui: Ui) {
    let rows: Vec<[String; 4]> = datasets
        .iter()
        .map(|dataset| {
            [
                dataset.path.display().to_string(),
                dataset.model.clone(),
                dataset.created_at.clone(),
                table::size(dataset.n_bytes, 2),
            ]
        })
        .collect();
    match run {
        "" => ui.data("Uncategorized datasets"),
        run => ui.data(format!("Run from {run}")),
    }
    ui.data(table::grid(
        ["Dataset", "Model", "Created At", "File size"],
        &rows,
    ));
}

/// Datasets by run, which is the first folder of their path; files outside of any folder are of none.
fn runs(folder: &Path) -> Result<BTreeMap<String, Vec<Dataset>>, CommandError> {
    if !folder.is_dir() {
        return Err(CommandError::message(
            Kind::User,
            format!(
                "the folder of datasets `{}` does not exist",
                folder.display()
            ),
            "`ilab data generate` makes it; `--dataset-dirs` names another one",
        ));
    }
    let mut runs: BTreeMap<String, Vec<Dataset>> = BTreeMap::new();
    for path in json_lines_below(folder)? {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let run = relative.parent().and_then(|parent| parent.iter().next());
        let run = run.map_or_else(String::new, |run| run.to_string_lossy().into_owned());
        let dataset = dataset(folder, relative)?;
        runs.entry(run).or_default().push(dataset);
    }
    Ok(runs)
}

fn json_lines_below(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let mut found = Vec::new();
    for path in read_dir_sorted(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') {
            // What a run is writing, or was when it was killed.
            continue;
        }
        if path.is_dir() {
            found.extend(json_lines_below(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            found.push(path);
        }
    }
    Ok(found)
}

fn dataset(folder: &Path, relative: &Path) -> Result<Dataset, IoError> {
    let path = folder.join(relative);
    let metadata = path.metadata().with_path("read", &path)?;
    // Not every file system knows when a file was made.
    let created = metadata
        .created()
        .or_else(|_| metadata.modified())
        .with_path("read", &path)?;
    let created = Timestamp::try_from(created).unwrap_or_default();
    let created: Zoned = created.to_zoned(jiff::tz::TimeZone::system());
    Ok(Dataset {
        path: relative.to_owned(),
        model: model(folder, relative).unwrap_or_else(|| NO_MODEL.to_owned()),
        created_at: created.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        n_bytes: metadata.len(),
    })
}

/// The teacher: from the file of origins in the folder of the run, or from the name of a file of older programs,
/// `test_MODEL_TIME.jsonl`.
fn model(folder: &Path, relative: &Path) -> Option<String> {
    let name = relative.file_stem()?.to_str()?;
    let kinds = ["test_", "messages_", "train_"];
    let rest = kinds.iter().find_map(|kind| name.strip_prefix(kind));
    if let Some(model) = rest.and_then(before_time) {
        return Some(model.to_owned());
    }
    let run = folder.join(relative.iter().next()?);
    let files = read_dir_sorted(&run).ok()?;
    let origins = files.iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("provenance_") && name.ends_with(".jsonl")
    })?;
    let mut first = String::new();
    BufReader::new(File::open(origins).ok()?)
        .read_line(&mut first)
        .ok()?;
    let first: Value = serde_json::from_str(&first).ok()?;
    first["model"].as_str().map(str::to_owned)
}

/// `MODEL` of `MODEL_2026-11-26T09_20_05`.
fn before_time(name: &str) -> Option<&str> {
    const SHAPE: &str = "_0000-00-00T00_00_00";
    let (model, time) = name.split_at_checked(name.len().checked_sub(SHAPE.len())?)?;
    let zeros = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let is_time = time.chars().map(zeros).eq(SHAPE.chars());
    (is_time && !model.is_empty()).then_some(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_no_model() {
        assert_eq!(
            before_time("granite_7b_2024-01-01T10_20_30"),
            Some("granite_7b")
        );
        for name in [
            "2026-11-23T09_20_05",
            "_2026-11-23T09_20_05",
            "granite_2024",
            "",
            "größe",
        ] {
            assert_eq!(before_time(name), None, "{name}");
        }
    }
}
