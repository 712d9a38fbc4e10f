//! Blocks that ask the teacher.

use ilab_base::yaml::{Node, Value};
use ilab_openai::completer::Sampling;
use ilab_openai::constraint::Constraint;

use super::Block;
use crate::block::{AnswerParser, Ask, AskMessages, NumberOfAnswers, Prompts};
use crate::model_prompt::ModelPrompt;
use crate::pipeline::{PipelineError, fingerprint};
use crate::prompt::PromptTemplate;
use crate::yaml::{Source, YamlError};

/// Parameters of a request that a block may set.
const GENERATION_KEYS: [&str; 10] = [
    "temperature",
    "max_tokens",
    "n",
    "seed",
    "top_p",
    "top_k",
    "min_p",
    "stop",
    "extra_body",
    // The teacher of the run takes its place, as with the original.
    "model",
];

/// What the name of a constraint begins with among the fields for a server.
const GUIDED: &str = "guided_";

/// More answers to one prompt are a slip of the hand.
const MAX_ANSWERS: u32 = 10_000;
/// What the original asks for when a block does not say.
const DEFAULT_MAX_TOKENS: u32 = 4096;
/// As the original does where a chat is to have several answers and no temperature.
const TEMPERATURE_OF_SEVERAL: f32 = 0.7;

/// Keys that all blocks which fill in a prompt have.
const ASK_KEYS: [&str; 7] = [
    "output_cols",
    "gen_kwargs",
    "parser_kwargs",
    "batch_kwargs",
    "model_id",
    "model_family",
    "model_prompt",
];
/// As in the original, a dot matches line ends too.
const DOT_ALL: &str = "(?s)";
/// The one key of a conditional block that takes all rows.
const ALL: &str = "All";

/// `LLMBlock` and `LLMLogProbBlock`.
pub(super) fn ask(block: &mut Block<'_>) -> Result<Ask, PipelineError> {
    let (source, config) = (block.source, block.config);
    block.keys(&[&ASK_KEYS[..], &["config_path"]].concat())?;
    let node = source.required(config, "config_path")?;
    let template = prompt(block, node)?;
    with_prompts(block, node, Prompts::one(template))
}

/// `ConditionalLLMBlock`: pairs of a prompt file and the value of the selector that it is for.
pub(super) fn conditional(block: &mut Block<'_>) -> Result<Ask, PipelineError> {
    let (source, config) = (block.source, block.config);
    let keys = ["config_paths", "selector_column_name"];
    block.keys(&[&ASK_KEYS[..], &keys].concat())?;
    let list = source.required(config, "config_paths")?;
    let mut templates = Vec::new();
    for pair in list.items() {
        let [path, value] = pair.items() else {
            let message = "each of `config_paths` must be a list of two: a prompt file, and the value that it is for";
            return Err(source.error(pair.span, message).into());
        };
        templates.push((value.key_text(), prompt(block, path)?));
    }
    if templates.is_empty() {
        let message = "`config_paths` must be a list with at least one prompt file";
        return Err(source.error(list.span, message).into());
    }
    let prompts = match &templates[..] {
        [(value, _)] if value == ALL => {
            let (_, template) = templates.remove(0);
            Prompts::one(template)
        }
        _ => {
            let node = source.required(config, "selector_column_name")?;
            let column = source.text(node, "selector_column_name")?.to_owned();
            block.columns.require(source, node, &column)?;
            Prompts::by_column(column, templates)
        }
    };
    with_prompts(block, list, prompts)
}

/// `LLMMessagesBlock`.
pub(super) fn messages(block: &mut Block<'_>) -> Result<AskMessages, PipelineError> {
    let (source, config) = (block.source, block.config);
    block.keys(&["input_col", "output_col", "model_id", "gen_kwargs"])?;
    let input_column = block.column("input_col")?;
    let gen_kwargs = source.optional(config, "gen_kwargs");
    let (mut sampling, n_answers) = sampling(source, gen_kwargs)?;
    match n_answers {
        NumberOfAnswers::Fixed(n) => sampling.n = n,
        NumberOfAnswers::Scaled => {
            let node = gen_kwargs.unwrap_or(config);
            let message = "`n: scaled` is for blocks that fill in a prompt; write a number here";
            return Err(source.error(node.span, message).into());
        }
    }
    if sampling.n > 1 && sampling.temperature <= Some(0.0) {
        sampling.temperature = Some(TEMPERATURE_OF_SEVERAL);
    }
    let output_column = source.required_text(config, "output_col")?.to_owned();
    block.columns.add(&output_column);
    Ok(AskMessages {
        input_column,
        output_column,
        sampling,
    })
}

/// A prompt file, and whether the rows have what it asks about.
fn prompt(block: &Block<'_>, node: &Node) -> Result<PromptTemplate, PipelineError> {
    let source = block.source;
    let file = source.text(node, "config_path")?;
    let template = block.files.prompt(file).map_err(|error| match error {
        PipelineError::Io(io) if io.is_not_found() => {
            let message = format!("the prompt file `{}` does not exist", io.path.display());
            source.error(node.span, message).into()
        }
        other => other,
    })?;
    let has_n_samples = (source.optional(block.config, "batch_kwargs"))
        .is_some_and(|batch| source.optional(batch, "num_samples").is_some());
    for variable in template.variables() {
        if !(variable == "num_samples" && has_n_samples) {
            let user = format!("the prompt `{file}`");
            block.columns.require_for(source, node, &variable, &user)?;
        }
    }
    Ok(template)
}

