//! `ilab config init`: the directories, the taxonomy, and a commented config.yaml that never replaces one unsaved.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ilab_base::atomic;
use ilab_base::dirs::Dirs;
use ilab_base::io::{create_dir_all, read, read_dir_sorted};
use ilab_config::{Comments, Config, expand, to_yaml};

use crate::commands::timestamp;
use crate::error::CommandResult;
use crate::settings::{ConfigInitSettings, set_model_path, set_taxonomy_path};
use crate::ui::{HINT_NON_INTERACTIVE, Ui};

const DASHES: &str = "-------------------------------------------------";

pub(crate) fn run(settings: &ConfigInitSettings, ui: Ui) -> CommandResult {
    let file = settings.dirs.config_file();
    if settings.is_interactive && file.exists() {
        ui.status(format!(
            "Existing config file was found in:\n    {}",
            file.display()
        ));
        if !ui.confirm(
            "Do you still want to continue?",
            false,
            HINT_NON_INTERACTIVE,
        )? {
            return Ok(());
        }
    }
    for directory in directories(&settings.dirs) {
        create_dir_all(directory)?;
    }
    let mut config = settings.config.clone();
    if settings.is_interactive {
        ui.status("Welcome to ilab. Press Enter to take the value in brackets.");
        if settings.asks_for_paths {
            ask_for_taxonomy(&mut config, settings, ui)?;
        }
    }
    get_taxonomy(&config.generate.taxonomy_path, settings, ui)?;
    if settings.is_interactive && settings.asks_for_paths {
        ask_for_model(&mut config, settings, ui)?;
    }
    write(&file, &config, &settings.dirs, ui)?;
    ui.status(format!(
        "{DASHES}\n    Initialization completed successfully!\n  You're ready to start using `ilab`. Enjoy!\n{DASHES}"
    ));
    Ok(())
}

/// The original's directories, so that both programs work in one home.
fn directories(dirs: &Dirs) -> Vec<PathBuf> {
    let internal = dirs.internal();
    let results = internal.join("eval_data");
    vec![
        dirs.config.clone(),
        dirs.data.clone(),
        dirs.cache.clone(),
        dirs.cache.join("oci"),
        dirs.models(),
        dirs.chatlogs(),
        dirs.checkpoints(),
        dirs.datasets(),
        dirs.phased(),
        dirs.taxonomy(),
        dirs.data.join("logs"),
        internal.join("system_profiles"),
        internal.join("train_configuration").join("additional"),
        results.join("mt_bench"),
        results.join("mt_bench_branch"),
        results.join("dk_bench"),
    ]
}

fn ask_for_taxonomy(config: &mut Config, settings: &ConfigInitSettings, ui: Ui) -> CommandResult {
    let default = config.generate.taxonomy_path.display().to_string();
    let answer = ui.ask("Path to taxonomy repo", &default)?;
    set_taxonomy_path(config, expand(&answer, &settings.variables).into());
    Ok(())
}

fn ask_for_model(config: &mut Config, settings: &ConfigInitSettings, ui: Ui) -> CommandResult {
    let default = config.serve.model_path.display().to_string();
    let answer = ui.ask("Path to your model", &default)?;
    if answer != default {
        set_model_path(config, Path::new(&expand(&answer, &settings.variables)));
    }
    Ok(())
}

/// Clones the taxonomy where there is none. Without a network everything else still works, so a failure is a warning.
fn get_taxonomy(path: &Path, settings: &ConfigInitSettings, ui: Ui) -> CommandResult {
    if path.exists() && (!path.is_dir() || !read_dir_sorted(path)?.is_empty()) {
        return Ok(());
    }
    let repository = &settings.repository;
    if settings.is_interactive {
        ui.status(format!(
            "`{}` seems to not exist or is empty.",
            path.display()
        ));
        if !ui.confirm(
            &format!("Should I clone {repository} for you?"),
            true,
            HINT_NON_INTERACTIVE,
        )? {
            return Ok(());
        }
    }
    ui.status(format!("Cloning {repository}..."));
    if let Err(reason) = clone(repository, path, settings) {
        ui.warning(format!(
            "Failed to clone taxonomy repo: {reason}\nPlease make sure to manually run `git clone {repository} {}`",
            path.display()
        ));
    }
    Ok(())
}

/// Runs the `git` program, which knows the user's credentials; what it said where it failed.
fn clone(repository: &str, path: &Path, settings: &ConfigInitSettings) -> Result<(), String> {
    let mut git = Command::new("git");
    // A connection that brings nothing for 20 seconds is none.
    git.args(["-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=20"]);
    git.args(["clone", "--quiet", "--recurse-submodules"]);
    if settings.is_shallow {
        git.args(["--depth", "1"]);
    }
    git.arg("--").arg(repository).arg(path);
    if !settings.is_interactive {
        git.env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    }
    match git.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("the program `git` cannot be run: {error}")),
    }
}

/// Writes the file; another one in its place is kept beside it under a dated name.
fn write(file: &Path, config: &Config, dirs: &Dirs, ui: Ui) -> CommandResult {
    let text = to_yaml(config, dirs, Comments::Full);
    if file.exists() {
        let old = read(file)?;
        if old == text.as_bytes() {
            ui.status(format!(
                "\nConfig file is unchanged:\n    {}\n",
                file.display()
            ));
            return Ok(());
        }
        let backup = unused_backup(file);
        atomic::write(&backup, &old)?;
        ui.status(format!(
            "The existing config file was saved as:\n    {}",
            backup.display()
        ));
    }
    ui.status(format!(
        "\nGenerating config file:\n    {}\n",
        file.display()
    ));
    atomic::write(file, text.as_bytes())?;
    Ok(())
}

/// A name that no earlier backup has, even one of the same second.
fn unused_backup(file: &Path) -> PathBuf {
    let moment = timestamp::local();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let named = |suffix: String| file.with_file_name(format!("{name}.{moment}{suffix}.bak"));
    let first = named(String::new());
    let mut later = (2..).map(|count| named(format!("-{count}")));
    match first.exists() {
        false => first,
        true => later.find(|path| !path.exists()).unwrap_or(first),
    }
}
