//! A taxonomy: the folder of `qna.yaml` files that say what a model should learn.
//!
//! [`read`] finds the files (all of them, or those that differ from a git revision), checks each one, and returns typed
//! leaves with all findings as plain data. Rules that files must follow are the JSON Schemas in `schema/`.
//!
//! Deliberately absent: drawing the findings (the binary does), cloning, and fetching documents.

mod check;
mod documents;
mod error;
mod format;
mod git;
mod layout;
mod leaf;
mod locate;
mod rules;
mod schema;
mod select;

use std::path::{Path, PathBuf};

use ilab_base::diagnostic::{Diagnostic, Severity};

use select::SelectedFile;

pub use error::TaxonomyError;
pub use format::{FileLayout, Formatted, format, format_file};
pub use leaf::{
    DocumentSource, Knowledge, KnowledgeExample, LeafKind, QuestionAndAnswer, Skill, SkillExample,
    TaxonomyLeaf,
};
pub use rules::{LayoutRules, LoadedRules, RulesError};
pub use select::{LeftOut, Origin, Reason};

/// The name of every taxonomy file.
pub const FILE_NAME: &str = "qna.yaml";

/// The folders of a taxonomy that are read, in the order they are listed.
pub const FOLDERS: [&str; 2] = ["compositional_skills", "knowledge"];

/// Which files to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The taxonomy's folder, or one qna.yaml.
    pub path: PathBuf,
    /// What makes a file selected.
    pub base: Base,
}

impl Selection {
    /// `base` is a git revision or the word `empty`.
    pub fn new(path: impl Into<PathBuf>, base: &str) -> Self {
        Self {
            path: path.into(),
            base: base.into(),
        }
    }
}

/// What a taxonomy is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// Nothing: every file on disk is selected.
    Empty,
    /// A git branch, tag or commit: files that are new or differ from it are selected.
    Revision(String),
}

impl From<&str> for Base {
    fn from(text: &str) -> Self {
        match text {
            "empty" => Self::Empty,
            revision => Self::Revision(revision.to_owned()),
        }
    }
}

/// The selected files of a taxonomy, each checked.
#[derive(Debug)]
pub struct Taxonomy {
    /// The path that was asked for.
    pub path: PathBuf,
    /// How the files were selected.
    pub origin: Origin,
    /// The selected files, sorted by path.
    pub files: Vec<TaxonomyFile>,
    /// Files that might have been meant, and why they were not selected. Complete only where no file was selected.
    pub left_out: Vec<LeftOut>,
}

/// One selected file.
#[derive(Debug)]
pub struct TaxonomyFile {
    /// The file, as it can be opened.
    pub path: PathBuf,
    /// The file relative to the taxonomy; for a single file as it was given.
    pub relative_path: PathBuf,
    /// Its text; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// What was found, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// What it says; absent when an error was found and when the file is empty.
    pub leaf: Option<TaxonomyLeaf>,
}

impl TaxonomyFile {
    /// Whether the file cannot be used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

impl Taxonomy {
    /// The usable leaves, sorted by path.
    pub fn leaves(&self) -> impl Iterator<Item = &TaxonomyLeaf> {
        self.files.iter().filter_map(|file| file.leaf.as_ref())
    }

    /// How many errors were found in all files.
    pub fn n_errors(&self) -> usize {
        self.count(Severity::Error)
    }

    /// How many warnings were found in all files.
    pub fn n_warnings(&self) -> usize {
        self.count(Severity::Warning)
    }

    fn count(&self, severity: Severity) -> usize {
        let diagnostics = self.files.iter().flat_map(|file| &file.diagnostics);
        diagnostics
            .filter(|diagnostic| diagnostic.severity == severity)
            .count()
    }
}

/// Finds, reads and checks the selected files; their layout by the default rules.
///
/// # Errors
/// As [`read_with`].
pub fn read(selection: &Selection) -> Result<Taxonomy, TaxonomyError> {
    read_with(selection, &LayoutRules::default())
}

/// Finds, reads and checks the selected files; their layout by `rules`.
///
/// # Errors
/// The path does not exist or is no taxonomy file, the base is unknown, git's files are damaged, or a file cannot be
/// read. What is wrong *in* a file is no error here but a [`Diagnostic`] of that file.
pub fn read_with(selection: &Selection, rules: &LayoutRules) -> Result<Taxonomy, TaxonomyError> {
    let selected = select::select(selection)?;
    let files = selected
        .files
        .into_iter()
        .map(|file| read_file(file, rules))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Taxonomy {
        path: selection.path.clone(),
        origin: selected.origin,
        files,
        left_out: selected.left_out,
    })
}

/// The selected files, sorted, without reading them.
///
/// # Errors
/// As [`read_with`].
pub fn find(selection: &Selection) -> Result<Vec<PathBuf>, TaxonomyError> {
    let files = select::select(selection)?.files.into_iter();
    Ok(files.map(|file| file.path).collect())
}

/// Every taxonomy file at or below `path`, which may be any folder, sorted.
///
/// # Errors
/// The path does not exist or is no taxonomy file, or a folder cannot be listed.
pub fn find_below(path: &Path) -> Result<Vec<PathBuf>, TaxonomyError> {
    select::below(path)
}

fn read_file(
    SelectedFile {
        path,
        relative_path,
        leaf_folders,
    }: SelectedFile,
    rules: &LayoutRules,
) -> Result<TaxonomyFile, TaxonomyError> {
    let bytes = ilab_base::io::read(&path)?;
    let (text, diagnostics, leaf) = check_bytes(&bytes, &path, &leaf_folders, rules);
    Ok(TaxonomyFile {
        path,
        relative_path,
        text,
        diagnostics,
        leaf,
    })
}

/// Checks the bytes of one qna.yaml in the folders `leaf_folders` of a taxonomy.
fn check_bytes(
    bytes: &[u8],
    path: &Path,
    leaf_folders: &[String],
    rules: &LayoutRules,
) -> (String, Vec<Diagnostic>, Option<TaxonomyLeaf>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            let (mut diagnostics, leaf) = check::check(text, path, leaf_folders, rules);
            diagnostics.sort_by_key(|diagnostic| diagnostic.span.start);
            (text.to_owned(), diagnostics, leaf)
        }
        Err(error) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let diagnostic = locate::not_utf8(&text, error.valid_up_to());
            (text, vec![diagnostic], None)
        }
    }
}
