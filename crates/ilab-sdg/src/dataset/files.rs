//! All files of a run.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ilab_base::atomic;
use ilab_base::io::{IoError, WithPath as _};
use ilab_documents::source::Document;
use serde::Serialize;
use serde_json::Value;

use super::json_lines::{self, Style, spaced};
use super::knowledge::LeafQuestions;
use super::mixing::{Recipe, SamplingSize};
use super::mmlu_bench::{self, ExamQuestion};
use super::precomputed::Precomputed;
use super::provenance::provenance;
use super::record::{Conversation, Message, Sample, Turn, object};
use super::report;
use crate::drops::Drops;
use crate::pipeline::AuxiliaryInstructions;
use crate::question::Generated;
use crate::row::{self, Row};
use crate::samples::Leaf;

/// So many samples of each skill go into a mix: skills must not outweigh each other.
const SKILL_SAMPLING_SIZE: usize = 30;

/// A leaf with what was generated for it.
#[derive(Debug)]
pub(crate) struct LeafResult {
    pub(crate) leaf: Leaf,
    pub(crate) questions: Vec<Generated>,
    /// To examine a model with; no training data.
    pub(crate) exam: Vec<ExamQuestion>,
}

/// The share of a mix that knowledge has at least beside precomputed skills: a leaf that drowned in them would not be learned.
const MIN_KNOWLEDGE_SHARE: f64 = 0.03;

/// What others have generated, of both recipes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PrecomputedData {
    pub(crate) knowledge: Vec<Precomputed>,
    pub(crate) skills: Vec<Precomputed>,
}

/// Everything that goes into the files.
#[derive(Debug)]
pub(crate) struct Contents<'run> {
    pub(crate) leaves: &'run [LeafResult],
    pub(crate) drops: &'run Drops,
    pub(crate) system_prompt: &'run str,
    /// Of the pipeline for knowledge.
    pub(crate) auxiliary: &'run AuxiliaryInstructions,
    pub(crate) seed: u64,
    pub(crate) precomputed: &'run PrecomputedData,
    /// The time of the run, part of every name.
    pub(crate) suffix: &'run str,
    /// The teacher.
    pub(crate) model: &'run str,
    /// The pipeline's name.
    pub(crate) pipeline: &'run str,
}

/// The files of a run; absent where there was nothing to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunFiles {
    /// The folder of the run.
    pub directory: PathBuf,
    /// Seed questions, for testing a trained model.
    pub test: PathBuf,
    /// Generated questions and answers, one turn a line.
    pub train: PathBuf,
    /// Generated questions and answers as messages.
    pub messages: PathBuf,
    /// Training samples of the first phase: documents with questions.
    pub knowledge_train_messages: Option<PathBuf>,
    /// Training samples of the second phase: skills, and knowledge once more.
    pub skills_train_messages: Option<PathBuf>,
    /// What was left out, and why.
    pub drops: PathBuf,
    /// Where each sample is from.
    pub provenance: PathBuf,
    /// A page with all of this to look through.
    pub report: PathBuf,
}

