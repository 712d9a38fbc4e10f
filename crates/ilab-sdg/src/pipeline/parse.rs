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
