//! `ilab taxonomy new`: a leaf drafted from documents, for a person to edit.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ilab_base::atomic::{self, StagedDir};
use ilab_base::cancel::Cancel;
use ilab_base::io::{IoError, WithPath, create_dir_all};
use ilab_documents::chunk::estimated_tokens;
use ilab_documents::source::{self, Document, DocumentError, Reading, Step};
use ilab_sdg::cancelled;
use ilab_sdg::draft::{self, DraftLeaf, Example, N_KNOWLEDGE_PAIRS, Subject, passages};
use ilab_taxonomy::{FILE_NAME, Selection};
use tokio::runtime::Runtime;

use crate::cli::taxonomy::LeafKind;
use crate::commands::generate::{Teacher, teacher};
use crate::commands::stop::cancel_on_signal;
use crate::error::{CommandError, CommandResult, Kind};
use crate::settings::{TaxonomyNewSettings, TeacherSettings};
use crate::ui::Ui;

/// The folder in a leaf that holds its documents.
const DOCUMENTS: &str = "documents";
const ATTRIBUTION: &str = "attribution.txt";

pub(crate) fn run(settings: &TaxonomyNewSettings, ui: Ui) -> CommandResult {
    refuse_to_overwrite(&settings.folder)?;
    let names = names(&settings.documents)?;
    let cancel = Cancel::new();
    let runtime = cancel_on_signal(&cancel)?;
    let documents = read(settings, &cancel, ui).map_err(|error| match error {
        DocumentError::Cancelled => interrupted(),
        error => error.into(),
    })?;
    let (examples, model) = match &settings.teacher {
        Some(teacher) => drafted(settings, teacher, &documents, (&runtime, &cancel), ui)?,
        None => (blank(&documents)?, None),
    };
    let leaf = DraftLeaf {
        created_by: settings.created_by.clone(),
        subject: subject(settings, &documents, &names),
        examples,
        model,
    };
    let folder = write(settings, &leaf, &names)?;
    tell(&folder.join(FILE_NAME), settings.teacher.is_some(), ui)
}

/// A folder with anything in it is somebody's work.
fn refuse_to_overwrite(folder: &Path) -> CommandResult {
    let is_free = match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_) => !folder.exists(),
    };
    if is_free {
        return Ok(());
    }
    Err(CommandError::message(
        Kind::User,
        format!("`{}` exists already", folder.display()),
        "name a folder that is new; an existing leaf is never overwritten",
    ))
}

/// The names of the documents in the leaf, each once.
fn names(documents: &[PathBuf]) -> Result<Vec<String>, CommandError> {
    let mut names: Vec<String> = Vec::new();
    for path in documents {
        let name = path.file_name().and_then(|name| name.to_str());
        match name {
            Some(name) if names.iter().any(|other| other == name) => {
                return Err(CommandError::message(
                    Kind::User,
                    format!("two documents are named `{name}`"),
                    "rename one of them: they lie in one folder of the leaf",
                ));
            }
            Some(name) => names.push(name.to_owned()),
            None => {
                return Err(CommandError::message(
                    Kind::User,
                    format!("`{}` names no document", path.display()),
                    "name a file with `--document`",
                ));
            }
        }
    }
    Ok(names)
}

fn read(
    settings: &TaxonomyNewSettings,
    cancel: &Cancel,
    ui: Ui,
) -> Result<Vec<Document>, DocumentError> {
    let tell = |step: Step<'_>| {
        if let Step::Converting(document) = step {
            ui.status(format!("Converting {document}..."));
        }
    };
    let reading = Reading {
        repositories: &settings.repositories,
        tell: &tell,
        cancel,
    };
    let documents = settings.documents.iter();
    documents
        .map(|path| source::from_file(path, reading))
        .collect()
}

