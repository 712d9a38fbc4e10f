//! Pipelines of the original's format with every type of block, run from a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ilab_openai::completer::FinishReason;
use ilab_sdg::drops::DropReason;
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{GenerateError, GenerateOptions};

use crate::scripted::Scripted;
use crate::{options, run};

const BLOCKS: &str = r#"
version: "1.0"
blocks:
  - name: note the kind
    type: DuplicateColumnsBlock
    config: {columns_map: {leaf_node_type: kind}}
  - name: add what belongs to the kind
    type: SamplePopulatorBlock
    config: {config_paths: [extra/freeform_skill.yaml], column_name: kind, post_fix: v2}
  - name: ask twice
    type: IterBlock
    config:
      num_iters: 2
      block_type: ConditionalLLMBlock
      config_paths: [[ask.yaml, freeform_skill], [ask.yaml, poem]]
      selector_column_name: kind
      output_cols: [question, draft]
      gen_kwargs: {temperature: 0.9}
  - name: chat
    type: LLMMessagesBlock
    config: {input_col: chat, output_col: remarks, gen_kwargs: {n: 2}}
    drop_columns: [chat]
  - name: judge
    type: LLMLogProbBlock
    config: {config_path: judge.yaml, output_cols: [score], gen_kwargs: {max_tokens: 8}, batch_kwargs: {num_samples: 3}}
  - name: one score for all
    type: SetToMajorityValueBlock
    config: {col_name: score}
  - name: draft and tone, each a row
    type: FlattenColumnsBlock
    config: {var_cols: [draft, tone], value_name: text, var_name: source}
  - name: the answer
    type: SelectorBlock
    config: {choice_map: {draft: text, none: question}, choice_col: source, output_col: answer}
  - name: final names
    type: RenameColumnsBlock
    config: {columns_map: {answer: response}}
"#;

const PROMPT: &str = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: |\n  {% for word in tone.split() %}{{ word|upper }} {% endfor %}{{ seed_question }}\nstart_tags: ['[Q]', '[A]']\nend_tags: ['[/Q]', '[/A]']\n";
const JUDGE: &str = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: Score {{ draft }} of {{ num_samples }}\nstart_tags: ['']\nend_tags: ['']\n";
const EXTRA: &str = "tone: kind words\nchat:\n  - {role: user, content: Say something.}\n";

/// A folder with a pipeline; knowledge and grounded skills are the same simple ones.
fn write_pipeline(folder: &Path, freeform: &str) {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let simple = "version: '1.0'\nblocks:\n- name: a\n  type: RenameColumnsBlock\n  config: {columns_map: {leaf_node_type: kind}}\n";
    write("knowledge.yaml", simple);
    write("grounded_skills.yaml", simple);
    write("freeform_skills.yaml", freeform);
    write("ask.yaml", PROMPT);
    write("judge.yaml", JUDGE);
    write("extra/freeform_skill_v2.yaml", EXTRA);
}

/// Only the skill without a text, through these blocks.
fn options_with(folder: &Path, blocks: &str) -> GenerateOptions {
    let pipeline = folder.join("pipeline");
    write_pipeline(&pipeline, blocks);
    let mut options = GenerateOptions {
        pipeline: PipelineSource::Directory(pipeline),
        ..options(folder)
    };
    options
        .leaves
        .retain(|leaf| leaf.leaf_path.contains("opposites"));
    options
}

/// Asks back, and scores drafts with 2, some with 1.
fn teacher() -> Arc<Scripted> {
    Scripted::new(|prompt, seed| {
        let text = match prompt {
            "Say something." => format!("Something {}", seed % 2),
            prompt if prompt.starts_with("Score") => {
                (if prompt.contains("77") { "1" } else { "2" }).to_owned()
            }
            prompt => {
                let question = prompt.strip_prefix("KIND WORDS ").unwrap();
                format!("[Q]Again: {question}[/Q][A]Draft {seed} of it[/A]")
            }
        };
        Ok((text, FinishReason::Stop))
    })
}

#[test]
fn every_type_of_block_runs() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = teacher();
    let summary = run(&options_with(folder.path(), BLOCKS), &teacher).unwrap();
    // Five examples, each asked twice with another seed; one chat for all; a score for each draft.
    assert_eq!(teacher.n_distinct_requests(), 5 * 2 + 1 + 5 * 2);
    let generated = summary
        .files
        .directory
        .join("generated_2026-01-02T03_04_01");
    let file = std::fs::read_dir(generated).unwrap().next().unwrap();
    let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
    assert_eq!(text.lines().count(), 10);
    insta::assert_snapshot!(text.lines().next().unwrap(), @r#"{"task_description": "name an opposite", "seed_question": "What is the opposite of 1?", "seed_response": "Minus 1.", "leaf_node_type": "freeform_skill", "leaf_node_path": "compositional_skills_opposites", "kind": "freeform_skill", "question": "Again: What is the opposite of 1?", "remarks": ["Something 0", "Something 1"], "num_samples": 3, "score": "2", "source": "draft", "text": "Draft 8026463 of it", "response": "Draft 8026463 of it"}"#);
    let drops = summary.drops.by_reason();
    assert_eq!(drops, BTreeMap::from([(DropReason::NoChoice, 10)]));
}

#[test]
fn rows_that_no_prompt_is_for_are_dropped_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = BLOCKS.replace("[ask.yaml, freeform_skill]", "[ask.yaml, prose]");
    let error = run(&options_with(folder.path(), &blocks), &teacher()).unwrap_err();
    let GenerateError::NothingKept { drops } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(
        drops.by_reason(),
        BTreeMap::from([(DropReason::NoChoice, 10)])
    );
}