/// Writes everything below `folder` and returns the files as they are called once `folder` has become `destination`.
pub(crate) fn write(
    folder: &Path,
    destination: &Path,
    contents: &Contents<'_>,
) -> Result<RunFiles, IoError> {
    let suffix = contents.suffix;
    let name = |stem: &str, extension: &str| format!("{stem}_{suffix}.{extension}");
    write_inputs(
        &folder.join(format!("preprocessed_{suffix}")),
        contents.leaves,
    )?;
    write_generated(&folder.join(format!("generated_{suffix}")), contents.leaves)?;
    write_flat(folder, contents)?;
    let (knowledge, skills) = write_nodes(folder, contents)?;
    let nodes = format!("node_datasets_{suffix}");
    for result in contents
        .leaves
        .iter()
        .filter(|result| !result.exam.is_empty())
    {
        let destination = std::path::absolute(destination).with_path("find", destination)?;
        let (folder, destination) = (folder.join(&nodes), destination.join(&nodes));
        mmlu_bench::write(&folder, &destination, &result.leaf, &result.exam)?;
    }
    knowledge.write(
        &folder.join(name("knowledge_recipe", "yaml")),
        contents.system_prompt,
    )?;
    skills.write(
        &folder.join(name("skills_recipe", "yaml")),
        contents.system_prompt,
    )?;
    let mix = |recipe: Recipe, stem: &str| -> Result<Option<PathBuf>, IoError> {
        let file = name(stem, "jsonl");
        let is_written = recipe.mix(&folder.join(&file), contents.system_prompt, contents.seed)?;
        Ok(is_written.then(|| destination.join(file)))
    };
    let drops = format!(
        "{}\n",
        serde_json::to_string_pretty(contents.drops).expect("drops are plain data")
    );
    atomic::write(folder.join(name("drops", "json")), drops.as_bytes())?;
    json_lines::write(
        &folder.join(name("provenance", "jsonl")),
        Style::Compact,
        provenance(contents),
    )?;
    atomic::write(
        folder.join(name("report", "html")),
        report::page(contents).as_bytes(),
    )?;
    Ok(RunFiles {
        directory: destination.to_owned(),
        test: destination.join(name("test", "jsonl")),
        train: destination.join(name("train", "jsonl")),
        messages: destination.join(name("messages", "jsonl")),
        knowledge_train_messages: mix(knowledge, "knowledge_train_msgs")?,
        skills_train_messages: mix(skills, "skills_train_msgs")?,
        drops: destination.join(name("drops", "json")),
        provenance: destination.join(name("provenance", "jsonl")),
        report: destination.join(name("report", "html")),
    })
}

fn write_inputs(folder: &Path, leaves: &[LeafResult]) -> Result<(), IoError> {
    for LeafResult { leaf, .. } in leaves {
        let rows = leaf.rows.iter().flat_map(|(_, rows)| rows);
        json_lines::write(
            &folder.join(format!("{}.jsonl", leaf.name)),
            Style::Spaced,
            rows,
        )?;
        for document in &leaf.documents.read {
            let name = match document.format.is_text() {
                true => document.path.clone(),
                false => converted_name(&document.path, &leaf.documents.read),
            };
            let path = folder.join("documents").join(&leaf.name).join(name);
            atomic::write(path, document.text.as_bytes())?;
        }
    }
    Ok(())
}

/// What the Markdown of a document is called: no other document of the leaf has that name.
fn converted_name(path: &str, documents: &[Document]) -> String {
    let name = format!("{path}.md");
    match documents.iter().any(|document| document.path == name) {
        true => converted_name(&format!("{path}.converted"), documents),
        false => name,
    }
}

fn write_generated(folder: &Path, leaves: &[LeafResult]) -> Result<(), IoError> {
    for LeafResult {
        leaf, questions, ..
    } in leaves
    {
        if !questions.is_empty() {
            let rows = questions.iter().map(|generated| &generated.row);
            json_lines::write(
                &folder.join(format!("{}.jsonl", leaf.name)),
                Style::Spaced,
                rows,
            )?;
        }
    }
    Ok(())
}

/// The files without folders: `test_`, `train_` and `messages_`.
fn write_flat(folder: &Path, contents: &Contents<'_>) -> Result<(), IoError> {
    let path = |stem: &str| folder.join(format!("{stem}_{}.jsonl", contents.suffix));
    let system = contents.system_prompt;
    let mut seen = HashSet::new();
    let seeds = contents
        .leaves
        .iter()
        .flat_map(|result| &result.leaf.seeds)
        .filter_map(|seed| {
            let turn = turn(
                system,
                &with_context(&seed.question, seed.context.as_deref()),
                &seed.answer,
            );
            seen.insert((turn.user.clone(), turn.assistant.clone()))
                .then_some(turn)
        });
    json_lines::write(&path("test"), Style::Spaced, seeds)?;
    let generated = || {
        contents
            .leaves
            .iter()
            .flat_map(|result| &result.questions)
            .map(|generated| (asked(generated), &generated.answer))
    };
    json_lines::write(
        &path("train"),
        Style::Spaced,
        generated().map(|(user, answer)| turn(system, &user, answer)),
    )?;
    let metadata = spaced(&object([("system", system)]));
    let conversations = generated().map(|(user, answer)| Conversation {
        messages: [Message::user(user), Message::assistant(answer)],
        metadata: metadata.clone(),
    });
    json_lines::write(&path("messages"), Style::Spaced, conversations)
}

fn turn(system: &str, user: &str, assistant: &str) -> Turn {
    Turn {
        system: system.to_owned(),
        user: user.to_owned(),
        assistant: assistant.to_owned(),
    }
}

