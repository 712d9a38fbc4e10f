//! Blocks that work on rows without the teacher.

use std::collections::BTreeMap;
use std::path::Path;

use ilab_base::yaml::{Node, Value};

use super::Block;
use crate::block::{
    ColumnPairs, Combine, Conversion, FilterByValue, Flatten, Operation, Populate, Select,
};
use crate::pipeline::PipelineError;
use crate::row::Row;
use crate::yaml::{Source, YamlError};

/// `FilterByValueBlock`.
pub(super) fn filter(block: &mut Block<'_>) -> Result<FilterByValue, YamlError> {
    let (source, config) = (block.source, block.config);
    let known = [
        "filter_column",
        "filter_value",
        "operation",
        "convert_dtype",
        "default_value",
    ];
    block.keys(&known)?;
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
            let conversion = Conversion::from_name(name);
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
        column: block.column("filter_column")?,
        values,
        operation,
        conversion,
        default: source.optional(config, "default_value").map(Node::to_json),
    })
}

/// `CombineColumnsBlock`.
pub(super) fn combine(block: &mut Block<'_>) -> Result<Combine, YamlError> {
    let (source, config) = (block.source, block.config);
    block.keys(&["columns", "output_col", "separator"])?;
    let separator = source
        .optional(config, "separator")
        .map(|node| source.text(node, "separator"))
        .transpose()?;
    let combine = Combine {
        columns: block.columns_of("columns")?,
        output_column: source.required_text(config, "output_col")?.to_owned(),
        separator: separator.unwrap_or("\n\n").to_owned(),
    };
    block.columns.add(&combine.output_column);
    Ok(combine)
}

/// `DuplicateColumnsBlock`.
pub(super) fn duplicate(block: &mut Block<'_>) -> Result<ColumnPairs, YamlError> {
    let pairs = column_pairs(block)?;
    for (_, to) in &pairs.pairs {
        block.columns.add(to);
    }
    Ok(pairs)
}

/// `RenameColumnsBlock`.
pub(super) fn rename(block: &mut Block<'_>) -> Result<ColumnPairs, YamlError> {
    let pairs = column_pairs(block)?;
    for (from, _) in &pairs.pairs {
        block.columns.remove(from);
    }
    for (_, to) in &pairs.pairs {
        block.columns.add(to);
    }
    Ok(pairs)
}

fn column_pairs(block: &Block<'_>) -> Result<ColumnPairs, YamlError> {
    let (source, config) = (block.source, block.config);
    block.keys(&["columns_map"])?;
    let pairs = source.text_pairs(config, "columns_map")?;
    let node = source.required(config, "columns_map")?;
    for ((from, _), (key, _)) in pairs.iter().zip(node.entries()) {
        block.columns.require(source, key, from)?;
    }
    Ok(ColumnPairs { pairs })
}

/// `FlattenColumnsBlock`.
pub(super) fn flatten(block: &mut Block<'_>) -> Result<Flatten, YamlError> {
    let (source, config) = (block.source, block.config);
    block.keys(&["var_cols", "value_name", "var_name"])?;
    let flatten = Flatten {
        columns: block.columns_of("var_cols")?,
        value_column: source.required_text(config, "value_name")?.to_owned(),
        name_column: source.required_text(config, "var_name")?.to_owned(),
    };
    for column in &flatten.columns {
        block.columns.remove(column);
    }
    block.columns.add(&flatten.value_column);
    block.columns.add(&flatten.name_column);
    Ok(flatten)
}

/// `SelectorBlock`.
pub(super) fn select(block: &mut Block<'_>) -> Result<Select, YamlError> {
    let (source, config) = (block.source, block.config);
    block.keys(&["choice_map", "choice_col", "output_col"])?;
    let choices = source.text_pairs(config, "choice_map")?;
    let node = source.required(config, "choice_map")?;
    for ((_, column), (_, value)) in choices.iter().zip(node.entries()) {
        block.columns.require(source, value, column)?;
    }
    let select = Select {
        choice_column: block.column("choice_col")?,
        choices,
        output_column: source.required_text(config, "output_col")?.to_owned(),
    };
    block.columns.add(&select.output_column);
    Ok(select)
}

/// `SamplePopulatorBlock`: a file's name without its ending is the value that it is for.
pub(super) fn populate(block: &mut Block<'_>) -> Result<Populate, PipelineError> {
    let (source, config) = (block.source, block.config);
    block.keys(&["config_paths", "column_name", "post_fix"])?;
    let column = block.column("column_name")?;
    let post_fix = match source.optional(config, "post_fix") {
        Some(node) => source.text(node, "post_fix")?,
        None => "",
    };
    let list = source.required(config, "config_paths")?;
    let mut entries = BTreeMap::new();
    for node in list.items() {
        let path = source.text(node, "config_paths")?;
        let stem = Path::new(path).file_stem().unwrap_or_default();
        let key = stem.to_string_lossy().into_owned();
        let file = match post_fix {
            "" => path.to_owned(),
            post_fix => path.replace(".yaml", &format!("_{post_fix}.yaml")),
        };
        let entry = entry(block, node, &file)?;
        entries.insert(key, entry);
    }
    // A row gets the columns of one file: only those of all are sure to be there.
    let mut rest = entries.values();
    if let Some(first) = rest.next() {
        let rest: Vec<&Row> = rest.collect();
        for column in first.keys() {
            if rest.iter().all(|entry| entry.contains_key(column)) {
                block.columns.add(column);
            }
        }
    }
    if entries.is_empty() {
        let message = "`config_paths` must be a list with at least one file";
        return Err(source.error(list.span, message).into());
    }
    Ok(Populate { column, entries })
}

/// The columns that a file adds.
fn entry(block: &Block<'_>, node: &Node, file: &str) -> Result<Row, PipelineError> {
    let text = block.files.read(file).map_err(|error| match error {
        PipelineError::Io(io) if io.is_not_found() => {
            let message = format!("the file `{}` does not exist", io.path.display());
            block.source.error(node.span, message).into()
        }
        other => other,
    })?;
    let path = block.files.path(file);
    let source = Source::new(&path, &text);
    let root = source.parse()?;
    match root.to_json() {
        serde_json::Value::Object(entry) => Ok(entry),
        _ => {
            let message = format!("it must be a mapping of columns, not {}", root.kind());
            Err(source.error(root.span, message).into())
        }
    }
}
