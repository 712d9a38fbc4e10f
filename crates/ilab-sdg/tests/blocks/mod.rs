//! Pipelines of the original's format with every type of block, run from a folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ilab_openai::completer::FinishReason;
use ilab_sdg::drops::DropReason;
use ilab_sdg::pipeline::PipelineSource;
use ilab_sdg::{GenerateError, GenerateOptions};

use crate::scripted::Scripted;
use crate::{lines, options, run};

pub const BLOCKS: &str = r#"
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
pub fn options_with(folder: &Path, blocks: &str) -> GenerateOptions {
    let pipeline = folder.join("pipeline");
    write_pipeline(&pipeline, blocks);
    let mut options = GenerateOptions {
        pipeline: PipelineSource::Directory(pipeline),
        ..options(folder)
    };
    options
        .leaves
        .retain(|source| source.leaf.leaf_path.contains("opposites"));
    options
}

/// Asks back, and scores drafts with 2, some with 1.
pub fn teacher() -> Arc<Scripted> {
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
fn a_fixed_seed_moves_on_when_a_block_is_repeated() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = BLOCKS.replace("{temperature: 0.9}", "{temperature: 0.9, seed: 5}");
    let teacher = teacher();
    run(&options_with(folder.path(), &blocks), &teacher).unwrap();
    // As above, but the two drafts say only their seed and are the same for all examples.
    assert_eq!(teacher.n_distinct_requests(), 5 * 2 + 1 + 2);
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

/// Counts of requests by what they ask for, from a teacher that follows the prompts of `full`.
#[test]
fn the_full_pipeline_asks_and_judges() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = Scripted::new(|prompt, seed| {
        let text = if prompt.ends_with("put right:") {
            let text = prompt.split("Text:\n").nth(1).unwrap();
            text.split("\n\nThe same text").next().unwrap().to_owned() + " Yes."
        } else if prompt.ends_with("The exam:") {
            let right = if seed % 2 == 0 { "C) Fog" } else { "Fog" };
            format!(
                "[Question]\nWhat does brill {seed} eat?\nA) Oil\nB) Sand\nC) Fog\nD) Snow\n[Answer]\n{right}\n[End]\n[Question]\nWhere does brill {seed} live?\nA) There\n[Answer]\nA) There\n[End]"
            )
        } else if prompt.ends_with("Questions and answers:") {
            format!(
                "[Question]\nWhat is {seed}?\n[Answer]\nA number.\n\n[QUESTION] Why {seed}? [ANSWER] So. [End]"
            )
        } else if prompt.starts_with("You check whether an answer") {
            "[Explanation] x [/Explanation]\n[Answer] YES [/Answer]".to_owned()
        } else if prompt.starts_with("You judge whether an answer is") {
            "[Feedback] x [/Feedback][Score] 2 [/Score]".to_owned()
        } else if prompt.starts_with("You judge whether a question can") {
            let rating = u8::from(!prompt.contains("Why"));
            format!("[Explanation] x [/Explanation][Rating] {rating} [/Rating]")
        } else if prompt.starts_with("You write a new text") {
            format!("[Context]\nText {seed} of many.\n[/Context]")
        } else if prompt.starts_with("You write") {
            format!("[Question]\nFirst {seed}?\n[/Question] [Question]Second {seed}?[/Question]")
        } else if prompt.starts_with("You judge whether a question") {
            "[Evaluation] x [/Evaluation][Score] 1 [/Score]".to_owned()
        } else if prompt.starts_with("You judge an answer") {
            let score = if prompt.contains("Second") { 1 } else { 3 };
            format!("[Evaluation] x [/Evaluation][Score] {score} [/Score]")
        } else if prompt.starts_with("You answer") {
            "[Response]\nThis is it.\n[/Response]".to_owned()
        } else {
            panic!("an unexpected prompt:\n{prompt}")
        };
        if prompt.starts_with("You write 30") || prompt.ends_with("Questions and answers:") {
            // What stands before the cut is kept.
            let cut_off = format!("{text} [Question] Half of a [Answer] que");
            return Ok((cut_off, FinishReason::Length));
        }
        Ok((text, FinishReason::Stop))
    });
    let options = GenerateOptions {
        pipeline: PipelineSource::from_argument("full"),
        keeps_going: false,
        ..options(folder.path())
    };
    let summary = run(&options, &teacher).unwrap();
    assert_eq!(teacher.n_requests(), teacher.n_distinct_requests());
    let leaves: Vec<_> = summary
        .leaves
        .iter()
        .map(|leaf| (leaf.leaf_path.as_str(), leaf.n_rows, leaf.n_samples))
        .collect();
    // Of the two questions that every request brings, the judges keep one.
    assert_eq!(
        leaves,
        [
            ("knowledge->animals->brill", 15, 15 * 2),
            ("compositional_skills->rewriting", 5, 5 * 10),
            ("compositional_skills->opposites", 5, 5),
        ]
    );
    assert_eq!(
        summary.drops.by_reason(),
        BTreeMap::from([
            (DropReason::CutOff, 15 * 2 + 5),
            (DropReason::Filtered, 15 * 2 + 5 * 10 + 5),
            // Of each chunk's exam the question with one choice, and in one of them another without a letter.
            (DropReason::NoChoices, 3 + 1)
        ])
    );
    let nodes = summary
        .files
        .directory
        .join("node_datasets_2026-01-02T03_04_01");
    let exam = nodes.join("mmlubench_knowledge_animals_brill.jsonl");
    let task = std::fs::read_to_string(nodes.join("knowledge_animals_brill_task.yaml")).unwrap();
    assert!(task.contains(exam.to_str().unwrap()), "{task}");
    let exam = lines(&std::fs::read_to_string(&exam).unwrap());
    assert_eq!(exam.len(), 2);
    for question in exam {
        assert_eq!(
            question["choices"][question["answer"].as_u64().unwrap() as usize],
            "Fog"
        );
        assert_eq!(question["subject"], "animals");
        assert!(question["document"].as_str().unwrap().contains("brill"));
    }
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let knowledge = read(summary.files.knowledge_train_messages.as_deref().unwrap());
    assert!(knowledge.contains(r#"\"dataset_type\": \"spellcheck\""#));
    assert!(knowledge.contains("misprints") || knowledge.contains("spelling"));
    // The text of a grounded question stands before it, once.
    let train = read(&summary.files.train);
    let grounded = train.lines().find(|line| line.contains("of many")).unwrap();
    assert_eq!(grounded.matches("of many").count(), 1, "{grounded}");
}
