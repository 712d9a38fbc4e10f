//! `ilab taxonomy fmt`: files in the layout that the rules ask for, with nothing of what they say changed.

use std::fs;
use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::{IoError, WithPath};
use ilab_taxonomy::{FileLayout, LayoutRules, format_file};

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::{FmtFiles, TaxonomyFmtSettings};
use crate::ui::Ui;

/// What became of the files.
#[derive(Default)]
struct Tally {
    n_changed: usize,
    n_unchanged: usize,
    n_unreadable: usize,
    n_left: usize,
}

pub(crate) fn run(settings: &TaxonomyFmtSettings, ui: Ui) -> CommandResult {
    let files = match &settings.files {
        FmtFiles::Selected(selection) => ilab_taxonomy::find(selection)?,
        FmtFiles::Named(paths) => {
            let mut files = Vec::new();
            for path in paths {
                files.extend(ilab_taxonomy::find_below(path)?);
            }
            files
        }
    };
    let mut tally = Tally::default();
    for file in files {
        tally.take(&file, &settings.rules, settings.is_check, ui)?;
    }
    tally.tell(settings.is_check, ui)
}

impl Tally {
    fn take(
        &mut self,
        file: &Path,
        rules: &LayoutRules,
        is_check: bool,
        ui: Ui,
    ) -> Result<(), IoError> {
        let FileLayout { before, after } = format_file(file, rules)?;
        let formatted = match after {
            Ok(formatted) => formatted,
            Err(diagnostic) => {
                self.n_unreadable += 1;
                ui.findings(file, &before, &[diagnostic]);
                return Ok(());
            }
        };
        if formatted.text == before {
            self.n_unchanged += 1;
        } else {
            self.n_changed += 1;
            if !is_check {
                replace(file, &formatted.text)?;
            }
            ui.data(file.display().to_string());
        }
        // Before the change their lines are others.
        if !is_check {
            self.n_left += formatted.left.len();
            ui.findings(file, &formatted.text, &formatted.left);
        }
        Ok(())
    }

    fn tell(&self, is_check: bool, ui: Ui) -> CommandResult {
        let unchanged = match self.n_unchanged {
            0 => String::new(),
            n => format!(", {n} unchanged"),
        };
        let done = if is_check { "to format" } else { "formatted" };
        ui.status(format!("{} {done}{unchanged}", n_files(self.n_changed)));
        if self.n_left > 0 {
            ui.status("What is drawn above is left: to change it would change what the files say");
        }
        if self.n_unreadable > 0 {
            return Err(CommandError::message(
                Kind::User,
                format!("{} could not be read", n_files(self.n_unreadable)),
                "each place above says what to change",
            ));
        }
        if is_check && self.n_changed > 0 {
            return Err(CommandError::message(
                Kind::User,
                format!("{} would change", n_files(self.n_changed)),
                "the same command without `--check` changes them",
            ));
        }
        Ok(())
    }
}

/// Writes the new text where the old one is, through a link if it is one, with the mode of the old file.
fn replace(file: &Path, text: &str) -> Result<(), IoError> {
    let target = file.canonicalize().with_path("read", file)?;
    let permissions = fs::metadata(&target)
        .with_path("read", &target)?
        .permissions();
    atomic::write(&target, text.as_bytes())?;
    fs::set_permissions(&target, permissions).with_path("change the mode of", &target)
}

fn n_files(number: usize) -> String {
    match number {
        1 => "1 file".to_owned(),
        _ => format!("{number} files"),
    }
}
