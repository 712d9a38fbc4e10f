//! A pipeline file to blocks.

mod llm;
mod rows;

use std::path::Path;

use ilab_base::yaml::{self, Node};

use super::columns::Columns;
use super::{AuxiliaryInstructions, Pipeline, PipelineError, PipelineSource};
use crate::block::{self, BlockKind};
use crate::yaml::{Source, YamlError};

/// The block types that can be run.
const TYPES: [&str; 13] = [
    "LLMBlock",
    "ConditionalLLMBlock",
    "LLMLogProbBlock",
    "LLMMessagesBlock",
    "FilterByValueBlock",
    "CombineColumnsBlock",
    "DuplicateColumnsBlock",
    "RenameColumnsBlock",
    "FlattenColumnsBlock",
    "SamplePopulatorBlock",
    "SelectorBlock",
    "SetToMajorityValueBlock",
    ITERATION,
];
/// Repeats another block.
const ITERATION: &str = "IterBlock";
/// More repetitions are a slip of the hand.
const MAX_ITERATIONS: u32 = 10_000;
/// Keys of its own, beside those of the block that it repeats.
const ITERATION_KEYS: [&str; 2] = ["num_iters", "block_type"];

pub(super) fn pipeline(
    files: &PipelineSource,
    path: &Path,
    text: &str,
    mut columns: Columns,
) -> Result<Pipeline, PipelineError> {
    let source = Source::new(path, text);
    let root = source.parse()?;
    source.keys(&root, "a pipeline", &["version", "blocks", "datamixing"])?;
    check_version(&source, &root)?;
    let list = source.required(&root, "blocks")?;
    if list.items().is_empty() {
        return Err(source
            .error(list.span, "`blocks` must be a list with at least one block")
            .into());
    }
    let blocks = list
        .items()
        .iter()
        .map(|node| block(files, &source, node, &mut columns))
        .collect::<Result<Vec<_>, _>>()?;
    for (index, block) in blocks.iter().enumerate() {
        if blocks[..index]
            .iter()
            .any(|before| before.name == block.name)
        {
            let span = list.items()[index]
                .get("name")
                .map_or(list.span, |name| name.span);
            return Err(source
                .error(span, format!("two blocks are named `{}`", block.name))
                .into());
        }
    }
    Ok(Pipeline {
        path: path.to_owned(),
        blocks,
        auxiliary: auxiliary_instructions(&source, &root)?,
    })
}

fn auxiliary_instructions(
    source: &Source<'_>,
    root: &Node,
) -> Result<AuxiliaryInstructions, YamlError> {
    let Some(mixing) = source.optional(root, "datamixing") else {
        return Ok(Vec::new());
    };
    source.keys(mixing, "`datamixing`", &["auxiliary_instructions"])?;
    let Some(kinds) = source.optional(mixing, "auxiliary_instructions") else {
        return Ok(Vec::new());
    };
    let names = kinds.entries().iter().map(|(name, _)| name.key_text());
    names
        .map(|name| {
            let instructions = source.texts(kinds, &name)?;
            Ok((name, instructions))
        })
        .collect()
}

fn check_version(source: &Source<'_>, root: &Node) -> Result<(), YamlError> {
    let node = source.required(root, "version")?;
    // Without quotes 1.0 is a number; the meaning is the same.
    let version = node.key_text();
    if version.split('.').next() == Some("1") {
        return Ok(());
    }
    Err(source.error(
        node.span,
        format!("pipelines of version {version} cannot be read, only those of version 1"),
    ))
}

/// A block that is being read.
struct Block<'a> {
    files: &'a PipelineSource,
    source: &'a Source<'a>,
    config: &'a Node,
    /// Keys of the configuration that are another reader's.
    foreign_keys: &'static [&'static str],
    /// What rows have where the block stands; what it produces is added.
    columns: &'a mut Columns,
}

