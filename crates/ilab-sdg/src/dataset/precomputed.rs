//! Datasets that others have generated, mixed into one's own by a recipe: so that a model which learns something new does not
//! forget what it could do.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_base::io::{IoError, WithPath as _};
use ilab_base::yaml::{Node, Value as Yaml};
use serde_json::{Map, Value};

use super::json_lines::spaced;
use super::mixing::SamplingSize;
use super::record::{Message, Sample};
use crate::yaml::{Source, YamlError};

/// A recipe, or a dataset that it names, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The recipe is not what a recipe must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// A dataset that the recipe names is not there.
    #[error("{}:{line}: there is no dataset `{}`", recipe.display(), dataset.display())]
    Missing {
        /// The recipe.
        recipe: PathBuf,
        /// The line in it, from 1.
        line: usize,
        /// What it names.
        dataset: PathBuf,
    },
    /// A line of a dataset is no sample.
    #[error("{}:{line}: {reason}", path.display())]
    Record {
        /// The dataset.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Hint for RecipeError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Yaml(error) => error.hints(),
            Self::Io(error) => error.hints(),
            Self::Missing { .. } => vec![
                "paths count from the folder of the recipe; put the file there, or take the entry out".to_owned(),
            ],
            Self::Record { .. } => vec![
                "each line is a JSON object with `messages`: a list of objects with `role` and `content`"
                    .to_owned(),
            ],
        }
    }
}

/// A dataset of a recipe, read and found good.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Precomputed {
    /// Absolute, so that the recipe of a run can name it.
    pub(crate) path: PathBuf,
    pub(super) size: SamplingSize,
    /// Samples in the file that can be learned from.
    pub(crate) n_samples: usize,
    /// Records with an empty turn, from which nothing can be learned.
    pub(crate) n_empty: usize,
}

/// Reads a recipe and every dataset that it names.
pub(crate) fn read_recipe(path: &Path) -> Result<Vec<Precomputed>, RecipeError> {
    let text = ilab_base::io::read_to_string(path)?;
    let source = Source::new(path, &text);
    let root = source.parse()?;
    source.keys(&root, "a recipe", &["datasets", "metadata"])?;
    let datasets = source.required(&root, "datasets")?;
    if !matches!(datasets.value, Yaml::Sequence(_) | Yaml::Null) {
        let message = format!("`datasets` must be a list, not {}", datasets.kind());
        return Err(source.error(datasets.span, message).into());
    }
    let folder = std::path::absolute(path).with_path("find", path)?;
    let folder = folder.parent().unwrap_or(path);
    let entries = datasets.items().iter();
    entries
        .map(|entry| dataset(source, entry, folder))
        .collect()
}

fn dataset(source: Source<'_>, entry: &Node, folder: &Path) -> Result<Precomputed, RecipeError> {
    source.keys(entry, "a dataset", &["path", "sampling_size"])?;
    let node = source.required(entry, "path")?;
    let path = folder.join(source.text(node, "path")?);
    if !path.is_file() {
        return Err(RecipeError::Missing {
            recipe: source.path.to_owned(),
            line: source.error(node.span, "").diagnostic.line,
            dataset: path,
        });
    }
    let size = match source.optional(entry, "sampling_size") {
        Some(node) => sampling_size(source, node)?,
        None => SamplingSize::All,
    };
    let (mut n_samples, mut n_empty) = (0, 0);
    for record in records(&path)? {
        let (line, text) = record?;
        let found = sample(&text).map_err(|reason| RecipeError::Record {
            path: path.clone(),
            line,
            reason,
        })?;
        n_samples += usize::from(found.is_some());
        n_empty += usize::from(found.is_none());
    }
    Ok(Precomputed {
        path,
        size,
        n_samples,
        n_empty,
    })
}

/// A whole number is a count and any other a share; 1 is all, as in the original.
fn sampling_size(source: Source<'_>, node: &Node) -> Result<SamplingSize, YamlError> {
    match node.value {
        Yaml::Integer(1) => Ok(SamplingSize::All),
        Yaml::Integer(_) => Ok(SamplingSize::Count(
            source.count(node, "sampling_size", 0)? as usize
        )),
        _ => match source.number(node, "sampling_size")? {
            1.0 => Ok(SamplingSize::All),
            share if share.is_finite() && share >= 0.0 => Ok(SamplingSize::Share(share)),
            _ => Err(source.error(node.span, "`sampling_size` must not be below zero")),
        },
    }
}

impl Precomputed {
    /// How many samples a mix takes.
    pub(super) fn n_taken(&self) -> usize {
        self.size.of(self.n_samples)
    }

    /// The samples at these positions, which ascend; a file that has changed since it was read is an error.
    pub(super) fn at<'p>(
        &'p self,
        positions: &'p [usize],
    ) -> Result<impl Iterator<Item = io::Result<Sample>> + 'p, IoError> {
        let samples = records(&self.path)?.filter_map(|record| {
            let found = record.map(|(_, text)| sample(&text));
            match found {
                Ok(Ok(sample)) => sample.map(Ok),
                Ok(Err(reason)) => Some(Err(io::Error::new(io::ErrorKind::InvalidData, reason))),
                Err(error) => Some(Err(io::Error::other(error.to_string()))),
            }
        });
        let mut samples = samples.enumerate();
        let mut wanted = positions.iter();
        Ok(std::iter::from_fn(move || {
            let position = *wanted.next()?;
            let found = samples.find(|(at, sample)| *at == position || sample.is_err());
            let found = found.map(|(_, sample)| sample);
            Some(found.unwrap_or_else(|| {
                let message = "it has fewer samples than when the run began";
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
            }))
        }))
    }
}