/// Passages with questions of the teacher, and its name.
fn drafted(
    settings: &TaxonomyNewSettings,
    teacher_settings: &TeacherSettings,
    documents: &[Document],
    (runtime, cancel): (&Runtime, &Cancel),
    ui: Ui,
) -> Result<(Vec<Example>, Option<String>), CommandError> {
    let drafted = async {
        let Teacher {
            completer,
            count_tokens,
            chunk_tokens,
            ..
        } = teacher(teacher_settings, false, ui).await?;
        let passages = passages(documents, count_tokens.as_ref(), chunk_tokens)?;
        let n_pairs = match settings.kind {
            LeafKind::Knowledge => N_KNOWLEDGE_PAIRS,
            LeafKind::Skill => 1,
        };
        let model = completer.model_id().to_owned();
        ui.status(format!(
            "Asking `{model}` about {} passages",
            passages.len()
        ));
        let completer = Arc::clone(&completer);
        let examples = draft::ask(&passages, n_pairs, &completer, settings.seed).await?;
        Ok((examples, Some(model)))
    };
    runtime.block_on(async {
        tokio::select! {
            drafted = drafted => drafted,
            () = cancelled(cancel) => Err(interrupted()),
        }
    })
}

fn interrupted() -> CommandError {
    CommandError::interrupted("nothing was written: run the same command again")
}

fn blank(documents: &[Document]) -> Result<Vec<Example>, CommandError> {
    let passages = passages(documents, &estimated_tokens, usize::MAX)?;
    let example = |context| Example {
        context,
        pairs: Vec::new(),
    };
    Ok(passages.into_iter().map(example).collect())
}

fn subject(settings: &TaxonomyNewSettings, documents: &[Document], names: &[String]) -> Subject {
    let title = documents.first().and_then(title);
    let title = title.unwrap_or_else(|| names.join(", "));
    match settings.kind {
        LeafKind::Knowledge => Subject::Knowledge {
            domain: settings.domain.clone(),
            outline: title,
            folder: DOCUMENTS.to_owned(),
            documents: names.to_vec(),
        },
        LeafKind::Skill => Subject::Skill {
            task: format!("Answer a question about a text such as \"{title}\""),
        },
    }
}

/// The first heading of a document.
fn title(document: &Document) -> Option<String> {
    let heading = document
        .text
        .lines()
        .find_map(|line| line.strip_prefix("# "));
    heading
        .map(|heading| heading.trim().to_owned())
        .filter(|heading| !heading.is_empty())
}

/// The folder of the leaf, which appears whole.
fn write(
    settings: &TaxonomyNewSettings,
    leaf: &DraftLeaf,
    names: &[String],
) -> Result<PathBuf, IoError> {
    if let Some(parent) = settings.folder.parent() {
        create_dir_all(parent)?;
    }
    let staged = StagedDir::new(&settings.folder)?;
    atomic::write(staged.path().join(FILE_NAME), leaf.to_yaml().as_bytes())?;
    let attribution = format!(
        "Title of work: {}\nLink to work:\nRevision:\nLicense of the work:\nCreator names:\n",
        names.join(", ")
    );
    atomic::write(staged.path().join(ATTRIBUTION), attribution.as_bytes())?;
    if settings.kind == LeafKind::Knowledge {
        let folder = staged.path().join(DOCUMENTS);
        create_dir_all(&folder)?;
        for (path, name) in settings.documents.iter().zip(names) {
            fs::copy(path, folder.join(name)).with_path("copy", path)?;
        }
    }
    staged.commit()
}

/// What is left to do.
fn tell(file: &Path, is_written: bool, ui: Ui) -> CommandResult {
    let taxonomy = ilab_taxonomy::read(&Selection::new(file, "empty"))?;
    for checked in &taxonomy.files {
        // Of a blank draft the check would name each empty place, and the next line says so in one.
        if is_written {
            ui.findings(&checked.path, &checked.text, &checked.diagnostics);
        }
    }
    ui.status(match is_written {
        true => "The draft is valid. Read it before it is used: its first lines say what to look for",
        false => "Fill in the questions and answers; `ilab taxonomy diff` points at those that are missing",
    });
    ui.data(file.display().to_string());
    Ok(())
}