impl Block<'_> {
    /// Refuses keys that the block does not know.
    fn keys(&self, known: &[&str]) -> Result<(), YamlError> {
        let known = [known, self.foreign_keys].concat();
        self.source
            .keys(self.config, "the config of this block", &known)
    }

    /// The column that a key names.
    fn column(&self, key: &str) -> Result<String, YamlError> {
        let node = self.source.required(self.config, key)?;
        let name = self.source.text(node, key)?;
        self.columns.require(self.source, node, name)?;
        Ok(name.to_owned())
    }

    /// The columns that a key lists, at least one.
    fn columns_of(&self, key: &str) -> Result<Vec<String>, YamlError> {
        let node = self.source.required(self.config, key)?;
        let names = self.source.texts(self.config, key)?;
        if names.is_empty() {
            let message = format!("`{key}` must name at least one column");
            return Err(self.source.error(node.span, message));
        }
        for (name, node) in names.iter().zip(node.items()) {
            self.columns.require(self.source, node, name)?;
        }
        Ok(names)
    }
}

fn block(
    files: &PipelineSource,
    source: &Source<'_>,
    node: &Node,
    columns: &mut Columns,
) -> Result<block::Block, PipelineError> {
    source.keys(
        node,
        "a block",
        &["name", "type", "config", "drop_columns", "drop_duplicates"],
    )?;
    let kind_node = source.required(node, "type")?;
    let config = source.required(node, "config")?;
    let is_repeated = source.text(kind_node, "type")? == ITERATION;
    let (kind_node, n_iterations) = if is_repeated {
        let n_iterations = source.required(config, "num_iters")?;
        (
            source.required(config, "block_type")?,
            source.count_to(n_iterations, "num_iters", MAX_ITERATIONS)?,
        )
    } else {
        (kind_node, 1)
    };
    let mut reader = Block {
        files,
        source,
        config,
        foreign_keys: if is_repeated { &ITERATION_KEYS } else { &[] },
        columns,
    };
    let kind = kind(&mut reader, kind_node)?;
    let drop_columns = source.texts(node, "drop_columns")?;
    for column in &drop_columns {
        columns.remove(column);
    }
    let drop_duplicates = source.texts(node, "drop_duplicates")?;
    let duplicates_node = source.optional(node, "drop_duplicates");
    for (column, node) in drop_duplicates
        .iter()
        .zip(duplicates_node.map_or(&[][..], Node::items))
    {
        columns.require(source, node, column)?;
    }
    Ok(block::Block {
        name: source.required_text(node, "name")?.to_owned(),
        kind,
        n_iterations,
        drop_columns,
        drop_duplicates,
    })
}

fn kind(block: &mut Block<'_>, node: &Node) -> Result<BlockKind, PipelineError> {
    Ok(match block.source.text(node, "type")? {
        "LLMBlock" | "LLMLogProbBlock" => BlockKind::Ask(Box::new(llm::ask(block)?)),
        "ConditionalLLMBlock" => BlockKind::Ask(Box::new(llm::conditional(block)?)),
        "LLMMessagesBlock" => BlockKind::Messages(llm::messages(block)?),
        "FilterByValueBlock" => BlockKind::Filter(rows::filter(block)?),
        "CombineColumnsBlock" => BlockKind::Combine(rows::combine(block)?),
        "DuplicateColumnsBlock" => BlockKind::Duplicate(rows::duplicate(block)?),
        "RenameColumnsBlock" => BlockKind::Rename(rows::rename(block)?),
        "FlattenColumnsBlock" => BlockKind::Flatten(rows::flatten(block)?),
        "SamplePopulatorBlock" => BlockKind::Populate(rows::populate(block)?),
        "SelectorBlock" => BlockKind::Select(rows::select(block)?),
        "SetToMajorityValueBlock" => {
            block.keys(&["col_name"])?;
            BlockKind::Majority {
                column: block.column("col_name")?,
            }
        }
        other => return Err(unknown_type(block.source, node, other).into()),
    })
}

