//! Prompt files: what a block asks, as five pieces of text with variables.
//!
//! ```
//! let template = ilab_sdg::prompt::PromptTemplate::embedded("simple/skills/simple_generate_qa_freeform.yaml")?;
//! let row = serde_json::json!({
//!     "task_description": "name an opposite",
//!     "seed_question": "What is the opposite of hot?",
//!     "seed_response": "Cold.",
//! });
//! let prompt = template.render(row.as_object().expect("an object"))?;
//! assert!(prompt.ends_with("with its answer:"));
//! # Ok::<(), ilab_sdg::prompt::PromptError>(())
//! ```

use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_base::yaml::{Node, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::Map;
use sha2::{Digest, Sha256};

use crate::embedded;
use crate::yaml::{Source, YamlError};

/// The pieces of text, in the order in which they are joined.
const PARTS: [&str; 5] = [
    "system",
    "introduction",
    "principles",
    "examples",
    "generation",
];

/// The one template of each environment. No extension: nothing is escaped.
const TEMPLATE: &str = "prompt";

/// A prompt file cannot be used, or a row does not fit it.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// There is no embedded file of this name.
    #[error("no prompt file `{name}` is built in")]
    NotEmbedded {
        /// The name asked for.
        name: String,
    },
    /// The file is not what a prompt file must be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A row lacks a variable, or an expression cannot be evaluated.
    #[error("the prompt of {} cannot be filled in", path.display())]
    Render {
        /// The file.
        path: PathBuf,
        /// What is missing.
        #[source]
        source: Box<minijinja::Error>,
    },
}

impl Hint for PromptError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Yaml(error) => error.hints(),
            Self::NotEmbedded { .. } => {
                vec![format!(
                    "built-in pipelines: {}",
                    embedded::NAMES.join(", ")
                )]
            }
            Self::Render { .. } => {
                vec!["use only names of columns that the blocks before it produce".to_owned()]
            }
        }
    }
}

/// A prompt ready to be filled in.
#[derive(Debug)]
pub struct PromptTemplate {
    path: PathBuf,
    environment: Environment<'static>,
    tags: Vec<Tags>,
    fingerprint: [u8; 32],
}

/// The texts around one value in an answer; both empty means the whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags {
    /// What stands before the value.
    pub start: String,
    /// What stands after it.
    pub end: String,
}

impl PromptTemplate {
    /// A built-in prompt file, such as `simple/knowledge/simple_generate_qa.yaml`.
    ///
    /// # Errors
    /// [`PromptError::NotEmbedded`] when there is none of that name.
    pub fn embedded(name: &str) -> Result<Self, PromptError> {
        let text = embedded::file(name).ok_or_else(|| PromptError::NotEmbedded {
            name: name.to_owned(),
        })?;
        Self::parse(Path::new(name), text)
    }

    /// Parses `text`, the content of `path`.
    ///
    /// # Errors
    /// A file with other keys than a prompt file has, tags that do not pair, or text that is no template.
    pub fn parse(path: &Path, text: &str) -> Result<Self, PromptError> {
        let source = Source::new(path, text);
        let file = source.parse()?;
        source.keys(
            &file,
            "a prompt file",
            &[&PARTS[..], &["start_tags", "end_tags"]].concat(),
        )?;
        let parts = PARTS
            .iter()
            .map(|part| match source.required(&file, part)? {
                node if node.value == Value::Null => Ok((node, "")),
                node => Ok((node, source.text(node, part)?)),
            })
            .collect::<Result<Vec<_>, YamlError>>()?;
        let assembled = parts
            .iter()
            .map(|(_, text)| *text)
            .collect::<Vec<_>>()
            .join("\n");
        let tags = tags(&source, &file)?;
        Ok(Self {
            path: path.to_owned(),
            fingerprint: fingerprint(&assembled, &tags),
            environment: environment(assembled)
                .map_err(|error| template_error(&source, &parts, &error))?,
            tags,
        })
    }

