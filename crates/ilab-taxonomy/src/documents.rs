//! Whether the documents in a local folder can be read. Those of a repository are looked at when they are fetched.

use std::path::Path;

use ilab_base::diagnostic::{Diagnostic, Span};
use ilab_base::document_files::{self, Format, SelectionError};
use ilab_base::hint::Hint;
use ilab_base::io::{self, IoError, WithPath as _};
use ilab_base::yaml::Node;

use crate::leaf::{DocumentSource, LeafKind, TaxonomyLeaf};
use crate::locate::{Step, locate};

/// Everything that keeps the local documents of a leaf from being read: the folder, each pattern, each document.
pub(crate) fn problems(text: &str, root: &Node, leaf: &TaxonomyLeaf) -> Vec<Diagnostic> {
    let LeafKind::Knowledge(knowledge) = &leaf.kind else {
        return Vec::new();
    };
    let DocumentSource::Folder { path, patterns } = &knowledge.documents else {
        return Vec::new();
    };
    let folder_problem = |message: String, help: &str| {
        let span = span(root, &[Step::Key("path".to_owned())]);
        vec![Diagnostic::error(text, span, message).with_help(help)]
    };
    if !path.is_dir() {
        let shown = path.display();
        return folder_problem(
            format!("the folder of documents `{shown}` does not exist"),
            "the path is relative to the folder of this file",
        );
    }
    let files = match document_files::below(path) {
        Ok(files) => files,
        Err(error) => {
            let message = format!("{error}: {}", error.source);
            return folder_problem(message, "check the owner and the mode of that folder");
        }
    };
    let patterns = patterns.iter().enumerate();
    let wrong = patterns.filter_map(|(index, pattern)| {
        let problem = check(path, &files, pattern).err()?;
        let steps = [Step::Key("patterns".to_owned()), Step::Item(index)];
        let diagnostic = Diagnostic::error(text, span(root, &steps), problem.message);
        Some(match problem.help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        })
    });
    wrong.collect()
}

/// The place of something below `document`.
fn span(root: &Node, steps: &[Step]) -> Span {
    let document = [Step::Key("document".to_owned())];
    locate(root, &[&document[..], steps].concat()).span
}

/// What is wrong with a pattern or with what it matches.
struct Problem {
    message: String,
    help: Option<String>,
}

impl From<SelectionError> for Problem {
    fn from(error: SelectionError) -> Self {
        Self {
            message: error.to_string(),
            help: error.hints().into_iter().next(),
        }
    }
}

impl From<IoError> for Problem {
    fn from(error: IoError) -> Self {
        Self {
            message: format!("{error}: {}", error.source),
            help: error.hints().into_iter().next(),
        }
    }
}

/// Selects and reads the documents as generation does.
fn check(folder: &Path, files: &[String], pattern: &str) -> Result<(), Problem> {
    let place = folder.display().to_string();
    let matched = document_files::matches(&place, files, pattern)?;
    for file in matched.iter().filter(|file| file.format.is_some()) {
        let path = &files[file.index];
        let at = folder.join(path);
        let n_bytes = at.metadata().with_path("read", &at)?.len();
        document_files::check_size(&place, path, n_bytes)?;
        // What has to be converted is looked into when it is: that takes seconds for a long PDF.
        if file.format.is_some_and(Format::is_text) {
            document_files::text(&place, path, io::read(at)?)?;
        }
    }
    Ok(())
}
