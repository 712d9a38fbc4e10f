//! What a run needs before anything is asked: pipelines that hold and leaves with their rows.

use std::collections::HashSet;
use std::path::PathBuf;

use ilab_base::cancel::Cancel;
use ilab_documents::chunk::{Budget, Chunker};
use ilab_taxonomy::TaxonomyLeaf;

use crate::block::BlockKind;
use crate::dataset::{PrecomputedData, RecipeError, read_recipe};
use crate::error::GenerateError;
use crate::generate::GenerateOptions;
use crate::observer::{Event, Observer};
use crate::pipeline::{PipelineSource, Pipelines, fingerprint};
use crate::row;
use crate::samples::{self, Leaf};
use crate::scheduler::Part;

/// A run that could begin.
pub(crate) struct Prepared {
    pub(crate) pipelines: Pipelines,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) precomputed: PrecomputedData,
}

impl Prepared {
    /// Reads pipelines and documents and fills in the first prompts.
    pub(crate) fn new(
        options: &GenerateOptions,
        observer: &dyn Observer,
        cancel: &Cancel,
    ) -> Result<Self, GenerateError> {
        if options.leaves.is_empty() {
            return Err(GenerateError::NoLeaves);
        }
        let pipelines = Pipelines::load(&options.pipeline)?;
        let leaves = read_leaves(options, observer, cancel)?;
        check_prompts(&pipelines, &leaves)?;
        let precomputed = options.recipes.read()?;
        for data in precomputed.knowledge.iter().chain(&precomputed.skills) {
            if data.n_empty > 0 {
                observer.event(Event::Empty {
                    dataset: &data.path,
                    n_records: data.n_empty,
                });
            }
        }
        Ok(Self {
            pipelines,
            leaves,
            precomputed,
        })
    }

    /// One row for each chunk of the leaves with documents, to write an exam from; with the positions of their leaves.
    pub(crate) fn exam_parts(&self) -> (Vec<usize>, Vec<Part<'_>>) {
        let Some(pipeline) = self.pipelines.exam() else {
            return (Vec::new(), Vec::new());
        };
        let with_documents = self
            .leaves
            .iter()
            .enumerate()
            .filter(|(_, leaf)| leaf.is_knowledge);
        with_documents
            .map(|(position, leaf)| {
                let mut seen = HashSet::new();
                let rows = leaf.rows.iter().flat_map(|(_, rows)| rows);
                let rows = rows.filter(|row| seen.insert(row::text(row, "document").into_owned()));
                let part = Part {
                    leaf: &leaf.name,
                    pipeline,
                    rows: rows.cloned().collect(),
                };
                (position, part)
            })
            .unzip()
    }

    /// The rows of all leaves, at most `n_rows` of each kind of row of a leaf, spread over all of them.
    pub(crate) fn parts(&self, n_rows: usize) -> Vec<Part<'_>> {
        let parts = self.leaves.iter().flat_map(|leaf| {
            leaf.rows.iter().map(|(kind, rows)| {
                let n_taken = n_rows.min(rows.len());
                let taken = (0..n_taken).map(|index| rows[index * rows.len() / n_taken].clone());
                Part {
                    leaf: &leaf.name,
                    pipeline: self.pipelines.of(*kind),
                    rows: taken.collect(),
                }
            })
        });
        parts.collect()
    }
}

/// Recipes of datasets that others have generated, to be mixed into the two training files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DefaultRecipes {
    /// For the first phase.
    pub knowledge: Option<PathBuf>,
    /// For the second phase.
    pub skills: Option<PathBuf>,
}

impl DefaultRecipes {
    fn read(&self) -> Result<PrecomputedData, RecipeError> {
        let read = |path: &Option<PathBuf>| path.as_deref().map(read_recipe).transpose();
        Ok(PrecomputedData {
            knowledge: read(&self.knowledge)?.unwrap_or_default(),
            skills: read(&self.skills)?.unwrap_or_default(),
        })
    }
}

/// Looks for what would stop a run before anything is asked, without a teacher and beside the documents: no leaves, a pipeline or
/// a recipe that cannot be used.
///
/// # Errors
/// As [`generate()`](crate::generate()).
pub fn check(
    leaves: &[TaxonomyLeaf],
    pipeline: &PipelineSource,
    recipes: &DefaultRecipes,
) -> Result<(), GenerateError> {
    if leaves.is_empty() {
        return Err(GenerateError::NoLeaves);
    }
    Pipelines::load(pipeline)?;
    recipes.read()?;
    Ok(())
}

fn read_leaves(
    options: &GenerateOptions,
    observer: &dyn Observer,
    cancel: &Cancel,
) -> Result<Vec<Leaf>, GenerateError> {
    let chunker = Chunker::new(Budget {
        n_tokens: options.chunk_tokens,
        n_overlap_tokens: options.chunk_overlap_tokens,
        count: &*options.count_tokens,
    });
    let mut names = HashSet::new();
    let mut leaves = Vec::new();
    for source in &options.leaves {
        cancel.check()?;
        let name = unique_name(&source.leaf, &mut names);
        let read = samples::leaf(source, name, &chunker, observer);
        if read.n_rows() == 0 {
            return Err(GenerateError::NoText {
                leaf: source.leaf.path.display().to_string(),
            });
        }
        leaves.push(read);
    }
    Ok(leaves)
}

/// `a/b_c` and `a_b/c` have the same name in datasets; the second gets a hash of its path.
fn unique_name(leaf: &TaxonomyLeaf, names: &mut HashSet<String>) -> String {
    let mut name = leaf.leaf_node_path.clone();
    if names.contains(&name) {
        let hash = fingerprint([leaf.leaf_path.as_bytes()]);
        name = format!("{name}_{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2]);
    }
    names.insert(name.clone());
    name
}

/// Fills in one row of every first prompt, so that a variable that no row has is told before anything is asked.
fn check_prompts(pipelines: &Pipelines, leaves: &[Leaf]) -> Result<(), GenerateError> {
    for (kind, rows) in leaves.iter().flat_map(|leaf| &leaf.rows) {
        if let (Some(first), Some(row)) = (pipelines.of(*kind).blocks.first(), rows.first())
            && let BlockKind::Ask(ask) = &first.kind
        {
            ask.prompt(row)?;
        }
    }
    Ok(())
}