fn with_prompts(
    block: &mut Block<'_>,
    prompts_node: &Node,
    prompts: Prompts,
) -> Result<Ask, PipelineError> {
    let (source, config) = (block.source, block.config);
    let model_prompt = match source.optional(config, "model_prompt") {
        Some(node) => {
            let template = ModelPrompt::parse(source.text(node, "model_prompt")?);
            Some(template.map_err(|error| {
                let message = format!("the template of `model_prompt` cannot be used: {error}");
                source.error(node.span, message)
            })?)
        }
        None => None,
    };
    let columns_node = source.required(config, "output_cols")?;
    let output_columns = source.texts(config, "output_cols")?;
    if output_columns.is_empty() {
        let message = "`output_cols` must name at least one column";
        return Err(source.error(columns_node.span, message).into());
    }
    // The first prompt's tags are for all, as in the original.
    let Some(first) = prompts.all().next() else {
        return Err(source.error(prompts_node.span, "there is no prompt").into());
    };
    let parser = match source.optional(config, "parser_kwargs") {
        Some(node) => custom_parser(source, node, output_columns.len())?,
        None => tags(source, columns_node, output_columns.len(), first)?,
    };
    let (sampling, n_answers) = sampling(source, source.optional(config, "gen_kwargs"))?;
    let n_samples = n_samples(source, source.optional(config, "batch_kwargs"))?;
    if n_samples.is_some() {
        block.columns.add("num_samples");
    }
    for column in &output_columns {
        block.columns.add(column);
    }
    let fingerprints: Vec<_> = prompts.all().map(PromptTemplate::fingerprint).collect();
    Ok(Ask {
        fingerprint: fingerprint(fingerprints.iter().map(|one| &one[..])),
        prompts,
        model_prompt,
        output_columns,
        parser,
        sampling,
        n_answers,
        n_samples,
    })
}

fn tags(
    source: &Source<'_>,
    columns_node: &Node,
    n_columns: usize,
    template: &PromptTemplate,
) -> Result<AnswerParser, YamlError> {
    let tags = template.tags();
    if tags.len() == n_columns {
        return Ok(AnswerParser::Tags(tags.to_vec()));
    }
    let message = format!(
        "{n_columns} output columns but {} pairs of tags in `{}`",
        tags.len(),
        template.path().display()
    );
    Err(source.error(columns_node.span, message))
}

fn n_samples(source: &Source<'_>, batch: Option<&Node>) -> Result<Option<u32>, YamlError> {
    let Some(batch) = batch else { return Ok(None) };
    source.keys(batch, "`batch_kwargs`", &["num_samples", "batched"])?;
    source
        .optional(batch, "num_samples")
        .map(|node| source.count(node, "num_samples", 1))
        .transpose()
}

fn custom_parser(
    source: &Source<'_>,
    node: &Node,
    n_columns: usize,
) -> Result<AnswerParser, YamlError> {
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
    let regex = fancy_regex::Regex::new(&format!("{DOT_ALL}{pattern}")).map_err(|error| {
        let what = match error {
            fancy_regex::Error::ParseError(place, what) => {
                let place = place.saturating_sub(DOT_ALL.len());
                format!("{what}, at byte {place}")
            }
            other => last_line(&other.to_string()).to_owned(),
        };
        let message = format!("the pattern cannot be used: {what}");
        source.error(pattern_node.span, message)
    })?;
    // Without groups the whole match is one value.
    let n_values = (regex.captures_len() - 1).max(1);
    if n_values < n_columns {
        let message = format!("the pattern has {n_values} groups for {n_columns} output columns");
        return Err(source.error(pattern_node.span, message));
    }
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
) -> Result<(Sampling, NumberOfAnswers), YamlError> {
    let mut sampling = Sampling {
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
    if let Some(fields) = source.optional(node, "extra_body") {
        extra_body(source, fields, &mut sampling)?;
    }
    if let Some(n) = source.optional(node, "n") {
        n_answers = match n.as_text() {
            Some("scaled") => NumberOfAnswers::Scaled,
            _ => NumberOfAnswers::Fixed(source.count_to(n, "n", MAX_ANSWERS)?),
        };
    }
    Ok((sampling, n_answers))
}

/// Fields for the server as they are, but for a constraint, which every teacher that can keeps to.
fn extra_body(
    source: &Source<'_>,
    fields: &Node,
    sampling: &mut Sampling,
) -> Result<(), YamlError> {
    let Value::Mapping(entries) = &fields.value else {
        return Err(source.error(fields.span, "`extra_body` must be a mapping"));
    };
    for (key, node) in entries {
        let (key, value) = (key.key_text(), node.to_json());
        let Some(name) = key.strip_prefix(GUIDED) else {
            sampling.extra.insert(key, value);
            continue;
        };
        match Constraint::named(name, &value) {
            Some(constraint) => sampling.constraint = Some(constraint),
            None => {
                let message = format!(
                    "`{key}` is no form of an answer: there are `guided_choice` (a list of texts), `guided_regex`, `guided_grammar` (texts) and `guided_json`"
                );
                return Err(source.error(node.span, message));
            }
        }
    }
    Ok(())
}
