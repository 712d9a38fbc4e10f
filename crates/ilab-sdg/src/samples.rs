//! A leaf of the taxonomy to the rows that a pipeline starts from.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ilab_base::cancel::Cancel;
use ilab_documents::chunk::Chunker;
use ilab_documents::source::{self, DocumentError, Documents, Reading, Step};
use ilab_taxonomy::{DocumentSource, Knowledge, LeafKind, Skill, TaxonomyLeaf};
use serde_json::Value;

use crate::error::GenerateError;
use crate::observer::{Event, Observer};
use crate::pipeline::{RowKind, fingerprint};
use crate::row::Row;

/// A question of a seed example with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeedQuestion {
    pub(crate) question: String,
    pub(crate) answer: String,
    /// The text that the question is about.
    pub(crate) context: Option<String>,
}

/// A leaf ready to be generated from.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// As datasets name it.
    pub(crate) name: String,
    /// As the taxonomy names it.
    pub(crate) leaf_path: String,
    pub(crate) is_knowledge: bool,
    /// Rows by kind; a skill may have examples with and without a text.
    pub(crate) rows: Vec<(RowKind, Vec<Row>)>,
    pub(crate) seeds: Vec<SeedQuestion>,
    pub(crate) documents: Arc<Documents>,
    /// Where each chunk is from, by [`chunk_key`].
    pub(crate) chunks: HashMap<[u8; 32], ChunkSource>,
}

/// Where a chunk is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkSource {
    /// Index of its document.
    pub(crate) document: usize,
    /// Its number in there, from 1.
    pub(crate) number: usize,
}

/// What a chunk is recognised by in a row.
pub(crate) fn chunk_key(text: &str) -> [u8; 32] {
    fingerprint([text.trim().as_bytes()])
}

impl Leaf {
    pub(crate) fn n_rows(&self) -> usize {
        self.rows.iter().map(|(_, rows)| rows.len()).sum()
    }
}

/// Makes the rows of a leaf from its documents.
pub(crate) fn leaf(
    LeafSource { leaf, documents }: &LeafSource,
    name: String,
    chunker: &Chunker<'_>,
    observer: &dyn Observer,
) -> Leaf {
    let mut chunk_sources = HashMap::new();
    let (rows, seeds) = match &leaf.kind {
        LeafKind::Knowledge(knowledge) => {
            for file in &documents.unread {
                observer.event(Event::Unread { leaf: &name, file });
            }
            let mut chunks = Vec::new();
            for (index, document) in documents.read.iter().enumerate() {
                let of_document = chunker.chunks(&document.text, document.format);
                for (number, text) in (1..).zip(&of_document) {
                    let source = ChunkSource {
                        document: index,
                        number,
                    };
                    chunk_sources.entry(chunk_key(text)).or_insert(source);
                }
                chunks.extend(of_document);
            }
            observer.event(Event::Chunked {
                leaf: &name,
                n_documents: documents.read.len(),
                n_chunks: chunks.len(),
            });
            let rows = knowledge_rows(knowledge, &chunks, &name);
            (vec![(RowKind::Knowledge, rows)], knowledge_seeds(knowledge))
        }
        LeafKind::Skill(skill) => (skill_rows(skill, &name), skill_seeds(skill)),
    };
    Leaf {
        leaf_path: leaf.leaf_path.clone(),
        is_knowledge: matches!(leaf.kind, LeafKind::Knowledge(_)),
        rows: rows
            .into_iter()
            .filter(|(_, rows)| !rows.is_empty())
            .collect(),
        name,
        seeds,
        documents: Arc::clone(documents),
        chunks: chunk_sources,
    }
}

/// A leaf with its documents read; a skill has none.
#[derive(Debug, Clone)]
pub struct LeafSource {
    /// The leaf.
    pub leaf: TaxonomyLeaf,
    /// Its documents.
    pub documents: Arc<Documents>,
}

