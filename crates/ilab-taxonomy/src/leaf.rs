//! What a valid qna.yaml says, with every text exactly as it was written.

use std::path::PathBuf;

use serde::Deserialize;

/// One leaf of the taxonomy: one valid qna.yaml.
#[derive(Debug, Clone, PartialEq)]
pub struct TaxonomyLeaf {
    /// The qna.yaml.
    pub path: PathBuf,
    /// The folders down to it, joined by `->`: `knowledge->science->animals`.
    pub leaf_path: String,
    /// The same joined by `_`, as datasets name their files.
    pub leaf_node_path: String,
    /// The version of the file's format: 1 to 3.
    pub version: i64,
    /// Who wrote it.
    pub created_by: String,
    /// What it teaches.
    pub kind: LeafKind,
}

/// What a leaf teaches.
#[derive(Debug, Clone, PartialEq)]
pub enum LeafKind {
    /// Facts from documents.
    Knowledge(Knowledge),
    /// How to do something.
    Skill(Skill),
}

/// Facts from documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Knowledge {
    /// The field of knowledge.
    pub domain: String,
    /// What the documents are about, in a line.
    pub document_outline: String,
    /// Where the documents are.
    pub documents: DocumentSource,
    /// Contexts with questions and answers about them.
    pub seed_examples: Vec<KnowledgeExample>,
}

/// How to do something.
#[derive(Debug, Clone, PartialEq)]
pub struct Skill {
    /// What the skill does.
    pub task_description: String,
    /// Questions with answers, and the text they are about where there is one.
    pub seed_examples: Vec<SkillExample>,
}

/// Where the documents of a knowledge leaf are.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum DocumentSource {
    /// A folder on this machine: `document: {path, patterns}`. Only this program reads it.
    Folder {
        /// The folder; relative to the folder of the qna.yaml in the file, resolved here.
        path: PathBuf,
        /// Which files in it.
        patterns: Vec<String>,
    },
    /// A git repository at a commit: `document: {repo, commit, patterns}`.
    Git {
        /// What `git clone` takes.
        repo: String,
        /// What `git checkout` takes.
        commit: String,
        /// Which files in it.
        patterns: Vec<String>,
    },
}

impl DocumentSource {
    /// Which files are meant.
    pub fn patterns(&self) -> &[String] {
        match self {
            Self::Folder { patterns, .. } | Self::Git { patterns, .. } => patterns,
        }
    }
}

/// A piece of a document with questions about it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnowledgeExample {
    /// The piece of the document.
    pub context: String,
    /// Questions about it.
    pub questions_and_answers: Vec<QuestionAndAnswer>,
}

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QuestionAndAnswer {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}

/// An example of a skill.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SkillExample {
    /// The text that the question is about, for a grounded skill.
    #[serde(default)]
    pub context: Option<String>,
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}
