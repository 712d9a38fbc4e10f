//! The report of a run as one page that needs no other file: what was made, what was left out and why, and every sample to look
//! through.

use std::collections::{BTreeMap, HashMap};

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Map, Value};

use super::files::{Contents, LeafResult};
use super::provenance::provenance;
use crate::drops::{DropReason, DroppedSample};

/// The page without its content.
const TEMPLATE: &str = include_str!("report.html");
/// Samples that the page holds; more are spread evenly.
const MAX_SAMPLES: usize = 5_000;
/// Left-out samples that are shown of each block and reason.
const N_EXAMPLES: usize = 5;
/// Characters of one of them.
const EXAMPLE_LENGTH: usize = 2_000;

/// What the page is filled with.
#[derive(Debug, Serialize)]
struct Page<'run> {
    run: &'run str,
    model: &'run str,
    pipeline: &'run str,
    n_samples: usize,
    n_dropped: usize,
    leaves: Vec<LeafLine<'run>>,
    drops: Vec<DropLine<'run>>,
    data: Data<'run>,
}

/// What the page's script reads.
#[derive(Debug, Serialize)]
struct Data<'run> {
    samples: Vec<ShownSample<'run>>,
    texts: Vec<String>,
}

/// A line of the table of leaves.
#[derive(Debug, Serialize)]
struct LeafLine<'run> {
    leaf: &'run str,
    n_rows: usize,
    n_samples: usize,
    n_dropped: usize,
}

/// A line of the table of what was left out.
#[derive(Debug, Serialize)]
struct DropLine<'run> {
    leaf: &'run str,
    block: &'run str,
    reason: &'static str,
    n_samples: usize,
    examples: Vec<String>,
}

/// A sample as the page's script reads it.
#[derive(Debug, Serialize)]
struct ShownSample<'run> {
    question: &'run str,
    answer: &'run str,
    leaf: &'run str,
    document: Option<String>,
    chunk: Option<usize>,
    verdicts: Map<String, Value>,
    /// Index among the texts.
    text: Option<usize>,
}

/// The page.
pub(super) fn page(contents: &Contents<'_>) -> String {
    let n_samples = contents
        .leaves
        .iter()
        .map(|leaf| leaf.questions.len())
        .sum();
    let (samples, texts) = shown(contents, n_samples);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
        .render_str(
            TEMPLATE,
            minijinja::Value::from(Serde(Page {
                run: contents.suffix,
                model: contents.model,
                pipeline: contents.pipeline,
                n_samples,
                n_dropped: contents.drops.n_samples(),
                leaves: leaf_lines(contents),
                drops: drop_lines(contents),
                data: Data { samples, texts },
            })),
        )
        .expect("the page and what it is filled with are ours")
}

fn shown<'run>(
    contents: &'run Contents<'_>,
    n_samples: usize,
) -> (Vec<ShownSample<'run>>, Vec<String>) {
    let step = n_samples.div_ceil(MAX_SAMPLES).max(1);
    let mut indices: HashMap<String, usize> = HashMap::new();
    let mut texts = Vec::new();
    let mut index_of = |text: String| {
        (!text.is_empty()).then(|| {
            *indices.entry(text).or_insert_with_key(|text| {
                texts.push(text.clone());
                texts.len() - 1
            })
        })
    };
    let shown = provenance(contents)
        .step_by(step)
        .map(|sample| ShownSample {
            question: sample.question,
            answer: sample.answer,
            leaf: sample.leaf,
            document: sample.document,
            chunk: sample.chunk,
            verdicts: sample.verdicts,
            text: index_of(sample.text),
        });
    (shown.collect(), texts)
}

fn leaf_lines<'run>(contents: &'run Contents<'_>) -> Vec<LeafLine<'run>> {
    let line = |result: &'run LeafResult| {
        let dropped = contents.drops.0.iter();
        let of_leaf = dropped.filter(|drop| drop.leaf == result.leaf.name);
        LeafLine {
            leaf: &result.leaf.leaf_path,
            n_rows: result.leaf.n_rows(),
            n_samples: result.questions.len(),
            n_dropped: of_leaf.map(|drop| drop.n_samples).sum(),
        }
    };
    contents.leaves.iter().map(line).collect()
}

/// By leaf, block and reason, the largest number first.
fn drop_lines<'run>(contents: &'run Contents<'_>) -> Vec<DropLine<'run>> {
    let leaves = contents.leaves.iter().map(|result| &result.leaf);
    let paths: HashMap<&str, &str> = leaves
        .map(|leaf| (leaf.name.as_str(), leaf.leaf_path.as_str()))
        .collect();
    let mut groups: BTreeMap<(&str, &str, DropReason), Vec<&DroppedSample>> = BTreeMap::new();
    for drop in &contents.drops.0 {
        let name = drop.leaf.as_str();
        let leaf = paths.get(name).copied().unwrap_or(name);
        let key = (leaf, drop.block.as_str(), drop.reason);
        groups.entry(key).or_default().push(drop);
    }
    let line = |((leaf, block, reason), drops): ((_, _, DropReason), Vec<&DroppedSample>)| {
        let examples = drops.iter().take(N_EXAMPLES);
        DropLine {
            leaf,
            block,
            reason: reason.description(),
            n_samples: drops.iter().map(|drop| drop.n_samples).sum(),
            examples: examples
                .map(|drop| drop.text.chars().take(EXAMPLE_LENGTH).collect())
                .collect(),
        }
    };
    let mut lines: Vec<_> = groups.into_iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.n_samples));
    lines
}
