//! Where each sample is from.

use serde::Serialize;
use serde_json::{Map, Value};

use super::files::{Contents, LeafResult};
use crate::question::Generated;
use crate::row;
use crate::samples::chunk_key;

/// A sample with everything that it came from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Provenance<'run> {
    pub(super) question: &'run str,
    pub(super) answer: &'run str,
    /// As the taxonomy names the leaf.
    pub(super) leaf: &'run str,
    /// The document, by its path in its repository or folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) document: Option<String>,
    /// The number of the chunk in the document, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chunk: Option<usize>,
    /// The seed question that was the example.
    pub(super) seed_question: String,
    pub(super) pipeline: &'run str,
    pub(super) model: &'run str,
    /// What judges said, by the column that held it.
    pub(super) verdicts: Map<String, Value>,
    /// The text that the question is about.
    #[serde(skip)]
    pub(super) text: String,
}

/// Of every sample, in the order of the other files.
pub(super) fn provenance<'run>(
    contents: &'run Contents<'_>,
) -> impl Iterator<Item = Provenance<'run>> {
    contents.leaves.iter().flat_map(move |result| {
        let samples = result.questions.iter();
        samples.map(move |generated| of_sample(generated, result, contents))
    })
}

fn of_sample<'run>(
    generated: &'run Generated,
    LeafResult { leaf, .. }: &'run LeafResult,
    contents: &'run Contents<'_>,
) -> Provenance<'run> {
    let column = |name: &str| row::text(&generated.row, name);
    let either = |first: &str, second: &str| match column(first) {
        text if text.is_empty() => column(second).into_owned(),
        text => text.into_owned(),
    };
    // A pipeline may have put a corrected text into the place of the chunk and the chunk elsewhere.
    let texts = generated.row.values().filter_map(Value::as_str);
    let source = texts
        .filter_map(|text| leaf.chunks.get(&chunk_key(text)))
        .next();
    let path = |index: usize| {
        leaf.documents
            .read
            .get(index)
            .map(|document| &document.path)
    };
    let verdicts = generated.verdicts.iter().cloned();
    Provenance {
        question: &generated.question,
        answer: &generated.answer,
        leaf: &leaf.leaf_path,
        document: source.and_then(|source| path(source.document)).cloned(),
        chunk: source.map(|source| source.number),
        seed_question: either("icl_query_1", "seed_question"),
        pipeline: contents.pipeline,
        model: contents.model,
        verdicts: verdicts.map(|(name, said)| (name, said.into())).collect(),
        text: match column("document") {
            text if text.is_empty() => either("context", "seed_context"),
            text => text.into_owned(),
        },
    }
}
