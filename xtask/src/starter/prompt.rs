//! The prompts of the `simple` pipeline, exactly as generation sends them.

use ilab_sdg::prompt::{PromptError, PromptTemplate};
use serde_json::json;

use crate::starter::document::QuestionAnswer;

/// The three prompts, parsed once.
#[derive(Debug)]
pub struct Prompts {
    knowledge: PromptTemplate,
    freeform: PromptTemplate,
    grounded: PromptTemplate,
}

impl Prompts {
    /// The embedded files.
    pub fn embedded() -> Result<Self, PromptError> {
        Ok(Self {
            knowledge: PromptTemplate::embedded("simple/knowledge/simple_generate_qa.yaml")?,
            freeform: PromptTemplate::embedded("simple/skills/simple_generate_qa_freeform.yaml")?,
            grounded: PromptTemplate::embedded("simple/skills/simple_generate_qa_grounded.yaml")?,
        })
    }

    /// The knowledge prompt for a document.
    pub fn knowledge(
        &self,
        domain: &str,
        outline: &str,
        document: &str,
        examples: &[QuestionAnswer; 3],
    ) -> Result<String, PromptError> {
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
    ) -> Result<String, PromptError> {
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
    ) -> Result<String, PromptError> {
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

fn render(template: &PromptTemplate, row: &serde_json::Value) -> Result<String, PromptError> {
    template.render(row.as_object().expect("the rows above are objects"))
}