    /// Fills in the variables from the columns of `row`. Text in a column is not a template itself.
    ///
    /// # Errors
    /// [`PromptError::Render`] when the row lacks a variable.
    pub fn render(&self, row: &Map<String, serde_json::Value>) -> Result<String, PromptError> {
        self.environment
            .get_template(TEMPLATE)
            .and_then(|template| {
                template.render(minijinja::Value::from(minijinja::value::Serde(row)))
            })
            .map(|text| text.trim().to_owned())
            .map_err(|source| PromptError::Render {
                path: self.path.clone(),
                source: Box::new(source),
            })
    }

    /// The names that a row must have, sorted: without those that the template sets itself, the functions of the language, and
    /// names that it asks about (`is defined`) or has a default for.
    pub fn variables(&self) -> Vec<String> {
        let Ok(template) = self.environment.get_template(TEMPLATE) else {
            return Vec::new();
        };
        let names = template.undeclared_variables(false).into_iter();
        let is_function =
            |name: &String| self.environment.globals().any(|(known, _)| known == name);
        let mut names: Vec<String> = names
            .filter(|name| !is_function(name) && !is_optional(template.source(), name))
            .collect();
        names.sort();
        names
    }

    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tags, one pair an output column; empty when the file has none.
    pub fn tags(&self) -> &[Tags] {
        &self.tags
    }

    /// Changes with the text or the tags, never with the place of the file.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }
}

/// Whether the template asks anywhere if there is such a name, or says what stands for it.
fn is_optional(template: &str, name: &str) -> bool {
    template.match_indices(name).any(|(place, _)| {
        // The end of a longer name is another name.
        if template[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return false;
        }
        let words = template[place + name.len()..].replace('|', " | ");
        let words: Vec<&str> = words.split_whitespace().take(3).collect();
        match words[..] {
            ["is", "defined" | "undefined", ..] | ["is", "not", "defined" | "undefined"] => true,
            ["|", filter, ..] => filter.starts_with("default"),
            _ => false,
        }
    })
}

fn tags(source: &Source<'_>, file: &Node) -> Result<Vec<Tags>, YamlError> {
    let starts = source.texts(file, "start_tags")?;
    let ends = source.texts(file, "end_tags")?;
    if starts.len() != ends.len() {
        let place = file
            .get("end_tags")
            .or(file.get("start_tags"))
            .unwrap_or(file);
        let message = format!("{} start tags but {} end tags", starts.len(), ends.len());
        return Err(source.error(place.span, message));
    }
    Ok(starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| Tags { start, end })
        .collect())
}

fn environment(assembled: String) -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Prompt files of the original call methods of Python's texts and lists.
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_template_owned(TEMPLATE, assembled)?;
    Ok(environment)
}

/// The engine counts lines of the assembled prompt; the reader wants the piece of the file.
fn template_error(
    source: &Source<'_>,
    parts: &[(&Node, &str)],
    error: &minijinja::Error,
) -> YamlError {
    let mut line = error.line().unwrap_or(1);
    let mut part_idx = 0;
    for (index, (_, text)) in parts.iter().enumerate() {
        part_idx = index;
        let n_lines = text.matches('\n').count() + 1;
        if line <= n_lines {
            break;
        }
        line -= n_lines;
    }
    let what = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    let message = format!(
        "line {line} of `{}` is not a template: {what}",
        PARTS[part_idx]
    );
    source.error(parts[part_idx].0.span, message)
}

