//! The prompts of the `simple` pipeline, exactly as generation sends them.

use minijinja::Environment;
use serde_json::json;

use crate::starter::document::QuestionAnswer;

/// The three prompts, parsed once.
#[derive(Debug)]
pub struct Prompts {
    knowledge: String,
    freeform: String,
    grounded: String,
}

impl Prompts {
    /// The embedded files.
    pub fn embedded() -> Result<Self, minijinja::Error> {
        Ok(Self {
            knowledge: assemble(include_str!("../../../crates/ilab-sdg/pipelines/simple/knowledge/simple_generate_qa.yaml").trim()),
            freeform: assemble(include_str!("../../../crates/ilab-sdg/pipelines/simple/skills/simple_generate_qa_freeform.yaml").trim()),
            grounded: assemble(include_str!("../../../crates/ilab-sdg/pipelines/simple/skills/simple_generate_qa_grounded.yaml").trim()),
        })
    }

    /// The knowledge prompt for a document.
    pub fn knowledge(
        &self,
        domain: &str,
        outline: &str,
        document: &str,
        examples: &[QuestionAnswer; 3],
    ) -> Result<String, minijinja::Error> {
        let [first, second, third] = examples;
        render(
            &self.knowledge,
            &json!({
                "domain": domain,
                "document_outline": outline,
                "document": document,
                "icl_document": document,
                "icl_query_1": first.question, "icl_response_1": first.answer,
                "icl_query_2": second.question, "icl_response_2": second.answer,
                "icl_query_3": third.question, "icl_response_3": third.answer,
            }),
        )
    }

    /// The prompt of a skill without a text.
    pub fn freeform(
        &self,
        task: &str,
        question: &str,
        response: &str,
    ) -> Result<String, minijinja::Error> {
        render(
            &self.freeform,
            &json!({"task_description": task, "seed_question": question, "seed_response": response}),
        )
    }

    /// The prompt of a skill with a text.
    pub fn grounded(
        &self,
        task: &str,
        context: &str,
        seed: &QuestionAnswer,
    ) -> Result<String, minijinja::Error> {
        render(
            &self.grounded,
            &json!({
                "task_description": task,
                "seed_context": context,
                "seed_question": seed.question,
                "seed_response": seed.answer,
            }),
        )
    }
}

/// The prompt assembled from the parts of its file.
fn assemble(yaml: &str) -> String {
    let mut parts: Vec<String> = vec![String::new()];
    for line in yaml.lines() {
        if let Some(text) = line.strip_prefix("introduction: ") {
            parts.push(format!("{}\n", text.trim_matches('"')));
        } else if line.starts_with("start_tags") {
            break;
        } else if line.ends_with(": |") && !line.starts_with(' ') {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut().filter(|_| !line.starts_with("system")) {
            part.push_str(line.trim_start_matches("  "));
            part.push('\n');
        }
    }
    for part in &mut parts[2..] {
        *part = format!("{}\n\n", part.trim_end());
    }
    parts.concat()
}

fn render(template: &str, row: &serde_json::Value) -> Result<String, minijinja::Error> {
    Environment::new()
        .render_str(
            template,
            minijinja::Value::from(minijinja::value::Serde(row)),
        )
        .map(|text| text.trim().to_owned())
}
