//! `ilab taxonomy diff`: which files are new or changed, and whether they follow the rules.

use ilab_taxonomy::{LeftOut, Origin, Reason, Taxonomy};
use serde_json::{Value, json};

use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::TaxonomyDiffSettings;
use crate::ui::Ui;

/// How many files are named when none was selected.
const MAX_LEFT_OUT: usize = 20;

pub(crate) fn run(settings: &TaxonomyDiffSettings, ui: Ui) -> CommandResult {
    let ui = ui.quiet(settings.is_quiet);
    let taxonomy = ilab_taxonomy::read_with(&settings.selection, &settings.rules)?;
    if settings.is_json {
        ui.data(report(&taxonomy).to_string());
    } else {
        tell(&taxonomy, settings, ui);
    }
    if taxonomy.n_errors() > 0 {
        return Err(failure(&taxonomy, settings.is_json));
    }
    if !settings.is_json {
        ui.status(format!(
            "Taxonomy in {} is valid :)",
            taxonomy.path.display()
        ));
    }
    Ok(())
}

fn tell(taxonomy: &Taxonomy, settings: &TaxonomyDiffSettings, ui: Ui) {
    if taxonomy.origin == Origin::PlainFolder {
        let path = taxonomy.path.display();
        ui.status(format!(
            "{path} is in no git work tree: every file is taken"
        ));
    }
    if !settings.is_quiet {
        for file in &taxonomy.files {
            ui.data(file.relative_path.display().to_string());
        }
    }
    for left_out in &taxonomy.left_out {
        if left_out.reason == Reason::Misspelt {
            let path = left_out.path.display();
            ui.warning(format!(
                "`{path}` is not checked: taxonomy files are named `qna.yaml`"
            ));
        }
    }
    for file in &taxonomy.files {
        match settings.is_for_github {
            true => ui.annotations(&file.path, &file.diagnostics),
            false => ui.findings(&file.path, &file.text, &file.diagnostics),
        }
    }
    if taxonomy.files.is_empty() {
        ui.status(explanation(taxonomy));
    }
}

/// Why no file was selected.
fn explanation(taxonomy: &Taxonomy) -> String {
    let mut text = match &taxonomy.origin {
        Origin::Git { base, commit } => {
            let commit = commit.get(..8).unwrap_or(commit);
            format!("No taxonomy file is new or differs from {base} (commit {commit}).")
        }
        _ => "No taxonomy file was found: they are named `qna.yaml` and lie under `knowledge` or `compositional_skills`.".to_owned(),
    };
    for LeftOut { path, reason } in taxonomy.left_out.iter().take(MAX_LEFT_OUT) {
        text.push_str(&format!("\n  {}: {}", path.display(), describe(*reason)));
    }
    if let Some(further) = taxonomy.left_out.len().checked_sub(MAX_LEFT_OUT + 1) {
        text.push_str(&format!("\n  and {} more", further + 1));
    }
    let is_compared = matches!(taxonomy.origin, Origin::Git { .. });
    if is_compared && !taxonomy.left_out.is_empty() {
        text.push_str("\nhint: `--taxonomy-base empty` takes every file, changed or not");
    }
    text
}

fn describe(reason: Reason) -> &'static str {
    match reason {
        Reason::Unchanged => "unchanged",
        Reason::Ignored => "ignored by git",
        Reason::Misspelt => "must be named `qna.yaml`",
        Reason::OtherName => "not named `qna.yaml`",
        Reason::Outside => "outside `knowledge` and `compositional_skills`",
    }
}

/// The totals, in the original's words.
fn failure(taxonomy: &Taxonomy, is_told: bool) -> CommandError {
    if is_told {
        return CommandError::told(Kind::User);
    }
    let reason = match taxonomy.origin {
        Origin::SingleFile => "Taxonomy file with errors!".to_owned(),
        _ => {
            let n_files = taxonomy
                .files
                .iter()
                .filter(|file| file.has_errors())
                .count();
            let n_errors = taxonomy.n_errors();
            format!("{n_errors} total errors found across {n_files} taxonomy files!")
        }
    };
    let message = format!("Reading taxonomy failed with the following error: {reason}");
    CommandError::message(Kind::User, message, "each place above says what to change")
}

fn report(taxonomy: &Taxonomy) -> Value {
    let files = taxonomy.files.iter().map(|file| {
        json!({
            "path": file.relative_path,
            "leaf": file.leaf.as_ref().map(|leaf| &leaf.leaf_path),
            "diagnostics": file.diagnostics,
        })
    });
    let left_out = taxonomy
        .left_out
        .iter()
        .map(|left_out| json!({"path": left_out.path, "reason": describe(left_out.reason)}));
    json!({
        "taxonomy": taxonomy.path,
        "base": match &taxonomy.origin {
            Origin::Git { base, commit } => json!({"revision": base, "commit": commit}),
            _ => Value::Null,
        },
        "valid": taxonomy.n_errors() == 0,
        "errors": taxonomy.n_errors(),
        "warnings": taxonomy.n_warnings(),
        "files": files.collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
    })
}
