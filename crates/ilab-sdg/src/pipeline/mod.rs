//! Pipeline files: which blocks the rows of a leaf go through.
//!
//! The format is version 1 of the original's. Everything in a file is checked when it is read; nothing is asked of a
//! teacher before all three files are known to be good.

mod columns;
mod error;
mod parse;

use std::path::{Path, PathBuf};

use ilab_base::io::WithPath as _;
use sha2::{Digest, Sha256};

pub use error::PipelineError;

use self::columns::Columns;
use crate::block::Block;
use crate::embedded;
use crate::prompt::PromptTemplate;

/// The file of the pipeline that examines, which not every folder has.
const EXAM: &str = "mmlu_bench.yaml";

/// What a row teaches; decides which pipeline it goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKind {
    /// A chunk of a document with seed questions.
    Knowledge,
    /// An example of a skill without a text.
    FreeformSkill,
    /// An example of a skill about a text.
    GroundedSkill,
}

impl RowKind {
    /// Every kind, in the order of the pipeline files.
    pub const ALL: [Self; 3] = [Self::Knowledge, Self::FreeformSkill, Self::GroundedSkill];

    /// What rows say in their column `leaf_node_type`.
    pub fn leaf_node_type(self) -> &'static str {
        match self {
            Self::Knowledge => "knowledge",
            Self::FreeformSkill => "freeform_skill",
            Self::GroundedSkill => "grounded_skill",
        }
    }

    /// The columns that its rows start with.
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Knowledge => &[
                "document",
                "icl_document",
                "document_outline",
                "domain",
                "leaf_node_type",
                "icl_query_1",
                "icl_response_1",
                "icl_query_2",
                "icl_response_2",
                "icl_query_3",
                "icl_response_3",
                "leaf_node_path",
            ],
            Self::FreeformSkill => &[
                "task_description",
                "seed_question",
                "seed_response",
                "leaf_node_type",
                "leaf_node_path",
            ],
            Self::GroundedSkill => &[
                "task_description",
                "seed_context",
                "seed_question",
                "seed_response",
                "leaf_node_type",
                "leaf_node_path",
            ],
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Knowledge => "knowledge.yaml",
            Self::FreeformSkill => "freeform_skills.yaml",
            Self::GroundedSkill => "grounded_skills.yaml",
        }
    }
}

/// Where pipeline files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PipelineSource {
    /// Built in, by name.
    Embedded(String),
    /// A folder with `knowledge.yaml`, `freeform_skills.yaml` and `grounded_skills.yaml`.
    Directory(PathBuf),
}

impl PipelineSource {
    /// Its name; of a folder the last part, as a dataset should not tell how its author's folders are called.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Embedded(name) => name.clone(),
            Self::Directory(folder) => folder.file_name().map_or_else(
                || folder.display().to_string(),
                |name| name.to_string_lossy().into_owned(),
            ),
        }
    }

    /// A built-in name, or else a folder.
    pub fn from_argument(argument: &str) -> Self {
        if embedded::NAMES.contains(&argument) {
            Self::Embedded(argument.to_owned())
        } else {
            Self::Directory(PathBuf::from(argument))
        }
    }

    /// Every file of the pipeline with its text: the three pipeline files, then the others by their paths.
    ///
    /// # Errors
    /// A folder or a file that cannot be read.
    pub fn files(&self) -> Result<Vec<(PathBuf, String)>, PipelineError> {
        let mut files = match self {
            Self::Embedded(name) => embedded::files(name)
                .map(|(path, text)| (PathBuf::from(path), text.to_owned()))
                .collect(),
            Self::Directory(folder) => yaml_files(folder)?,
        };
        let is_main = |path: &Path| RowKind::ALL.iter().any(|kind| path == kind.file_name());
        files.sort_by_key(|(path, _)| (!is_main(path), path.clone()));
        Ok(files)
    }

    fn path(&self, file: &str) -> PathBuf {
        match self {
            Self::Embedded(name) => Path::new(name).join(file),
            Self::Directory(folder) => folder.join(file),
        }
    }

    fn read(&self, file: &str) -> Result<String, PipelineError> {
        match self {
            Self::Embedded(name) => embedded::file(&format!("{name}/{file}"))
                .map(str::to_owned)
                .ok_or_else(|| PipelineError::UnknownName { name: name.clone() }),
            Self::Directory(folder) if !folder.is_dir() => Err(PipelineError::UnknownName {
                name: folder.display().to_string(),
            }),
            Self::Directory(folder) => Ok(ilab_base::io::read_to_string(folder.join(file))?),
        }
    }

    /// A prompt file by its path relative to the pipeline files.
    fn prompt(&self, file: &str) -> Result<PromptTemplate, PipelineError> {
        let text = self.read(file)?;
        Ok(PromptTemplate::parse(&self.path(file), &text)?)
    }
}

