//! What is told before a whole run: a forecast, and a few samples.

use std::sync::Arc;

use ilab_base::cancel::Cancel;
use ilab_openai::completer::FinishReason;
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{Forecast, GenerateOptions, Preview, forecast, preview};

use crate::blocks::{BLOCKS, options_with};
use crate::scripted::{Scripted, answer};
use crate::taxonomy::write_judging_pipeline;
use crate::{options, run};

fn forecast_of(options: &GenerateOptions) -> Forecast {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime
        .block_on(forecast(options, "scripted", &(), &Cancel::new()))
        .unwrap()
}

fn preview_of(options: &GenerateOptions, n_samples: usize, teacher: &Arc<Scripted>) -> Preview {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_time()
        .build()
        .unwrap();
    let teacher = Arc::clone(teacher);
    runtime
        .block_on(async { preview(options, n_samples, teacher, &(), &Cancel::new()).await })
        .unwrap()
}

#[test]
fn a_forecast_counts_what_a_run_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let before = forecast_of(&options);
    assert_eq!(before.n_known_requests, 0);
    assert_eq!((before.tokens_per_second, before.seconds()), (None, None));
    let teacher = Scripted::new(answer);
    let summary = run(&options, &teacher).unwrap();
    // Ten answers to each row take two requests.
    assert_eq!(before.work().n_requests as usize, teacher.n_requests());
    let rows: Vec<_> = before.leaves.iter().map(|leaf| leaf.n_rows).collect();
    let real: Vec<_> = summary.leaves.iter().map(|leaf| leaf.n_rows).collect();
    assert_eq!(rows, real);
    // At least forty tokens for each of ten answers.
    assert_eq!(before.work().n_answer_tokens, 25 * 10 * 40);
    let prompts: usize = teacher
        .prompts()
        .iter()
        .map(|prompt| ilab_documents::chunk::estimated_tokens(prompt))
        .sum();
    assert_eq!(before.work().n_prompt_tokens as usize, prompts);

    let after = forecast_of(&options);
    assert_eq!(after.n_known_requests, teacher.n_requests());
    assert!(after.tokens_per_second.unwrap() > 0.0);
    assert_eq!(after.seconds(), Some(0.0));
    // Nobody was asked for it.
    assert_eq!(teacher.n_distinct_requests(), teacher.n_requests());
}

#[test]
fn later_blocks_are_counted_as_if_every_answer_passed() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = folder.path().join("pipeline");
    write_judging_pipeline(&pipeline);
    let judging = GenerateOptions {
        pipeline: PipelineSource::Directory(pipeline),
        ..options(folder.path())
    };
    let n_rows: u64 = 15 + 5 + 5;
    assert_eq!(forecast_of(&judging).work().n_requests, n_rows * (1 + 3));
    // Every type of block: 5 rows asked twice, a chat for each, a judgement of each.
    let every = options_with(&folder.path().join("every"), BLOCKS);
    assert_eq!(forecast_of(&every).work().n_requests, 5 * 2 * 3);
}

#[test]
fn a_column_that_a_block_makes_is_known_to_the_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = "version: '1.0'\nblocks:\n- name: rename\n  type: RenameColumnsBlock\n  config: {columns_map: {seed_question: q}}\n- name: ask\n  type: LLMBlock\n  config: {config_path: ask.yaml, output_cols: [question, response]}\n";
    let options = options_with(folder.path(), blocks);
    let prompt = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: 'About {{ q }}'\nstart_tags: ['[Q]', '[A]']\nend_tags: ['[/Q]', '[/A]']\n";
    std::fs::write(folder.path().join("pipeline/ask.yaml"), prompt).unwrap();
    let work = forecast_of(&options).work();
    assert_eq!(work.n_requests, 5);
    assert!(work.n_prompt_tokens > 5 * 5, "{work:?}");
}

#[test]
fn a_preview_asks_little_and_nothing_of_it_twice() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let teacher = Scripted::new(answer);
    let found = preview_of(&options, 5, &teacher);
    assert_eq!(found.samples.len(), 5);
    assert_eq!((found.n_rows, found.n_rows_in_all), (3, 25));
    // Each leaf in turn.
    let leaves: Vec<_> = found
        .samples
        .iter()
        .map(|sample| sample.leaf_path.as_str())
        .collect();
    assert_eq!(
        leaves[..3],
        [
            "knowledge->animals->brill",
            "compositional_skills->rewriting",
            "compositional_skills->opposites"
        ]
    );
    assert_eq!(leaves[0], leaves[3]);
    assert!(found.samples[0].context.as_ref().unwrap().contains("brill"));
    assert!(found.samples[2].context.is_none());
    let n_asked = teacher.n_requests();
    assert_eq!(n_asked, 3 * 2);
    assert!(
        forecast_of(&options).seconds().unwrap() > 0.0,
        "its speed is known"
    );
    // A run goes on with what the preview was given.
    run(&options, &teacher).unwrap();
    assert_eq!(teacher.n_requests(), 25 * 2);
    assert_eq!(teacher.n_distinct_requests(), teacher.n_requests());
}

#[test]
fn a_preview_works_on_more_rows_until_it_has_enough() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    // Of ten answers one can be used.
    let teacher = Scripted::new(|prompt, seed| {
        let text = match seed % 10 {
            0 => answer(prompt, seed)?.0,
            _ => "Hm.".to_owned(),
        };
        Ok((text, FinishReason::Stop))
    });
    let found = preview_of(&options, 6, &teacher);
    assert_eq!(found.samples.len(), 6);
    assert!((4..25).contains(&found.n_rows), "{}", found.n_rows);
    assert!(found.drops.n_samples() > 20);
    assert_eq!(teacher.n_distinct_requests(), teacher.n_requests());
    // More than there are: all there are.
    let all = preview_of(&options, 1_000, &teacher);
    assert_eq!(all.n_rows, all.n_rows_in_all);
    assert!(all.samples.len() < 30);
}
