//! One qna.yaml: from its text to findings and, where it holds, a typed leaf.

use std::path::{Path, PathBuf};

use ilab_base::diagnostic::Diagnostic;
use ilab_base::yaml::{self, Document, Node, Value};
use serde::Deserialize;

use crate::FOLDERS;
use crate::documents;
use crate::layout;
use crate::leaf::{
    DocumentSource, Knowledge, KnowledgeExample, LeafKind, Skill, SkillExample, TaxonomyLeaf,
};
use crate::locate::{Step, locate};
use crate::rules::LayoutRules;
use crate::schema::{self, Schema};

/// The oldest knowledge format that is still read.
const MIN_KNOWLEDGE_VERSION: i64 = 3;
/// The newest format of both kinds.
const NEWEST_VERSION: i64 = 3;

/// Checks the text of the file at `path`, which lies in the folders `leaf_folders` of its taxonomy.
pub(crate) fn check(
    text: &str,
    path: &Path,
    leaf_folders: &[String],
    rules: &LayoutRules,
) -> (Vec<Diagnostic>, Option<TaxonomyLeaf>) {
    let document = match yaml::parse(text) {
        Ok(document) => document,
        Err(diagnostic) => return (vec![diagnostic], None),
    };
    if document.root.value == Value::Null {
        let span = schema::first_line(text);
        let empty = Diagnostic::warning(text, span, "the file is empty and teaches nothing")
            .with_help("write the seed examples, or remove the file");
        return (vec![empty], None);
    }
    let mut diagnostics = layout::findings(text, &document.root, rules);
    diagnostics.extend(repeated_keys(text, &document));
    diagnostics.extend(problems(text, &document.root, leaf_folders));
    if diagnostics.iter().any(Diagnostic::is_error) {
        return (diagnostics, None);
    }
    match build(&document.root, path, leaf_folders) {
        Ok(leaf) => {
            diagnostics.extend(documents::problems(text, &document.root, &leaf));
            let is_usable = !diagnostics.iter().any(Diagnostic::is_error);
            (diagnostics, is_usable.then_some(leaf))
        }
        Err(error) => {
            let span = schema::first_line(text);
            diagnostics.push(Diagnostic::error(
                text,
                span,
                format!("the file cannot be read: {error}"),
            ));
            (diagnostics, None)
        }
    }
}

/// A value that stands twice under one name would be lost without a word.
fn repeated_keys(text: &str, document: &Document) -> Vec<Diagnostic> {
    let repeated = document.duplicate_keys.iter();
    repeated
        .map(|duplicate| {
            let (line, _) = ilab_base::diagnostic::line_and_column(text, duplicate.first.start);
            let message = format!(
                "`{}` stands here again, first on line {line}",
                duplicate.key
            );
            Diagnostic::error(text, duplicate.second, message)
                .with_help("keep one of them: only the last would be read")
        })
        .collect()
}

fn problems(text: &str, root: &Node, leaf_folders: &[String]) -> Vec<Diagnostic> {
    if root.entries().is_empty() {
        let message = format!(
            "the file must be a mapping of keys to values, not {}",
            root.kind()
        );
        let span = schema::first_line_of(text, root.span.start);
        return vec![
            Diagnostic::error(text, span, message)
                .with_help("start with `version: 3`, and write one key a line"),
        ];
    }
    match rules(text, root, leaf_folders) {
        Ok(schema) => schema.check(text, root),
        Err(diagnostic) => vec![diagnostic],
    }
}

/// Which rules hold, by the folder and the file's version.
fn rules(text: &str, root: &Node, leaf_folders: &[String]) -> Result<&'static Schema, Diagnostic> {
    let version = version(root);
    let span = match root.entry("version") {
        Some(_) => locate(root, &[Step::Key("version".to_owned())]).span,
        None => schema::first_line(text),
    };
    let is_knowledge = is_knowledge(root, leaf_folders);
    if is_knowledge && (1..MIN_KNOWLEDGE_VERSION).contains(&version) {
        let message = format!(
            "version {version} is not supported for knowledge: the minimum is {MIN_KNOWLEDGE_VERSION}"
        );
        return Err(Diagnostic::error(text, span, message).with_help(
            "rewrite it as version 3: contexts with questions_and_answers, domain, document_outline and document",
        ));
    }
    let schema = match is_knowledge {
        true => (version == NEWEST_VERSION).then(schema::knowledge),
        false => schema::skill(version),
    };
    schema.ok_or_else(|| {
        Diagnostic::error(text, span, format!("version {version} is not known")).with_help(format!(
            "the newest version is {NEWEST_VERSION}: write `version: {NEWEST_VERSION}`"
        ))
    })
}

/// The version that a file says it has; files from before there were versions say nothing.
fn version(root: &Node) -> i64 {
    match root.get("version").map(|node| &node.value) {
        Some(Value::Integer(version)) => *version,
        Some(Value::Text(text)) => text.trim().parse().unwrap_or(1),
        _ => 1,
    }
}

fn is_knowledge(root: &Node, leaf_folders: &[String]) -> bool {
    let [skills, knowledge] = FOLDERS;
    match leaf_folders.first() {
        Some(first) if first == knowledge => true,
        Some(first) if first == skills => false,
        _ => root.entry("document").is_some(),
    }
}

/// A knowledge file, once the schema holds.
#[derive(Deserialize)]
struct KnowledgeFile {
    created_by: String,
    domain: String,
    document_outline: String,
    document: DocumentSource,
    seed_examples: Vec<KnowledgeExample>,
}

/// A skill file, once the schema holds.
#[derive(Deserialize)]
struct SkillFile {
    created_by: String,
    task_description: String,
    seed_examples: Vec<SkillExample>,
}

fn build(
    root: &Node,
    path: &Path,
    leaf_folders: &[String],
) -> Result<TaxonomyLeaf, serde_json::Error> {
    let (created_by, kind) = if is_knowledge(root, leaf_folders) {
        let file: KnowledgeFile = serde_json::from_value(root.to_json())?;
        let knowledge = Knowledge {
            domain: file.domain,
            document_outline: file.document_outline,
            documents: resolved(file.document, path),
            seed_examples: file.seed_examples,
        };
        (file.created_by, LeafKind::Knowledge(knowledge))
    } else {
        let file: SkillFile = serde_json::from_value(root.to_json())?;
        let skill = Skill {
            task_description: file.task_description,
            seed_examples: file.seed_examples,
        };
        (file.created_by, LeafKind::Skill(skill))
    };
    Ok(TaxonomyLeaf {
        path: path.to_owned(),
        leaf_path: leaf_folders.join("->"),
        leaf_node_path: leaf_folders.join("_"),
        version: version(root),
        created_by,
        kind,
    })
}

/// A local folder is relative to the file that names it.
fn resolved(documents: DocumentSource, file: &Path) -> DocumentSource {
    match documents {
        DocumentSource::Folder { path, patterns } => {
            let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
            DocumentSource::Folder {
                path: folder.join(path),
                patterns,
            }
        }
        git => git,
    }
}
