//! A small taxonomy: a knowledge leaf, a freeform skill and a grounded skill.

use std::fs;
use std::path::Path;

use ilab_base::cancel::Cancel;
use ilab_sdg::{LeafSource, read_documents};
use ilab_taxonomy::{Selection, TaxonomyLeaf};

const DOCUMENT: &str = "# The brill\n\nThe brill is a small animal of the hills. It has six legs.\n\n## Food\n\nIt eats *moss* and fog.\n\n## Home\n\nIts home is a bowl of clay.\n";

/// The taxonomy below `folder` with its documents.
pub fn sources(folder: &Path) -> Vec<LeafSource> {
    read_documents(leaves(folder), folder, &(), &Cancel::new()).unwrap()
}

/// Writes the taxonomy below `folder` and reads it back.
pub fn leaves(folder: &Path) -> Vec<TaxonomyLeaf> {
    let root = folder.join("taxonomy");
    write(
        &root.join("knowledge/animals/brill/documents/brill.md"),
        DOCUMENT,
    );
    write(&root.join("knowledge/animals/brill/qna.yaml"), &knowledge());
    write(
        &root.join("compositional_skills/opposites/qna.yaml"),
        &skill("name an opposite", false),
    );
    write(
        &root.join("compositional_skills/rewriting/qna.yaml"),
        &skill("answer from the text", true),
    );
    let taxonomy = ilab_taxonomy::read(&Selection::new(&root, "empty")).unwrap();
    let problems: Vec<_> = taxonomy
        .files
        .iter()
        .flat_map(|file| &file.diagnostics)
        .collect();
    assert!(problems.is_empty(), "{problems:?}");
    let mut leaves: Vec<_> = taxonomy.leaves().cloned().collect();
    leaves.sort_by(|a, b| b.leaf_path.cmp(&a.leaf_path));
    leaves
}

fn knowledge() -> String {
    let mut text = "version: 3\ncreated_by: tester\ndomain: animals\ndocument_outline: The brill\nseed_examples:\n".to_owned();
    for index in 1..=5 {
        text.push_str(&format!(
            "  - context: |\n      The brill has fact {index}.\n    questions_and_answers:\n"
        ));
        for (question, answer) in [
            ("How many legs has a brill?", "Six."),
            ("What does it eat?", "Moss."),
            ("Where is it?", "Hills."),
        ] {
            let question = if index == 1 {
                question.to_owned()
            } else {
                format!("{} {index}?", question.trim_end_matches('?'))
            };
            text.push_str(&format!(
                "      - question: |\n          {question}\n        answer: |\n          {answer}\n"
            ));
        }
    }
    text.push_str("document:\n  path: documents\n  patterns: ['*']\n");
    text
}

fn skill(task: &str, is_grounded: bool) -> String {
    let mut text =
        format!("version: 2\ncreated_by: tester\ntask_description: {task}\nseed_examples:\n");
    for index in 1..=5 {
        text.push_str(&format!(
            "  - question: What is the opposite of {index}?\n    answer: Minus {index}.\n"
        ));
        if is_grounded {
            text.push_str(&format!(
                "    context: Numbers such as {index} have an opposite.\n"
            ));
        }
    }
    text
}

/// A pipeline that asks for tagged pairs, has each judged, and keeps those with a good score.
pub fn write_judging_pipeline(folder: &Path) {
    let pipeline = r#"version: "1.0"
blocks:
  - name: ask
    type: LLMBlock
    config:
      config_path: prompts/ask.yaml
      output_cols: [question, response]
      gen_kwargs: {temperature: 0.5, n: 3}
    drop_duplicates: [question]
  - name: join
    type: CombineColumnsBlock
    config: {columns: [question, response], output_col: pair, separator: ' '}
  - name: judge
    type: LLMBlock
    config:
      config_path: prompts/judge.yaml
      output_cols: [score]
      parser_kwargs: {parser_name: custom, parsing_pattern: '\[Score\](.*?)\[/Score\]', parser_cleanup_tags: ['[/Score]']}
  - name: good
    type: FilterByValueBlock
    config: {filter_column: score, filter_value: 1, operation: ge, convert_dtype: int}
    drop_columns: [score, pair]
"#;
    for file in [
        "knowledge.yaml",
        "freeform_skills.yaml",
        "grounded_skills.yaml",
    ] {
        write(&folder.join(file), pipeline);
    }
    let nothing = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\n";
    write(
        &folder.join("prompts/ask.yaml"),
        &format!(
            "{nothing}generation: 'Ask in {{{{ leaf_node_path }}}}.'\nstart_tags: ['[Q]', '[A]']\nend_tags: ['[/Q]', '[/A]']\n"
        ),
    );
    write(
        &folder.join("prompts/judge.yaml"),
        &format!("{nothing}generation: 'Judge:{{{{ pair }}}}'\n"),
    );
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