/// The YAML files below a folder, by their paths within it.
fn yaml_files(folder: &Path) -> Result<Vec<(PathBuf, String)>, PipelineError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(within) = folders.pop() {
        let here = folder.join(&within);
        for entry in std::fs::read_dir(&here).with_path("read", &here)? {
            let entry = entry.with_path("read", &here)?;
            let within = within.join(entry.file_name());
            let path = entry.path();
            if entry.file_type().with_path("read", &path)?.is_dir() {
                folders.push(within);
            } else if path.extension().is_some_and(|end| end == "yaml") {
                files.push((within, ilab_base::io::read_to_string(&path)?));
            }
        }
    }
    Ok(files)
}

/// For each kind of derived document (a value of the column `dataset_type`), instructions that ask for it.
pub(crate) type AuxiliaryInstructions = Vec<(String, Vec<String>)>;

/// The blocks of one pipeline file, in order.
#[derive(Debug)]
pub struct Pipeline {
    /// The file.
    pub path: PathBuf,
    pub(crate) blocks: Vec<Block>,
    /// From `datamixing`.
    pub(crate) auxiliary: AuxiliaryInstructions,
}

/// The pipelines for all kinds of rows.
#[derive(Debug)]
pub struct Pipelines {
    pipelines: [Pipeline; 3],
    exam: Option<Pipeline>,
}

impl Pipelines {
    /// Reads the three files and every prompt file that they name.
    ///
    /// # Errors
    /// A missing file, and anything in one that cannot be used: an unknown key, block or parameter, a prompt that is no template.
    pub fn load(source: &PipelineSource) -> Result<Self, PipelineError> {
        let load = |file: &str, kind: RowKind| {
            let text = source.read(file)?;
            parse::pipeline(
                source,
                &source.path(file),
                &text,
                Columns::new(kind.columns()),
            )
        };
        let [knowledge, freeform, grounded] = RowKind::ALL.map(|kind| load(kind.file_name(), kind));
        let has_exam = match source {
            PipelineSource::Embedded(name) => embedded::file(&format!("{name}/{EXAM}")).is_some(),
            PipelineSource::Directory(folder) => folder.join(EXAM).is_file(),
        };
        let exam = has_exam.then(|| load(EXAM, RowKind::Knowledge));
        Ok(Self {
            pipelines: [knowledge?, freeform?, grounded?],
            exam: exam.transpose()?,
        })
    }

    /// The pipeline that writes multiple-choice questions about documents, where there is one.
    pub(crate) fn exam(&self) -> Option<&Pipeline> {
        self.exam.as_ref()
    }

    /// The pipeline for rows of a kind.
    pub fn of(&self, kind: RowKind) -> &Pipeline {
        &self.pipelines[kind as usize]
    }
}

/// A hash over parts that cannot run into each other.
pub(crate) fn fingerprint<'part>(parts: impl IntoIterator<Item = &'part [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use ilab_openai::constraint::Constraint;

    use crate::block::{Ask, BlockKind};

    use super::*;

    /// What a judge of the program's own is held to is what its prompt shows, and what is read from its answer.
    #[test]
    fn the_forms_of_the_judges_are_those_of_their_examples() {
        let pipelines = Pipelines::load(&PipelineSource::from_argument("full")).unwrap();
        let mut n_judges = 0;
        for kind in [
            RowKind::Knowledge,
            RowKind::FreeformSkill,
            RowKind::GroundedSkill,
        ] {
            for block in &pipelines.of(kind).blocks {
                let BlockKind::Ask(ask) = &block.kind else {
                    continue;
                };
                let Some(Constraint::Regex(form)) = &ask.sampling.constraint else {
                    continue;
                };
                n_judges += 1;
                let form = fancy_regex::Regex::new(&format!("(?s){form}")).unwrap();
                let template = ask.prompts.all().next().unwrap();
                let row = template
                    .variables()
                    .into_iter()
                    .map(|name| (name, "x".into()));
                let prompt = template.render(&row.collect()).unwrap();
                let answers: Vec<_> = form
                    .find_iter(&prompt)
                    .map(|found| found.unwrap().as_str())
                    .collect();
                let n_examples = prompt.matches(&*ask_end(ask)).count();
                assert!(n_examples > 0);
                // The prompt also shows the form itself, with dots and "or" in it.
                assert_eq!(answers.len(), n_examples - 1, "{}: {answers:?}", block.name);
                for answer in answers {
                    assert_eq!(ask.parser.parse(answer, 2).len(), 1, "{answer}");
                }
            }
        }
        assert_eq!(n_judges, 7);
    }

    /// The tag at the end of what a judge answers.
    fn ask_end(ask: &Ask) -> String {
        let tags = ask.prompts.all().next().unwrap().tags();
        tags.last().unwrap().end.clone()
    }

    #[test]
    fn every_embedded_pipeline_loads() {
        for name in embedded::NAMES {
            let pipelines = Pipelines::load(&PipelineSource::from_argument(name)).unwrap();
            for kind in RowKind::ALL {
                assert!(!pipelines.of(kind).blocks.is_empty());
            }
        }
    }
}
