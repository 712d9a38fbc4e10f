//! Taxonomy to training data, with the student as its own teacher.

use std::path::Path;
use std::sync::Arc;

use ilab_base::cancel::Cancel;
use ilab_infer::{Engine, SpecialTokens};
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{DefaultRecipes, GenerateOptions, RunName, Summary, generate, read_documents};
use ilab_taxonomy::{Selection, Taxonomy, TaxonomyLeaf};

use crate::commands::generate::GenerationProgress;
use crate::commands::quickstart::folder::Folder;
use crate::error::{CommandError, Kind};
use crate::ui::Ui;

/// Answers for each chunk and example.
const SCALE_FACTOR: u32 = 10;
/// A small model strays from the text when it writes freely.
const TEMPERATURE: f32 = 0.3;
/// The longest piece of a document that is read at once: a small model reads a paragraph better than a page.
const CHUNK_TOKENS: usize = 96;
/// The longest question with its answer.
const MAX_TOKENS: u32 = 96;
/// Requests that wait for the engine at a time: enough to keep every sequence busy.
const MAX_IN_FLIGHT: usize = 32;
/// The same run gives the same data.
const SEED: u64 = 1;

/// Reads and checks the leaves in `path`; where there are errors, all findings are drawn.
pub(super) fn read_taxonomy(path: &Path, ui: Ui) -> Result<Taxonomy, CommandError> {
    let taxonomy = ilab_taxonomy::read(&Selection::new(path, "empty"))?;
    let shown = taxonomy.path.display();
    let (message, hint) = match taxonomy.n_errors() {
        0 if taxonomy.leaves().next().is_some() => return Ok(taxonomy),
        0 => (
            format!("the taxonomy in `{shown}` has no leaves"),
            "a leaf is a `qna.yaml` below `knowledge/` or `compositional_skills/`; \
             `ilab taxonomy diff` says why a file is left out",
        ),
        n => {
            for file in &taxonomy.files {
                ui.findings(&file.path, &file.text, &file.diagnostics);
            }
            let errors = if n == 1 { "error" } else { "errors" };
            (
                format!("the taxonomy in `{shown}` has {n} {errors}"),
                "each place above says what to change; nothing was done",
            )
        }
    };
    Err(CommandError::message(Kind::User, message, hint))
}

/// Generates a dataset below `datasets/`.
pub(super) async fn run(
    leaves: Vec<TaxonomyLeaf>,
    folder: &Folder,
    teacher: &Engine,
    ui: Ui,
    cancel: &Cancel,
) -> Result<Summary, CommandError> {
    let watch = GenerationProgress::new(ui);
    let repositories = folder.join("datasets/repositories");
    let leaves = read_documents(leaves, &repositories, &watch, cancel)?;
    let counter = teacher.clone();
    let options = GenerateOptions {
        leaves,
        pipeline: PipelineSource::Embedded("simple".to_owned()),
        recipes: DefaultRecipes::default(),
        output_dir: folder.join("datasets"),
        started: RunName {
            directory: "quickstart".to_owned(),
            suffix: "quickstart".to_owned(),
        },
        scale_factor: SCALE_FACTOR,
        temperature: Some(TEMPERATURE),
        max_tokens: Some(MAX_TOKENS),
        chunk_tokens: CHUNK_TOKENS,
        chunk_overlap_tokens: 0,
        count_tokens: Arc::new(move |text| counter.tokenize(text, SpecialTokens::Omit).len()),
        max_in_flight: MAX_IN_FLIGHT,
        keeps_going: true,
        max_similarity: None,
        seed: SEED,
        system_prompt: String::new(),
        teacher_identity: None,
    };
    let summary = generate(&options, Arc::new(teacher.clone()), &watch, cancel).await;
    watch.finish();
    Ok(summary?)
}
