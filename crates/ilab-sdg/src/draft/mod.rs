//! A first version of a taxonomy leaf for a person to edit: passages of documents with questions that a teacher writes.
//!
//! Deliberately absent: reading documents and writing files, which the caller does.

mod answer;
mod error;
mod leaf_text;
mod passages;

use std::sync::Arc;

use futures::future::try_join_all;
use ilab_openai::completer::{ChatMessage, Completer, Prompt, Request, Sampling};

pub use error::DraftError;
pub use leaf_text::{DraftLeaf, N_KNOWLEDGE_PAIRS, Subject};
pub use passages::passages;

/// How many passages a leaf needs.
pub const N_PASSAGES: usize = 5;
/// How often a passage is asked about before it is given up. What earlier answers gave is kept.
const MAX_ATTEMPTS: u64 = 4;
const MAX_ANSWER_TOKENS: u32 = 800;
/// Warm enough that another seed gives another answer.
const TEMPERATURE: f32 = 0.7;

/// A question and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
}

/// A passage and what is asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The passage.
    pub context: String,
    /// Questions with answers; empty where a person is to write them.
    pub pairs: Vec<Pair>,
}

/// Lets the teacher write `n_pairs` questions with answers about each passage.
///
/// # Errors
/// The teacher fails, or does not give as many after some attempts.
pub async fn ask(
    passages: &[String],
    n_pairs: usize,
    teacher: &Arc<dyn Completer>,
    seed: u64,
) -> Result<Vec<Example>, DraftError> {
    let asked = (0..)
        .zip(passages)
        .map(|(index, passage)| ask_about(passage, index, n_pairs, teacher.as_ref(), seed));
    try_join_all(asked).await
}

async fn ask_about(
    passage: &str,
    index: u64,
    n_pairs: usize,
    teacher: &dyn Completer,
    seed: u64,
) -> Result<Example, DraftError> {
    let mut pairs = Vec::new();
    let mut last_answer = String::new();
    for attempt in 0..MAX_ATTEMPTS {
        let stream = index * MAX_ATTEMPTS + attempt;
        let request = request(passage, n_pairs, seed.wrapping_add(stream));
        let completion = teacher.complete(request).await?;
        last_answer = completion
            .choices
            .into_iter()
            .next()
            .map(|choice| choice.text)
            .unwrap_or_default();
        answer::add_pairs(&last_answer, &mut pairs);
        if pairs.len() >= n_pairs {
            pairs.truncate(n_pairs);
            return Ok(Example {
                context: passage.to_owned(),
                pairs,
            });
        }
    }
    Err(DraftError::TooFewPairs {
        model: teacher.model_id().to_owned(),
        n_found: pairs.len(),
        n_wanted: n_pairs,
        n_attempts: MAX_ATTEMPTS,
        answer: last_answer,
    })
}

fn request(passage: &str, n_pairs: usize, seed: u64) -> Request {
    let number = match n_pairs {
        1 => "one question".to_owned(),
        n => format!("{n} different questions"),
    };
    let prompt = format!(
        "Below is a passage of a document. Write {number} that the passage answers, each with its answer.\n\n\
         - Ask for what matters most in the passage: facts, names, numbers, reasons.\n\
         - Each question must make sense to somebody who does not see the passage: name what it is about.\n\
         - Answer in one or two whole sentences, with nothing that is not in the passage.\n\n\
         Write nothing but this form, once for each question:\n\n\
         Question: the question\n\
         Answer: the answer\n\n\
         Passage:\n\n{passage}\n"
    );
    Request {
        prompt: Prompt::Chat(vec![ChatMessage::user(prompt)]),
        sampling: Sampling {
            temperature: Some(TEMPERATURE),
            seed: Some(seed),
            max_tokens: Some(MAX_ANSWER_TOKENS),
            n: 1,
            ..Sampling::default()
        },
    }
}