/// The lines of a file that are not blank, with their numbers.
fn records(path: &Path) -> Result<impl Iterator<Item = Result<(usize, String), IoError>>, IoError> {
    let file = File::open(path).with_path("read", path)?;
    let path = path.to_owned();
    let lines = (1..).zip(BufReader::new(file).lines());
    let lines = lines.map(move |(number, line)| Ok((number, line.with_path("read", &path)?)));
    Ok(lines.filter(|line| !matches!(line, Ok((_, text)) if text.trim().is_empty())))
}

/// The sample of a line; `None` where a turn is empty, so that there is nothing to learn from it.
///
/// Columns that samples do not have go into the metadata, as in the original.
fn sample(line: &str) -> Result<Option<Sample>, String> {
    let mut record: Map<String, Value> = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let Some(Value::Array(turns)) = record.remove("messages") else {
        return Err("the record has no list `messages`".to_owned());
    };
    let mut messages = Vec::with_capacity(turns.len());
    for turn in &turns {
        let Some(role) = turn.get("role").and_then(Value::as_str) else {
            return Err("a message has no `role`".to_owned());
        };
        let content = match turn.get("content") {
            None | Some(Value::Null) => "",
            Some(Value::String(content)) => content,
            Some(_) => return Err(format!("the content of a message of `{role}` is no text")),
        };
        messages.push(Message::new(role, content));
    }
    let is_empty = |message: &Message| !message.is_system() && message.content.is_empty();
    if messages.is_empty() || messages.iter().any(is_empty) {
        return Ok(None);
    }
    let unmask = matches!(record.remove("unmask"), Some(Value::Bool(true)));
    let id = record.remove("id");
    let metadata = metadata(record);
    let made = Sample::new("precomputed", messages, metadata, unmask);
    Ok(Some(match id {
        Some(Value::String(id)) => Sample { id, ..made },
        _ => made,
    }))
}

fn metadata(mut record: Map<String, Value>) -> String {
    let mut metadata = match record.remove("metadata") {
        Some(Value::Object(entries)) => entries,
        Some(Value::String(text)) => match serde_json::from_str(&text) {
            Ok(Value::Object(entries)) => entries,
            _ => Map::from_iter([("metadata".to_owned(), Value::String(text))]),
        },
        _ => Map::new(),
    };
    metadata.extend(record);
    spaced(&metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_any_age_becomes_a_sample() {
        let check = |line: &str| {
            let sample = sample(line).unwrap()?;
            Some(serde_json::to_string(&sample).unwrap())
        };
        let newest = r#"{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}], "metadata": "{\"a\": 1}", "id": "x", "unmask": true}"#;
        insta::assert_snapshot!(check(newest).unwrap(), @r#"
        {"messages":[{"content":"Q","role":"user"},{"content":"A","role":"assistant"}],"metadata":"{\"a\": 1}","id":"x","unmask":true}
        "#);
        let older = r#"{"messages": [{"role": "pretraining", "content": "Q A"}], "group": "g", "metadata": {"b": [2]}, "id": "y"}"#;
        insta::assert_snapshot!(check(older).unwrap(), @r#"
        {"messages":[{"content":"Q A","role":"pretraining"}],"metadata":"{\"b\": [2], \"group\": \"g\"}","id":"y","unmask":false}
        "#);
        let odd =
            r#"{"messages": [{"role": "user", "content": "Q"}], "metadata": "words", "id": null}"#;
        assert!(check(odd).unwrap().contains(r#"{\"metadata\": \"words\"}"#));
        for empty in [
            r#"{"messages": []}"#,
            r#"{"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": null}]}"#,
            r#"{"messages": [{"role": "user", "content": ""}]}"#,
        ] {
            assert_eq!(check(empty), None, "{empty}");
        }
    }

    #[test]
    fn what_is_no_recipe_is_refused_at_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("skills.yaml");
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "good.jsonl",
            "{\"messages\": [{\"role\": \"user\", \"content\": \"Q\"}]}\n\n",
        );
        write("bad.jsonl", "\n{\"messages\": 3}\n");
        write("cut.jsonl", "{\"messages\": [{\"role\": \"us");
        let shown = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let error = read_recipe(&path).unwrap_err();
            assert!(!error.hints().is_empty(), "{error}");
            error
                .to_string()
                .replace(&folder.path().display().to_string(), "[FOLDER]")
        };
        let errors = [
            "datasets:\n- path: none.jsonl\n",
            "datasets:\n- path: good.jsonl\n- path: bad.jsonl\n",
            "datasets:\n- path: cut.jsonl\n",
        ]
        .map(shown);
        insta::assert_snapshot!(errors.join("\n"), @r"
        [FOLDER]/skills.yaml:2: there is no dataset `[FOLDER]/none.jsonl`
        [FOLDER]/bad.jsonl:2: the record has no list `messages`
        [FOLDER]/cut.jsonl:1: EOF while parsing a string at line 1 column 26
        ");
        for bad in [
            "datasets: 3\n",
            "datasets:\n- path: good.jsonl\n  sampling_size: -2\n",
            "datasets:\n- path: good.jsonl\n  sampling_size: -0.5\n",
            "datasets:\n- path: good.jsonl\n  size: 2\n",
            "sets: []\n",
            ": [",
        ] {
            std::fs::write(&path, bad).unwrap();
            let error = read_recipe(&path).unwrap_err();
            assert!(matches!(error, RecipeError::Yaml(_)), "{bad}: {error}");
        }
        std::fs::write(
            &path,
            "datasets:\n- path: good.jsonl\n  sampling_size: 0.5\n",
        )
        .unwrap();
        let found = read_recipe(&path).unwrap();
        assert_eq!(
            (found[0].n_samples, found[0].size),
            (1, SamplingSize::Share(0.5))
        );
        assert!(found[0].path.is_absolute());
    }
}
