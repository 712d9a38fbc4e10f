//! A pipeline file to blocks.

use std::path::Path;

use ilab_base::yaml::{self, Node, Value};

use super::{Pipeline, PipelineError, PipelineSource, fingerprint};
use crate::block::{
    AnswerParser, Ask, Block, BlockKind, ColumnPairs, Combine, FilterByValue, NumberOfAnswers,
    Operation,
};
use crate::yaml::{Source, YamlError};

/// The block types that can be run.
const TYPES: [&str; 5] = [
    "LLMBlock",
    "FilterByValueBlock",
    "CombineColumnsBlock",
    "DuplicateColumnsBlock",
    "RenameColumnsBlock",
];

/// Parameters of a request that a block may set.
const GENERATION_KEYS: [&str; 8] = [
    "temperature",
    "max_tokens",
    "n",
    "seed",
    "top_p",
    "top_k",
    "min_p",
    "stop",
];

/// What the original asks for when a block does not say.
const DEFAULT_MAX_TOKENS: u32 = 4096;

pub(super) fn pipeline(
    files: &PipelineSource,
    path: &Path,
    text: &str,
) -> Result<Pipeline, PipelineError> {
    let source = Source::new(path, text);
    let root = source.parse()?;
    source.keys(&root, "a pipeline", &["version", "blocks", "datamixing"])?;
    check_version(&source, &root)?;
    if let Some(mixing) = source.optional(&root, "datamixing") {
        return Err(source
            .error(mixing.span, "`datamixing` is not supported")
            .into());
    }
    let list = source.required(&root, "blocks")?;
    if list.items().is_empty() {
        return Err(source
            .error(list.span, "`blocks` must be a list with at least one block")
            .into());
    }
    let blocks = list
        .items()
        .iter()
        .map(|node| block(files, &source, node))
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
    })
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

