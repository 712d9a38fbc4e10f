//! From the tree of a pickle to the places of tensors.

use std::ops::Range;

use super::defect::TorchDefect;
use super::pickle::{Global, Node, NodeId, Tree};
use crate::checkpoint::{Encoding, Layout, Location};

/// Deepest nesting of parameters around a tensor; PyTorch writes one.
const MAX_NESTING: usize = 4;
/// Most axes of a tensor.
const MAX_RANK: usize = 8;

/// The tensors of a state dictionary; `storage` finds the bytes of a storage by its key.
pub(super) fn locate(
    tree: &Tree,
    storage: &dyn Fn(&str) -> Option<Range<usize>>,
) -> Result<Vec<(String, Location)>, TorchDefect> {
    let Node::Dictionary(items) = tree.node(tree.root) else {
        return Err(unexpected("a dictionary of tensors", tree.node(tree.root)));
    };
    let mut located: Vec<(String, Location)> = Vec::with_capacity(items.len());
    for (key, value) in items {
        let Node::Text(name) = tree.node(*key) else {
            return Err(unexpected("the name of a tensor", tree.node(*key)));
        };
        let tensor = described(tree, *value, 0)?;
        located.push((name.clone(), place(name, &tensor, storage)?));
    }
    Ok(located)
}

/// A tensor as the pickle describes it.
struct Described<'a> {
    key: &'a str,
    encoding: Encoding,
    value_bytes: usize,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

fn unexpected(expected: &'static str, node: &Node) -> TorchDefect {
    let got = match node {
        Node::None => "nothing".to_owned(),
        Node::Bool(_) | Node::Integer(_) | Node::Float => "a number".to_owned(),
        Node::Text(text) => format!("the text `{}`", text.chars().take(60).collect::<String>()),
        Node::Sequence(_) => "a list".to_owned(),
        Node::Dictionary(_) => "a dictionary".to_owned(),
        Node::Global(_) => "a class".to_owned(),
        Node::Persistent(_) => "a storage".to_owned(),
        Node::Call(..) => "a tensor".to_owned(),
    };
    TorchDefect::Structure { expected, got }
}

fn described(tree: &Tree, id: NodeId, depth: usize) -> Result<Described<'_>, TorchDefect> {
    const TENSOR: &str = "a tensor";
    let node = tree.node(id);
    let Node::Call(global, arguments) = node else {
        return Err(unexpected(TENSOR, node));
    };
    let Node::Sequence(arguments) = tree.node(*arguments) else {
        return Err(unexpected("arguments", tree.node(*arguments)));
    };
    match (global, arguments.as_slice()) {
        (Global::RebuildParameter, [tensor, ..]) if depth < MAX_NESTING => {
            described(tree, *tensor, depth + 1)
        }
        (Global::RebuildTensor, [storage, offset, shape, strides, ..]) => {
            let (key, class) = storage_of(tree, *storage)?;
            let (encoding, value_bytes) = encoding(class);
            Ok(Described {
                key,
                encoding,
                value_bytes,
                offset: size(tree, *offset)?,
                shape: sizes(tree, *shape)?,
                strides: sizes(tree, *strides)?,
            })
        }
        _ => Err(unexpected(TENSOR, node)),
    }
}

/// The key of a storage and its class.
fn storage_of(tree: &Tree, id: NodeId) -> Result<(&str, &'static str), TorchDefect> {
    let unexpected = || unexpected("a storage", tree.node(id));
    let Node::Persistent(parts) = tree.node(id) else {
        return Err(unexpected());
    };
    let Node::Sequence(parts) = tree.node(*parts) else {
        return Err(unexpected());
    };
    // ("storage", class, key, device, number of values)
    let &[tag, class, key, _, _] = parts.as_slice() else {
        return Err(unexpected());
    };
    match (tree.node(tag), tree.node(class), tree.node(key)) {
        (Node::Text(tag), Node::Global(Global::Storage(class)), Node::Text(key))
            if tag == "storage" =>
        {
            Ok((key, class))
        }
        _ => Err(unexpected()),
    }
}

/// The encoding of a class of storages, and the bytes of a value.
fn encoding(class: &'static str) -> (Encoding, usize) {
    match class {
        "FloatStorage" => (Encoding::F32, 4),
        "HalfStorage" => (Encoding::F16, 2),
        "BFloat16Storage" => (Encoding::Bf16, 2),
        "DoubleStorage" => (Encoding::Other("F64"), 8),
        "LongStorage" => (Encoding::Other("I64"), 8),
        "IntStorage" => (Encoding::Other("I32"), 4),
        "ShortStorage" => (Encoding::Other("I16"), 2),
        "CharStorage" => (Encoding::Other("I8"), 1),
        "ByteStorage" => (Encoding::Other("U8"), 1),
        _ => (Encoding::Other("BOOL"), 1),
    }
}

fn size(tree: &Tree, id: NodeId) -> Result<usize, TorchDefect> {
    match tree.node(id) {
        Node::Integer(value) => usize::try_from(*value).map_err(|_| TorchDefect::Structure {
            expected: "a size",
            got: value.to_string(),
        }),
        node => Err(unexpected("a size", node)),
    }
}

fn sizes(tree: &Tree, id: NodeId) -> Result<Vec<usize>, TorchDefect> {
    match tree.node(id) {
        Node::Sequence(items) if items.len() <= MAX_RANK => {
            items.iter().map(|item| size(tree, *item)).collect()
        }
        node => Err(unexpected("a shape", node)),
    }
}

/// Holds a tensor against the bytes of its storage.
fn place(
    name: &str,
    tensor: &Described<'_>,
    storage: &dyn Fn(&str) -> Option<Range<usize>>,
) -> Result<Location, TorchDefect> {
    let bytes = storage(tensor.key).ok_or_else(|| TorchDefect::NoStorage {
        tensor: name.to_owned(),
        key: tensor.key.chars().take(60).collect(),
    })?;
    let n_stored = bytes.len() / tensor.value_bytes;
    let outside = || TorchDefect::Outside {
        tensor: name.to_owned(),
        shape: tensor.shape.clone(),
        strides: tensor.strides.clone(),
        offset: tensor.offset,
        n_values: n_stored,
    };
    let extent = extent(&tensor.shape, &tensor.strides).ok_or_else(outside)?;
    let end = tensor.offset.checked_add(extent).ok_or_else(outside)?;
    // A stride of zero repeats values without end; what a storage cannot hold is not believed.
    let n_values = tensor
        .shape
        .iter()
        .try_fold(1_usize, |product, size| product.checked_mul(*size));
    if end > n_stored || n_values.is_none_or(|n_values| n_values > n_stored) {
        return Err(outside());
    }
    let begin = bytes.start + tensor.offset * tensor.value_bytes;
    let layout = if is_row_major(&tensor.shape, &tensor.strides) {
        Layout::RowMajor
    } else {
        Layout::Strided(tensor.strides.clone())
    };
    Ok(Location {
        bytes: begin..begin + extent * tensor.value_bytes,
        shape: tensor.shape.clone(),
        encoding: tensor.encoding,
        layout,
    })
}

/// How many values of the storage a tensor reaches over.
fn extent(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.len() != strides.len() {
        return None;
    }
    if shape.contains(&0) {
        return Some(0);
    }
    shape
        .iter()
        .zip(strides)
        .try_fold(1, |extent: usize, (size, stride)| {
            extent.checked_add((size - 1).checked_mul(*stride)?)
        })
}

fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(size, stride)| {
        let is_next = *size == 1 || *stride == expected;
        expected *= size;
        is_next
    })
}
