//! `ilab data pipelines`.

use std::path::Path;

use ilab_base::atomic::StagedDir;
use ilab_base::io::{WithPath as _, create_dir_all};
use ilab_sdg::pipeline::{PipelineSource, Pipelines};
use serde_json::json;

use crate::error::{CommandError, CommandResult, Kind};
use crate::ui::Ui;

/// Names every pipeline and says where it is.
pub(crate) fn list(pipelines: &[(String, PipelineSource)], is_json: bool, ui: Ui) -> CommandResult {
    if is_json {
        let all: Vec<_> = pipelines
            .iter()
            .map(|(name, source)| json!({"name": name, "folder": folder(source)}))
            .collect();
        ui.data(format!("{:#}", json!(all)));
        return Ok(());
    }
    let longest = pipelines.iter().map(|(name, _)| name.len()).max();
    for (name, source) in pipelines {
        let place = folder(source).map_or("built in".into(), Path::to_string_lossy);
        ui.data(format!("{name:<0$}  {place}", longest.unwrap_or(0)));
    }
    Ok(())
}

fn folder(source: &PipelineSource) -> Option<&Path> {
    match source {
        PipelineSource::Embedded(_) => None,
        PipelineSource::Directory(folder) => Some(folder),
    }
}

/// Prints every file of a pipeline.
pub(crate) fn show(source: &PipelineSource, ui: Ui) -> CommandResult {
    for (index, (path, text)) in source.files()?.iter().enumerate() {
        let gap = if index == 0 { "" } else { "\n" };
        ui.data(format!("{gap}# {}\n{}", path.display(), text.trim_end()));
    }
    Ok(())
}

/// Copies a pipeline to a folder that is not there yet.
pub(crate) fn export(source: &PipelineSource, destination: &Path, ui: Ui) -> CommandResult {
    if destination.exists() {
        return Err(CommandError::message(
            Kind::User,
            format!("`{}` exists already", destination.display()),
            "name a folder that does not exist yet",
        ));
    }
    let files = source.files()?;
    let staged = StagedDir::new(destination)?;
    for (path, text) in &files {
        let path = staged.path().join(path);
        if let Some(parent) = path.parent() {
            create_dir_all(parent)?;
        }
        std::fs::write(&path, text).with_path("write", &path)?;
    }
    // What cannot be loaded is no copy to start from.
    Pipelines::load(&PipelineSource::Directory(staged.path().to_owned()))?;
    let folder = staged.commit()?;
    // A bare name could be that of another pipeline.
    let folder = std::path::absolute(&folder).with_path("find", &folder)?;
    ui.status(format!(
        "{} files; change them and run `ilab data generate --pipeline {}`",
        files.len(),
        folder.display()
    ));
    ui.data(folder.display().to_string());
    Ok(())
}