fn block(files: &PipelineSource, source: &Source<'_>, node: &Node) -> Result<Block, PipelineError> {
    source.keys(
        node,
        "a block",
        &["name", "type", "config", "drop_columns", "drop_duplicates"],
    )?;
    let kind_node = source.required(node, "type")?;
    let kind_name = source.text(kind_node, "type")?;
    let config = source.required(node, "config")?;
    let kind = match kind_name {
        "LLMBlock" => BlockKind::Ask(Box::new(ask(files, source, config)?)),
        "FilterByValueBlock" => BlockKind::Filter(filter(source, config)?),
        "CombineColumnsBlock" => BlockKind::Combine(combine(source, config)?),
        "DuplicateColumnsBlock" => BlockKind::Duplicate(column_pairs(source, config)?),
        "RenameColumnsBlock" => BlockKind::Rename(column_pairs(source, config)?),
        other => return Err(unknown_type(source, kind_node, other).into()),
    };
    Ok(Block {
        name: source.required_text(node, "name")?.to_owned(),
        kind,
        drop_columns: source.texts(node, "drop_columns")?,
        drop_duplicates: source.texts(node, "drop_duplicates")?,
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

fn ask(files: &PipelineSource, source: &Source<'_>, config: &Node) -> Result<Ask, PipelineError> {
    let known = [
        "config_path",
        "output_cols",
        "gen_kwargs",
        "parser_kwargs",
        "batch_kwargs",
        "model_id",
        "model_family",
        "model_prompt",
    ];
    source.keys(config, "the config of an LLMBlock", &known)?;
    if let Some(node) = source.optional(config, "model_prompt") {
        let message = "`model_prompt` is not supported: a prompt is sent as a chat message and the model's own template frames it";
        return Err(source.error(node.span, message).into());
    }
    let path_node = source.required(config, "config_path")?;
    let template = files
        .prompt(source.text(path_node, "config_path")?)
        .map_err(|error| match error {
            PipelineError::Io(io) if io.is_not_found() => source
                .error(
                    path_node.span,
                    format!("the prompt file `{}` does not exist", io.path.display()),
                )
                .into(),
            other => other,
        })?;
    let columns_node = source.required(config, "output_cols")?;
    let output_columns = source.texts(config, "output_cols")?;
    if output_columns.is_empty() {
        return Err(source
            .error(
                columns_node.span,
                "`output_cols` must name at least one column",
            )
            .into());
    }
    let parser = match source.optional(config, "parser_kwargs") {
        Some(node) => custom_parser(source, node)?,
        None => AnswerParser::Tags(template.tags().to_vec()),
    };
    if let AnswerParser::Tags(tags) = &parser
        && tags.len() != output_columns.len()
    {
        let message = format!(
            "{} output columns but {} pairs of tags in `{}`",
            output_columns.len(),
            tags.len(),
            template.path().display()
        );
        return Err(source.error(columns_node.span, message).into());
    }
    let (sampling, n_answers) = sampling(source, source.optional(config, "gen_kwargs"))?;
    Ok(Ask {
        fingerprint: fingerprint([&template.fingerprint()[..]]),
        template,
        output_columns,
        parser,
        sampling,
        n_answers,
        n_samples: n_samples(source, source.optional(config, "batch_kwargs"))?,
    })
}

fn n_samples(source: &Source<'_>, batch: Option<&Node>) -> Result<Option<u32>, YamlError> {
    let Some(batch) = batch else { return Ok(None) };
    source.keys(batch, "`batch_kwargs`", &["num_samples", "batched"])?;
    source
        .optional(batch, "num_samples")
        .map(|node| source.count(node, "num_samples", 1))
        .transpose()
}

fn custom_parser(source: &Source<'_>, node: &Node) -> Result<AnswerParser, YamlError> {
    source.keys(
        node,
        "`parser_kwargs`",
        &["parser_name", "parsing_pattern", "parser_cleanup_tags"],
    )?;
    let name_node = source.required(node, "parser_name")?;
    match source.text(name_node, "parser_name")? {
        "custom" => {}
        other => {
            return Err(source.error(
                name_node.span,
                format!("there is no parser `{other}`, only `custom`"),
            ));
        }
    }
    let pattern_node = source.required(node, "parsing_pattern")?;
    let pattern = source.text(pattern_node, "parsing_pattern")?;
    // As with the original's DOTALL: a dot matches line ends too.
    let regex = regex::RegexBuilder::new(pattern)
        .dot_matches_new_line(true)
        .build()
        .map_err(|error| {
            source.error(
                pattern_node.span,
                format!(
                    "the pattern cannot be used: {}",
                    last_line(&error.to_string())
                ),
            )
        })?;
    Ok(AnswerParser::Pattern {
        regex,
        cleanup: source.texts(node, "parser_cleanup_tags")?,
    })
}

/// The regex crate draws the pattern over several lines; its last line says what is wrong.
fn last_line(text: &str) -> &str {
    text.lines()
        .last()
        .unwrap_or(text)
        .trim_start_matches("error: ")
}

fn sampling(
    source: &Source<'_>,
    node: Option<&Node>,
) -> Result<(ilab_openai::completer::Sampling, NumberOfAnswers), YamlError> {
    let mut sampling = ilab_openai::completer::Sampling {
        temperature: Some(0.0),
        max_tokens: Some(DEFAULT_MAX_TOKENS),
        ..Default::default()
    };
    let mut n_answers = NumberOfAnswers::Fixed(1);
    let Some(node) = node else {
        return Ok((sampling, n_answers));
    };
    source.keys(node, "`gen_kwargs`", &GENERATION_KEYS)?;
    // Requests carry single precision; a temperature needs no more.
    let number = |key: &str| {
        source
            .optional(node, key)
            .map(|value| source.number(value, key).map(|value| value as f32))
            .transpose()
    };
    let count = |key: &str, least| {
        source
            .optional(node, key)
            .map(|value| source.count(value, key, least))
            .transpose()
    };
    sampling.temperature = number("temperature")?.or(sampling.temperature);
    sampling.max_tokens = count("max_tokens", 1)?.or(sampling.max_tokens);
    sampling.top_p = number("top_p")?;
    sampling.min_p = number("min_p")?;
    sampling.top_k = count("top_k", 0)?;
    sampling.seed = count("seed", 0)?.map(u64::from);
    sampling.stop = match source.optional(node, "stop") {
        Some(Node {
            value: Value::Text(text),
            ..
        }) => vec![text.clone()],
        _ => source.texts(node, "stop")?,
    };
    if let Some(n) = source.optional(node, "n") {
        n_answers = match n.as_text() {
            Some("scaled") => NumberOfAnswers::Scaled,
            _ => NumberOfAnswers::Fixed(source.count(n, "n", 1)?),
        };
    }
    Ok((sampling, n_answers))
}

fn filter(source: &Source<'_>, config: &Node) -> Result<FilterByValue, YamlError> {
    let known = [
        "filter_column",
        "filter_value",
        "operation",
        "convert_dtype",
        "default_value",
    ];
    source.keys(config, "the config of a FilterByValueBlock", &known)?;
    let operation_node = source.required(config, "operation")?;
    let operation_name = source.text(operation_node, "operation")?;
    let operation = Operation::from_name(operation_name).ok_or_else(|| {
        let names = Operation::NAMES.map(|(name, _)| name).join(", ");
        source.error(
            operation_node.span,
            format!("there is no operation `{operation_name}`; there are {names}"),
        )
    })?;
    let conversion = match source.optional(config, "convert_dtype") {
        None => None,
        Some(node) => {
            let name = source.text(node, "convert_dtype")?;
            let conversion = crate::block::Conversion::from_name(name);
            Some(conversion.ok_or_else(|| {
                source.error(
                    node.span,
                    format!("`convert_dtype` is int, float or bool, not `{name}`"),
                )
            })?)
        }
    };
    let value = source.required(config, "filter_value")?;
    let values = match &value.value {
        Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
        _ => vec![value.to_json()],
    };
    Ok(FilterByValue {
        column: source.required_text(config, "filter_column")?.to_owned(),
        values,
        operation,
        conversion,
        default: source.optional(config, "default_value").map(Node::to_json),
    })
}

fn combine(source: &Source<'_>, config: &Node) -> Result<Combine, YamlError> {
    source.keys(
        config,
        "the config of a CombineColumnsBlock",
        &["columns", "output_col", "separator"],
    )?;
    source.required(config, "columns")?;
    let separator = source
        .optional(config, "separator")
        .map(|node| source.text(node, "separator"))
        .transpose()?;
    Ok(Combine {
        columns: source.texts(config, "columns")?,
        output_column: source.required_text(config, "output_col")?.to_owned(),
        separator: separator.unwrap_or("\n\n").to_owned(),
    })
}

fn column_pairs(source: &Source<'_>, config: &Node) -> Result<ColumnPairs, YamlError> {
    source.keys(config, "the config of this block", &["columns_map"])?;
    Ok(ColumnPairs {
        pairs: source.text_pairs(config, "columns_map")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;

    const PROMPT: &str = "system: ~\nintroduction: ~\nprinciples: ~\nexamples: ~\ngeneration: hi\nstart_tags: ['']\nend_tags: ['']\n";

    /// What is said about a pipeline file beside which lies `prompt.yaml`.
    fn check(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("prompt.yaml"), PROMPT).unwrap();
        let files = PipelineSource::Directory(folder.path().to_owned());
        let shown = match pipeline(&files, Path::new("k.yaml"), text) {
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
        insta::assert_snapshot!(check_block("LLMBlock", &format!("{ask}model_prompt: '<s>'")), @"k.yaml:8:19: `model_prompt` is not supported: a prompt is sent as a chat message and the model's own template frames it");
        insta::assert_snapshot!(check_block("LLMBlock", &format!("{ask}parser_kwargs: {{parser_name: custom, parsing_pattern: '('}}")), @"k.yaml:8:59: the pattern cannot be used: unclosed group");
        insta::assert_snapshot!(check_block("FilterByValueBlock", "filter_column: a\n    filter_value: 1\n    operation: is"), @"k.yaml:8:16: there is no operation `is`; there are eq, ne, lt, le, gt, ge, contains");
        insta::assert_snapshot!(check_block("RenameColumnsBlock", "columns_map: [a, b]"), @"k.yaml:6:18: `columns_map` must be a mapping from text to text, not a list");
    }

    #[test]
    fn block_names_are_unique() {
        let block = "- name: a\n  type: RenameColumnsBlock\n  config: {columns_map: {x: y}}\n";
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
            let _ = pipeline(&files, Path::new("k.yaml"), &text);
        }
    }
}