fn with_context(question: &str, context: Option<&str>) -> String {
    // Differs from upstream: a pipeline may have put the text into the question already.
    match context.filter(|context| !context.is_empty() && !question.contains(context)) {
        Some(context) => format!("{question}\n{context}"),
        None => question.to_owned(),
    }
}

/// The question as a user asks it: with the text that it is about, when it is about one.
fn asked(generated: &Generated) -> String {
    let context = ["context", "seed_context"]
        .iter()
        .find(|column| generated.row.contains_key(**column));
    with_context(
        &generated.question,
        context
            .map(|column| row::text(&generated.row, column))
            .as_deref(),
    )
}

/// The training files of each leaf, and the recipes over them: of the first and of the second phase.
fn write_nodes(folder: &Path, contents: &Contents<'_>) -> Result<(Recipe, Recipe), IoError> {
    let nodes = format!("node_datasets_{}", contents.suffix);
    let (mut first, mut second) = (Recipe::default(), Recipe::default());
    let precomputed = contents.precomputed;
    precomputed
        .knowledge
        .iter()
        .for_each(|data| first.add_precomputed(data));
    precomputed
        .skills
        .iter()
        .for_each(|data| second.add_precomputed(data));
    let n_skills: usize = precomputed.skills.iter().map(Precomputed::n_taken).sum();
    let n_least = (MIN_KNOWLEDGE_SHARE * n_skills as f64) as usize;
    for LeafResult {
        leaf, questions, ..
    } in contents
        .leaves
        .iter()
        .filter(|result| !result.questions.is_empty())
    {
        let name = &leaf.name;
        if leaf.is_knowledge {
            let of_leaf = LeafQuestions {
                questions,
                leaf: name,
                auxiliary: contents.auxiliary,
                seed: contents.seed,
            };
            let phase_07 = of_leaf.phase_07();
            let path = format!("{nodes}/{name}_p07.jsonl");
            json_lines::write(&folder.join(&path), Style::Compact, &phase_07)?;
            first.add(path, SamplingSize::All, phase_07);
            let phase_10 = of_leaf.phase_10();
            let path = format!("{nodes}/{name}_p10.jsonl");
            json_lines::write(&folder.join(&path), Style::Compact, &phase_10)?;
            let size = match phase_10.len() < n_least {
                true => SamplingSize::Count(n_least),
                false => SamplingSize::All,
            };
            second.add(path, size, phase_10);
        } else {
            let samples: Vec<Sample> = questions.iter().map(skill_sample).collect();
            let path = format!("{nodes}/{name}.jsonl");
            let records = questions
                .iter()
                .zip(&samples)
                .map(|(generated, sample)| skill_record(generated, sample, contents.system_prompt));
            json_lines::write(&folder.join(&path), Style::Compact, records)?;
            second.add(path, SamplingSize::Count(SKILL_SAMPLING_SIZE), samples);
        }
    }
    Ok((first, second))
}

fn skill_sample(generated: &Generated) -> Sample {
    let messages = vec![
        Message::user(asked(generated)),
        Message::assistant(&generated.answer),
    ];
    Sample::new("skill", messages, spaced(&generated.row), false)
}

/// A record of a skill's own file: the columns of the pipeline beside those of a sample.
fn skill_record(generated: &Generated, sample: &Sample, system_prompt: &str) -> Row {
    let mut record = generated.row.clone();
    let messages = sample.clone().with_system(system_prompt).messages;
    record.insert("id".to_owned(), Value::from(sample.id.as_str()));
    record.insert(
        "messages".to_owned(),
        serde_json::to_value(messages).expect("messages are plain data"),
    );
    record.insert("unmask".to_owned(), Value::from(false));
    record
}

#[cfg(test)]
mod tests {
    use ilab_base::document_files::Format;

    use super::*;

    #[test]
    fn the_markdown_of_a_document_has_a_name_of_its_own() {
        let documents = ["a.pdf", "a.pdf.md", "b.docx"].map(|path| Document {
            path: path.to_owned(),
            format: Format::Text,
            text: String::new(),
        });
        assert_eq!(converted_name("a.pdf", &documents), "a.pdf.converted.md");
        assert_eq!(converted_name("b.docx", &documents), "b.docx.md");
    }
}