fn fingerprint(assembled: &str, tags: &[Tags]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(assembled.as_bytes());
    for Tags { start, end } in tags {
        hash.update([0]);
        hash.update(start.as_bytes());
        hash.update([0]);
        hash.update(end.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: serde_json::Value) -> Map<String, serde_json::Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn the_knowledge_prompt_is_filled_in() {
        let template =
            PromptTemplate::embedded("simple/knowledge/simple_generate_qa.yaml").unwrap();
        let row = row(json!({
            "domain": "animals", "document_outline": "The brill", "document": "# Brill\nA brill has {{ six }} legs.",
            "icl_query_1": "Q1?", "icl_response_1": "A1.", "icl_query_2": "Q2?", "icl_response_2": "A2.",
            "icl_query_3": "Q3?", "icl_response_3": "A3.",
        }));
        insta::assert_snapshot!(template.render(&row).unwrap(), @"
        Read a document about animals and write one question about it, with its answer.
        Ask for one fact that the document states. Name the thing that the question is about.
        Answer briefly, with words of the document. The question comes first and ends with a question mark.

        Questions and answers in this style:
        Q1? A1.
        Q2? A2.
        Q3? A3.

        Document: The brill
        # Brill
        A brill has {{ six }} legs.

        One question about this document, with its answer:
        ");
        insta::assert_debug_snapshot!(template.variables(), @r#"
        [
            "document",
            "document_outline",
            "domain",
            "icl_query_1",
            "icl_query_2",
            "icl_query_3",
            "icl_response_1",
            "icl_response_2",
            "icl_response_3",
        ]
        "#);
    }

    #[test]
    fn every_embedded_prompt_parses() {
        for name in ["simple_generate_qa_freeform", "simple_generate_qa_grounded"] {
            let template = PromptTemplate::embedded(&format!("simple/skills/{name}.yaml")).unwrap();
            assert_eq!(template.tags().len(), 1);
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        let template = PromptTemplate::parse(
            Path::new("p.yaml"),
            "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: 'Ask about {{ topic }}.'\n",
        )
        .unwrap();
        assert_eq!(template.variables(), ["topic"]);
        let error = template.render(&Map::new()).unwrap_err();
        assert!(matches!(error, PromptError::Render { .. }), "{error:?}");
    }

    #[test]
    fn only_names_that_must_be_there_are_variables() {
        let template = |text: &str| {
            let keys = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\n";
            let text = format!("{keys}generation: \"{text}\"\n");
            PromptTemplate::parse(Path::new("p.yaml"), &text).unwrap()
        };
        for (text, expected) in [
            ("{% for i in range(2) %}{{ i }} {{ a }}{% endfor %}", "a"),
            ("{% if b is defined %}{{ b }}{% endif %}{{ a }}", "a"),
            ("{% if b is not defined %}none{% endif %}{{ a }}", "a"),
            ("{{ b|default('none') }} {{ b | default(a) }}", "a"),
            ("{% set b = a %}{{ b }}", "a"),
            (
                "{{ a }}{% set ba = 1 %}{% if ba is defined %}{% endif %}",
                "a",
            ),
        ] {
            assert_eq!(template(text).variables(), [expected], "{text}");
        }
    }

    #[test]
    fn a_bad_file_is_refused_at_its_line() {
        let check = |text: &str| {
            PromptTemplate::parse(Path::new("p.yaml"), text)
                .unwrap_err()
                .to_string()
        };
        let keys = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\n";
        insta::assert_snapshot!(check(keys), @"p.yaml:1:1: the key `generation` is missing");
        insta::assert_snapshot!(check(&format!("{keys}generation: hello\nnotes: none\n")), @"p.yaml:6:1: a prompt file has no key `notes`");
        insta::assert_snapshot!(check(&format!("{keys}generation: [1]\n")), @"p.yaml:5:13: `generation` must be text, not a list");
        insta::assert_snapshot!(check(&format!("{keys}generation: '{{{{ open'\n")), @"p.yaml:5:13: line 1 of `generation` is not a template: unexpected end of input, expected end of variable block");
        insta::assert_snapshot!(check(&format!("{keys}generation: x\nstart_tags: ['[A]']\n")), @"p.yaml:6:13: 1 start tags but 0 end tags");
        insta::assert_snapshot!(check(&format!("{keys}generation: |\n  one\n  {{{{ two\n")), @"p.yaml:6:3: line 2 of `generation` is not a template: unexpected end of input, expected end of variable block");
        insta::assert_snapshot!(check("\tnot: yaml"), @"p.yaml:1:2: a prompt file has no key `not`");
    }
}
