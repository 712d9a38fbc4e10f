//! Rows on their way: nobody waits for a straggler, few are in flight, and what comes back first changes nothing.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use ilab_base::cancel::Cancel;
use ilab_openai::completer::{
    Choice, Completer, Completion, CompletionError, FinishReason, Prompt, Request, Usage,
};
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{Event, GenerateOptions, Observer, Summary, generate};
use tokio::sync::Semaphore;

use crate::blocks::{BLOCKS, options_with, teacher};
use crate::scripted::Scripted;
use crate::taxonomy::write_judging_pipeline;
use crate::{dataset, options, run};

/// Asks, then judges; no block looks at more than one row.
const ASK_AND_JUDGE: &str = r#"
version: "1.0"
blocks:
  - name: ask
    type: LLMBlock
    config: {config_path: ask.yaml, output_cols: [question, response]}
  - name: judge
    type: LLMBlock
    config: {config_path: judge.yaml, output_cols: [score]}
"#;
const ASK: &str = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: 'About: {{ seed_question }}'\nstart_tags: ['[Q]', '[A]']\nend_tags: ['[/Q]', '[/A]']\n";
const JUDGE: &str = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: 'Judge: {{ question }}'\nstart_tags: ['']\nend_tags: ['']\n";

/// Holds its first answer back until every other row has been judged.
struct Straggling {
    n_rows: usize,
    n_asked: AtomicUsize,
    n_judged: AtomicUsize,
    others_are_done: Semaphore,
}

impl Straggling {
    async fn answer(&self, request: Request) -> Result<Completion, CompletionError> {
        let Prompt::Chat(messages) = &request.prompt else {
            panic!("asked without a chat")
        };
        let text = match messages[0].content.strip_prefix("About: ") {
            Some(about) => {
                if self.n_asked.fetch_add(1, Ordering::SeqCst) == 0 {
                    let _permit = self.others_are_done.acquire().await.unwrap();
                }
                format!("[Q]Again: {about}[/Q][A]So.[/A]")
            }
            None => {
                if self.n_judged.fetch_add(1, Ordering::SeqCst) + 2 == self.n_rows {
                    self.others_are_done.add_permits(1);
                }
                "2".to_owned()
            }
        };
        let choice = Choice {
            text,
            finish_reason: FinishReason::Stop,
            logprobs: Vec::new(),
        };
        Ok(Completion {
            choices: vec![choice],
            usage: Usage::default(),
        })
    }
}

impl Completer for Straggling {
    fn model_id(&self) -> &str {
        "straggling"
    }

    fn complete(&self, request: Request) -> BoxFuture<'_, Result<Completion, CompletionError>> {
        Box::pin(self.answer(request))
    }
}

#[test]
fn nobody_waits_for_a_straggler() {
    let folder = tempfile::tempdir().unwrap();
    let options = GenerateOptions {
        max_in_flight: 2,
        ..options_with(folder.path(), ASK_AND_JUDGE)
    };
    let pipeline = folder.path().join("pipeline");
    std::fs::write(pipeline.join("ask.yaml"), ASK).unwrap();
    std::fs::write(pipeline.join("judge.yaml"), JUDGE).unwrap();
    let teacher = Arc::new(Straggling {
        n_rows: 5,
        n_asked: AtomicUsize::new(0),
        n_judged: AtomicUsize::new(0),
        others_are_done: Semaphore::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let summary: Summary = runtime
        .block_on(async {
            let cancel = Cancel::new();
            let generated = generate(&options, teacher, &(), &cancel);
            tokio::time::timeout(Duration::from_secs(60), generated).await
        })
        .expect("the other rows waited for the first")
        .unwrap();
    assert_eq!(summary.n_samples(), 5);
    // The first row is the first sample, though its answer came last.
    let train = std::fs::read_to_string(summary.files.messages).unwrap();
    let first = train.lines().next().unwrap();
    assert!(first.contains("opposite of 1?"), "{first}");
}

/// With every type of block: repetitions, a majority, columns that become rows, duplicates.
#[test]
fn what_comes_back_first_changes_nothing() {
    let filter = "  - name: some drafts\n    type: FilterByValueBlock\n    config: {filter_column: draft, filter_value: '4', operation: contains}\n";
    let blocks = BLOCKS.replace("  - name: chat\n", &format!("{filter}  - name: chat\n"));
    // Each example was asked about twice: the first of both stays, whichever came back first.
    let blocks = format!("{blocks}    drop_duplicates: [seed_question]\n");
    let dataset_of = |seed, teacher: Arc<Scripted>, max_in_flight| {
        let folder = tempfile::tempdir().unwrap();
        let options = GenerateOptions {
            max_in_flight,
            seed,
            ..options_with(folder.path(), &blocks)
        };
        dataset(&run(&options, &teacher).unwrap().files.directory)
    };
    for seed in 1..=4 {
        let calm = dataset_of(seed, teacher(), 1);
        let hasty = dataset_of(seed, teacher().with_jitter(), 16);
        assert_eq!(calm, hasty, "seed {seed}");
    }
}

/// What a run announced and what it did.
#[derive(Default)]
struct Counts {
    planned: AtomicI64,
    answered: AtomicUsize,
    /// The first plan, before anything was asked.
    first: Mutex<Option<i64>>,
}

impl Observer for Counts {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Planned { change } => {
                self.planned.fetch_add(change, Ordering::SeqCst);
            }
            Event::Answered { n_answers, .. } => {
                let planned = self.planned.load(Ordering::SeqCst);
                self.first.lock().unwrap().get_or_insert(planned);
                self.answered.fetch_add(n_answers, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

#[test]
fn what_is_planned_is_asked_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = folder.path().join("pipeline");
    write_judging_pipeline(&pipeline);
    let options = GenerateOptions {
        pipeline: PipelineSource::Directory(pipeline),
        ..options(folder.path())
    };
    // Of three answers one is no pair, so it is never judged.
    let teacher = Scripted::new(|prompt, seed| {
        let text = match (prompt.starts_with("Judge"), seed % 3) {
            (true, _) => "[Score] 1 [/Score]".to_owned(),
            (false, 0) => "I would rather not.".to_owned(),
            (false, _) => format!("[Q]What is {seed} of {prompt}?[/Q][A]{seed}.[/A]"),
        };
        Ok((text, FinishReason::Stop))
    });
    let counts = Counts::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let summary = runtime
        .block_on(generate(&options, teacher, &counts, &Cancel::new()))
        .unwrap();
    let n_rows: usize = summary.leaves.iter().map(|leaf| leaf.n_rows).sum();
    // Three answers for a row, and a judgement of each.
    assert_eq!(*counts.first.lock().unwrap(), Some(n_rows as i64 * (3 + 3)));
    let n_answers: usize = summary.leaves.iter().map(|leaf| leaf.n_answers).sum();
    assert_eq!(counts.answered.load(Ordering::SeqCst), n_answers);
    assert_eq!(counts.planned.load(Ordering::SeqCst), n_answers as i64);
    assert!(n_answers < n_rows * 6, "{n_answers}");
}
