//! How long a run of the `full` pipeline takes besides the teacher, and how much memory.
//!
//! `cargo run --release -p ilab-sdg --example own_time -- knowledge 20 0`: rows of a knowledge leaf (a multiple of 5), then the
//! milliseconds that the teacher takes for an answer. With `grounded` it is a skill with texts, whose rows are always 5.

#![allow(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use ilab_base::cancel::Cancel;
use ilab_openai::completer::{
    Choice, Completer, Completion, CompletionError, FinishReason, Prompt, Request, Usage,
};
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{GenerateOptions, RunName, generate};
use ilab_taxonomy::Selection;

/// Follows the prompts of `full` after a fixed time.
struct Obedient {
    latency: Duration,
}

impl Completer for Obedient {
    fn model_id(&self) -> &str {
        "obedient"
    }

    fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(async move {
            if !self.latency.is_zero() {
                tokio::time::sleep(self.latency).await;
            }
            let Prompt::Chat(messages) = &request.prompt else {
                return Err(CompletionError::Cancelled);
            };
            let first_seed = request.sampling.seed.unwrap_or_default();
            let choice = |index: u32| Choice {
                text: answer(&messages[0].content, first_seed + u64::from(index)),
                finish_reason: FinishReason::Stop,
                logprobs: Vec::new(),
            };
            Ok(Completion {
                choices: (0..request.sampling.n_choices()).map(choice).collect(),
                usage: Usage::default(),
            })
        })
    }
}

fn answer(prompt: &str, seed: u64) -> String {
    let tagged = |tag: &str, text: &str| format!("[{tag}] {text} [/{tag}]");
    if prompt.ends_with("put right:") {
        format!("The text, put right, {seed}.")
    } else if prompt.ends_with("The exam:") {
        let choices = "A) One\nB) Two\nC) Three\nD) Four";
        format!("[Question]\nWhat is {seed}?\n{choices}\n[Answer]\nB) Two\n[End]")
    } else if prompt.ends_with("Questions and answers:") {
        format!("[QUESTION] What is {seed}? [ANSWER] A number. [END]")
    } else if prompt.starts_with("You check whether an answer") {
        tagged("Explanation", "x") + &tagged("Answer", "YES")
    } else if prompt.starts_with("You judge whether an answer is") {
        tagged("Feedback", "x") + &tagged("Score", "2")
    } else if prompt.starts_with("You judge whether a question can") {
        tagged("Explanation", "x") + &tagged("Rating", "1")
    } else if prompt.starts_with("You write a new text") {
        tagged("Context", &format!("Text {seed} of many."))
    } else if prompt.starts_with("You write") {
        tagged("Question", &format!("What is {seed}?"))
    } else if prompt.starts_with("You judge whether a question") {
        tagged("Evaluation", "x") + &tagged("Score", "1")
    } else if prompt.starts_with("You judge an answer") {
        tagged("Evaluation", "x") + &tagged("Score", "3")
    } else {
        tagged("Response", "This is it.")
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().unwrap_or_else(|| "knowledge".to_owned());
    let n_rows: usize = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let latency: u64 = arguments.next().map_or(Ok(0), |text| text.parse())?;
    let folder = std::env::temp_dir().join(format!("own_time_{}", std::process::id()));
    let root = folder.join("taxonomy");
    match kind.as_str() {
        "grounded" => write(
            &root.join("compositional_skills/notes/qna.yaml"),
            &grounded(),
        )?,
        _ => {
            let leaf = root.join("knowledge/brills");
            write(&leaf.join("qna.yaml"), &knowledge())?;
            write(&leaf.join("documents/brills.md"), &document(n_rows / 5))?;
        }
    }
    let taxonomy = ilab_taxonomy::read(&Selection::new(&root, "empty"))?;
    let leaves = taxonomy.leaves().cloned().collect();
    let cancel = Cancel::new();
    let options = GenerateOptions {
        leaves: ilab_sdg::read_documents(leaves, &folder, &(), &cancel)?,
        pipeline: PipelineSource::from_argument("full"),
        recipes: ilab_sdg::DefaultRecipes::default(),
        output_dir: folder.join("datasets"),
        started: RunName {
            directory: "run".to_owned(),
            suffix: "run".to_owned(),
        },
        scale_factor: 30,
        temperature: None,
        max_tokens: None,
        chunk_tokens: 100,
        chunk_overlap_tokens: 0,
        count_tokens: Arc::new(ilab_documents::chunk::estimated_tokens),
        max_in_flight: 64,
        keeps_going: true,
        max_similarity: None,
        seed: 1,
        system_prompt: String::new(),
        teacher_identity: None,
    };
    let teacher = Arc::new(Obedient {
        latency: Duration::from_millis(latency),
    });
    let runtime = tokio::runtime::Runtime::new()?;
    let start = Instant::now();
    let summary = runtime.block_on(generate(&options, teacher, &(), &cancel))?;
    let seconds = start.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&folder)?;
    let n_rows: usize = summary.leaves.iter().map(|leaf| leaf.n_rows).sum();
    println!(
        "{n_rows} rows, {} requests, {} samples: {seconds:.3} s, peak {} MB",
        summary.n_requests,
        summary.n_samples(),
        peak_megabytes().unwrap_or_default()
    );
    Ok(())
}

/// As Linux counts it; elsewhere unknown.
fn peak_megabytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1_000)
}

/// So many paragraphs, each a chunk.
fn document(n_paragraphs: usize) -> String {
    let sentence =
        "It is a quiet animal of the hills that eats moss in the morning and fog at night. ";
    let paragraph = |number| format!("Brill {number} lives in a bowl. {}\n\n", sentence.repeat(3));
    (0..n_paragraphs).map(paragraph).collect()
}

fn knowledge() -> String {
    let mut text = "version: 3\ncreated_by: tester\ndomain: animals\ndocument_outline: Brills\nseed_examples:\n".to_owned();
    for example in 0..5 {
        text.push_str(&format!(
            "  - context: A brill has fact {example}.\n    questions_and_answers:\n"
        ));
        for question in 0..3 {
            text.push_str(&format!(
                "      - question: What is fact {example} of {question}?\n        answer: It is so.\n"
            ));
        }
    }
    text + "document:\n  path: documents\n  patterns: ['*.md']\n"
}

fn grounded() -> String {
    let mut text =
        "version: 2\ncreated_by: tester\ntask_description: read notes\nseed_examples:\n".to_owned();
    for example in 0..5 {
        text.push_str(&format!(
            "  - question: What does note {example} say?\n    answer: It says {example}.\n    context: Note {example} says {example}.\n"
        ));
    }
    text
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
