//! Where pipelines and recipes are found.

use std::path::PathBuf;

use ilab_sdg::DefaultRecipes;
use ilab_sdg::embedded;
use ilab_sdg::pipeline::PipelineSource;

use crate::error::{CommandError, Kind};
use crate::settings::Environment;

/// Where users and administrators may put what generation uses: `name` in each folder of data, the user's first.
fn folders(environment: &Environment, name: &str) -> impl Iterator<Item = PathBuf> {
    let variable = environment.variables.get("XDG_DATA_DIRS");
    let shared = variable
        .filter(|folders| !folders.is_empty())
        .map_or("/usr/local/share:/usr/share", String::as_str);
    let shared = std::env::split_paths(shared).map(|folder| folder.join("instructlab"));
    let shared: Vec<PathBuf> = shared.collect();
    std::iter::once(environment.dirs.data.clone())
        .chain(shared)
        .map(move |folder| folder.join("sdg").join(name))
}

/// The recipes of data that is mixed into every run: for each kind, the first one found.
pub(crate) fn default_recipes(environment: &Environment) -> DefaultRecipes {
    let first = |kind: &str| {
        folders(environment, "default_data_recipes")
            .map(|folder| folder.join(kind))
            .find(|path| path.is_file())
    };
    DefaultRecipes {
        knowledge: first("knowledge.yaml"),
        skills: first("skills.yaml"),
    }
}

/// The pipeline of this name, or in this folder.
pub(crate) fn pipeline(
    name: Option<String>,
    environment: &Environment,
) -> Result<PipelineSource, CommandError> {
    let known = "pass `--pipeline full`, `--pipeline simple`, or the folder of your own pipeline";
    match name.as_deref() {
        None | Some("") => Err(CommandError::message(Kind::User, "Pipeline not set", known)),
        Some(name)
            if let Some(folder) = folders(environment, "pipelines")
                .map(|folder| folder.join(name))
                .find(|folder| folder.is_dir()) =>
        {
            Ok(PipelineSource::Directory(folder))
        }
        Some(name) => match PipelineSource::from_argument(name) {
            PipelineSource::Directory(path) if !path.is_dir() => Err(CommandError::message(
                Kind::User,
                format!(
                    "there is no pipeline `{name}`: it is not built in and no such folder exists"
                ),
                known,
            )),
            source => Ok(source),
        },
    }
}

/// Every pipeline that is found by its name: those in the data folders, which hide built-in ones of the same name, then those.
pub(crate) fn named_pipelines(environment: &Environment) -> Vec<(String, PipelineSource)> {
    let mut found: Vec<(String, PipelineSource)> = Vec::new();
    let mut add = |name: String, source| {
        if found.iter().all(|(known, _)| *known != name) {
            found.push((name, source));
        }
    };
    for folder in folders(environment, "pipelines") {
        // A folder that is not there has no pipelines.
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.into_iter().filter(|path| path.is_dir()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            add(name.into_owned(), PipelineSource::Directory(path.clone()));
        }
    }
    for name in embedded::NAMES {
        add(name.to_owned(), PipelineSource::Embedded(name.to_owned()));
    }
    found
}