fn unknown_type(source: &Source<'_>, node: &Node, name: &str) -> YamlError {
    let mut error = source.error(node.span, format!("blocks of type `{name}` cannot be run"));
    error.diagnostic.help = Some(match yaml::nearest(name, TYPES) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the types are {}", TYPES.join(", ")),
    });
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    const PROMPT: &str = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: hi\nstart_tags: ['']\nend_tags: ['']\n";

    fn columns() -> Columns {
        Columns::new(&["a", "b", "document"])
    }

    /// What is said about a pipeline file beside which lies `prompt.yaml`.
    fn check(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("prompt.yaml"), PROMPT).unwrap();
        let asks = PROMPT.replace("hi", "'{{ num_samples }} of {{ document }}'");
        std::fs::write(folder.path().join("asks.yaml"), asks).unwrap();
        let files = PipelineSource::Directory(folder.path().to_owned());
        let shown = match pipeline(&files, Path::new("k.yaml"), text, columns()) {
            Ok(pipeline) => format!("{} blocks", pipeline.blocks.len()),
            Err(error) => match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        };
        shown.replace(&folder.path().display().to_string(), "FOLDER")
    }

    /// A pipeline with one block of a type, whose config is on line 6 and following.
    fn check_block(kind: &str, config: &str) -> String {
        check(&format!(
            "version: '1.0'\nblocks:\n- name: a\n  type: {kind}\n  config:\n    {config}\n"
        ))
    }

    #[test]
    fn a_pipeline_that_cannot_be_used_is_refused_at_its_line() {
        let ask = "config_path: prompt.yaml\n    output_cols: [output]\n    ";
        insta::assert_snapshot!(check_block("LLMBlock", ask), @"1 blocks");
        insta::assert_snapshot!(check(""), @"k.yaml:1:1: a pipeline must be a mapping, not nothing");
        insta::assert_snapshot!(check("version: '2.1'\nblocks: []\n"), @"k.yaml:1:10: pipelines of version 2.1 cannot be read, only those of version 1");
        insta::assert_snapshot!(check("version: 1.0\nblocks: []\n"), @"k.yaml:2:9: `blocks` must be a list with at least one block");
        insta::assert_snapshot!(check("version: 1.0\nblocks: [3]\nextra: 1\n"), @"k.yaml:3:1: a pipeline has no key `extra`");
        insta::assert_snapshot!(check("version: 1.0\nblocks: [3]\n"), @"k.yaml:2:10: a block must be a mapping, not a whole number");
        insta::assert_snapshot!(check_block("LlmBlock", ask), @"k.yaml:4:9: blocks of type `LlmBlock` cannot be run");
        insta::assert_snapshot!(check_block("ImportBlock", "x: 1"), @"k.yaml:4:9: blocks of type `ImportBlock` cannot be run");
        insta::assert_snapshot!(check_block("LLMBlock", "config_path: gone.yaml\n    output_cols: [output]"), @"k.yaml:6:18: the prompt file `FOLDER/gone.yaml` does not exist");
        insta::assert_snapshot!(check_block("LLMBlock", "config_path: prompt.yaml\n    output_cols: [a, b]"), @"k.yaml:7:18: 2 output columns but 1 pairs of tags in `FOLDER/prompt.yaml`");
        insta::assert_snapshot!(check_block("LLMBlock", &format!("{ask}gen_kwargs: {{temperatur: 1}}")), @"k.yaml:8:18: `gen_kwargs` has no key `temperatur`");
        insta::assert_snapshot!(check_block("LLMBlock", &format!("{ask}gen_kwargs: {{n: 0}}")), @"k.yaml:8:21: `n` must be a whole number from 1, not 0");
        insta::assert_snapshot!(check_block("LLMBlock", &format!("{ask}model_prompt: '{{{{ nothing }}}}'")), @r"
        k.yaml:8:19: the template of `model_prompt` cannot be used: undefined value: `nothing` is undefined (in model_prompt:1)
        ");
        insta::assert_snapshot!(check_block("LLMBlock", &format!("{ask}parser_kwargs: {{parser_name: custom, parsing_pattern: '('}}")), @"k.yaml:8:59: the pattern cannot be used: Opening parenthesis without closing parenthesis, at byte 1");
        insta::assert_snapshot!(check_block("FilterByValueBlock", "filter_column: a\n    filter_value: 1\n    operation: is"), @"k.yaml:8:16: there is no operation `is`; there are eq, ne, lt, le, gt, ge, contains");
        insta::assert_snapshot!(check_block("RenameColumnsBlock", "columns_map: [a, b]"), @"k.yaml:6:18: `columns_map` must be a mapping from text to text, not a list");
    }

    #[test]
    fn a_block_that_cannot_be_used_is_refused_at_its_line() {
        insta::assert_snapshot!(check_block("CombineColumnsBlock", "columns: [a, documant]\n    output_col: c"), @"k.yaml:6:18: this block uses the column `documant`, which rows do not have here");
        insta::assert_snapshot!(check_block("DuplicateColumnsBlock", "columns_map: {zz: y}"), @"k.yaml:6:19: this block uses the column `zz`, which rows do not have here");
        insta::assert_snapshot!(check_block("FlattenColumnsBlock", "var_cols: []\n    value_name: v\n    var_name: n"), @"k.yaml:6:15: `var_cols` must name at least one column");
        insta::assert_snapshot!(check_block("SelectorBlock", "choice_map: {A: x}\n    choice_col: a\n    output_col: c"), @"k.yaml:6:21: this block uses the column `x`, which rows do not have here");
        insta::assert_snapshot!(check_block("SamplePopulatorBlock", "config_paths: [gone.yaml]\n    column_name: a\n    post_fix: new"), @"k.yaml:6:20: the file `FOLDER/gone_new.yaml` does not exist");
        insta::assert_snapshot!(check_block("SetToMajorityValueBlock", "col_name: score"), @"k.yaml:6:15: this block uses the column `score`, which rows do not have here");
        insta::assert_snapshot!(check_block("IterBlock", "num_iters: 0\n    block_type: LLMBlock"), @"k.yaml:6:16: `num_iters` must be a whole number from 1, not 0");
        insta::assert_snapshot!(check_block("IterBlock", "num_iters: 4000000000\n    block_type: LLMBlock"), @"k.yaml:6:16: `num_iters` must be at most 10000, not 4000000000");
        insta::assert_snapshot!(check_block("LLMBlock", "config_path: prompt.yaml\n    output_cols: [c, d]\n    parser_kwargs: {parser_name: custom, parsing_pattern: '(x)'}"), @"k.yaml:8:59: the pattern has 1 groups for 2 output columns");
        insta::assert_snapshot!(check_block("IterBlock", "num_iters: 2\n    block_type: IterBlock"), @"k.yaml:7:17: blocks of type `IterBlock` cannot be run");
        insta::assert_snapshot!(check_block("IterBlock", "num_iters: 2\n    block_type: CombineColumnsBlock\n    column: [a]"), @"k.yaml:8:5: the config of this block has no key `column`");
        insta::assert_snapshot!(check_block("ConditionalLLMBlock", "config_paths: [prompt.yaml]\n    output_cols: [c]"), @"k.yaml:6:20: each of `config_paths` must be a list of two: a prompt file, and the value that it is for");
        insta::assert_snapshot!(check_block("ConditionalLLMBlock", "config_paths: [[prompt.yaml, a]]\n    output_cols: [c]"), @"k.yaml:6:5: the key `selector_column_name` is missing");
        insta::assert_snapshot!(check_block("ConditionalLLMBlock", "config_paths: [[prompt.yaml, All]]\n    output_cols: [c]"), @"1 blocks");
        insta::assert_snapshot!(check_block("LLMMessagesBlock", "input_col: a\n    output_col: c\n    gen_kwargs: {n: scaled}"), @"k.yaml:8:17: `n: scaled` is for blocks that fill in a prompt; write a number here");
        insta::assert_snapshot!(check_block("LLMBlock", "config_path: asks.yaml\n    output_cols: [c]"), @"k.yaml:6:18: the prompt `asks.yaml` uses the column `num_samples`, which rows do not have here");
        insta::assert_snapshot!(check_block("LLMBlock", "config_path: asks.yaml\n    output_cols: [c]\n    batch_kwargs: {num_samples: 2}"), @"1 blocks");
    }

    #[test]
    fn block_names_are_unique() {
        let block = "- name: a\n  type: DuplicateColumnsBlock\n  config: {columns_map: {a: b}}\n";
        assert_eq!(
            check(&format!("version: '1.0'\nblocks:\n{block}")),
            "1 blocks"
        );
        let twice = check(&format!("version: '1.0'\nblocks:\n{block}{block}"));
        assert_eq!(twice, "k.yaml:6:9: two blocks are named `a`");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(version: 1\n|blocks:\n|- name: a\n|  type: LLMBlock\n|  config:|[ :{}\\[\\]a-c\n]){0,12}") {
            let files = PipelineSource::Embedded("simple".to_owned());
            let _ = pipeline(&files, Path::new("k.yaml"), &text, columns());
        }
    }
}