/// Reads the documents of leaves. Repositories are cloned on the way and kept in `repositories` for the next time.
///
/// # Errors
/// Documents that cannot be had, and a cancelled `cancel`.
pub fn read_documents(
    leaves: Vec<TaxonomyLeaf>,
    repositories: &Path,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Vec<LeafSource>, GenerateError> {
    let read = |leaf: TaxonomyLeaf| {
        cancel.check()?;
        let documents = documents(&leaf, repositories, observer, cancel);
        let documents = documents.map_err(|source| match cancel.is_cancelled() {
            // Ctrl-C at a terminal reaches git as well, which then fails.
            true => GenerateError::Cancelled,
            false => GenerateError::Documents {
                leaf: leaf.path.display().to_string(),
                source,
            },
        })?;
        Ok(LeafSource {
            leaf,
            documents: Arc::new(documents),
        })
    };
    leaves.into_iter().map(read).collect()
}

fn documents(
    leaf: &TaxonomyLeaf,
    repositories: &Path,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Documents, DocumentError> {
    let LeafKind::Knowledge(knowledge) = &leaf.kind else {
        return Ok(Documents::default());
    };
    let tell = |step: Step<'_>| {
        observer.event(match step {
            Step::Cloning(repository) => Event::Cloning { repository },
            Step::Converting(document) => Event::Converting { document },
        });
    };
    let reading = Reading {
        repositories,
        tell: &tell,
        cancel,
    };
    match &knowledge.documents {
        DocumentSource::Folder { path, patterns } => source::from_folder(path, patterns, reading),
        DocumentSource::Git {
            repo,
            commit,
            patterns,
        } => source::from_repository(repo, commit, patterns, reading),
    }
}

/// One row a chunk and seed example, all examples of a chunk together.
fn knowledge_rows(knowledge: &Knowledge, chunks: &[String], name: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for chunk in chunks {
        for example in &knowledge.seed_examples {
            let mut row = Row::new();
            add(&mut row, "document", chunk);
            add(&mut row, "icl_document", &example.context);
            add(&mut row, "document_outline", &knowledge.document_outline);
            add(&mut row, "domain", &knowledge.domain);
            add(
                &mut row,
                "leaf_node_type",
                RowKind::Knowledge.leaf_node_type(),
            );
            for (index, pair) in example.questions_and_answers.iter().enumerate() {
                add(
                    &mut row,
                    &format!("icl_query_{}", index + 1),
                    &pair.question,
                );
                add(
                    &mut row,
                    &format!("icl_response_{}", index + 1),
                    &pair.answer,
                );
            }
            add(&mut row, "leaf_node_path", name);
            rows.push(row);
        }
    }
    rows
}

fn skill_rows(skill: &Skill, name: &str) -> Vec<(RowKind, Vec<Row>)> {
    let mut freeform = Vec::new();
    let mut grounded = Vec::new();
    for example in &skill.seed_examples {
        let context = example
            .context
            .as_deref()
            .filter(|context| !context.trim().is_empty());
        let kind = if context.is_some() {
            RowKind::GroundedSkill
        } else {
            RowKind::FreeformSkill
        };
        let mut row = Row::new();
        add(&mut row, "task_description", &skill.task_description);
        if let Some(context) = context {
            add(&mut row, "seed_context", context);
        }
        add(&mut row, "seed_question", &example.question);
        add(&mut row, "seed_response", &example.answer);
        add(&mut row, "leaf_node_type", kind.leaf_node_type());
        add(&mut row, "leaf_node_path", name);
        if context.is_some() {
            &mut grounded
        } else {
            &mut freeform
        }
        .push(row);
    }
    vec![
        (RowKind::FreeformSkill, freeform),
        (RowKind::GroundedSkill, grounded),
    ]
}

// Differs from upstream: blank space at the ends is left out. A block scalar ends in a line break that its author did not
// mean, and prompts were never tried with it.
fn add(row: &mut Row, column: &str, text: &str) {
    row.insert(column.to_owned(), Value::String(text.trim().to_owned()));
}

fn knowledge_seeds(knowledge: &Knowledge) -> Vec<SeedQuestion> {
    let pairs = knowledge.seed_examples.iter().flat_map(|example| {
        example
            .questions_and_answers
            .iter()
            .map(|pair| (pair, example.context.trim()))
    });
    pairs
        .map(|(pair, context)| SeedQuestion {
            question: pair.question.trim().to_owned(),
            answer: pair.answer.trim().to_owned(),
            context: Some(context.to_owned()),
        })
        .collect()
}

fn skill_seeds(skill: &Skill) -> Vec<SeedQuestion> {
    let seed = |example: &ilab_taxonomy::SkillExample| SeedQuestion {
        question: example.question.trim().to_owned(),
        answer: example.answer.trim().to_owned(),
        context: example
            .context
            .as_ref()
            .map(|context| context.trim().to_owned()),
    };
    skill.seed_examples.iter().map(seed).collect()
}
