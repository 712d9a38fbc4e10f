//! What `torch.save` writes for a state dictionary: a zip archive with a pickle that describes tensors and one entry for each
//! storage.
//!
//! A pickle is a program. Here it is never run: the few instructions that a state dictionary needs build a tree of plain data, and
//! the only names that it may mention are those of tensors, storages and ordered dictionaries, which are recognised, not called.
//! Anything else is refused by its name.
//!
//! # Source
//! `torch/serialization.py` and `torch/_utils.py` of PyTorch 2.x; the instructions: `Lib/pickletools.py` of Python.

mod defect;
mod pickle;
mod tensors;

pub use defect::{PickleDefect, TorchDefect};

use std::ops::Range;

use crate::checkpoint::Location;
use crate::zip;

/// The tensors of a mapped file and where they lie.
pub(crate) fn locate(file: &[u8]) -> Result<Vec<(String, Location)>, TorchDefect> {
    if !file.starts_with(b"PK") {
        return Err(TorchDefect::NotZip {
            // The protocol 2 pickle of the magic number, with which files began before PyTorch 1.6.
            is_legacy: file.starts_with(b"\x80\x02"),
        });
    }
    let entries = zip::entries(file)?;
    let pickle = entries
        .iter()
        .find_map(|entry| Some((entry.name.strip_suffix("data.pkl")?, &entry.bytes)))
        .filter(|(folder, _)| folder.is_empty() || folder.ends_with('/'));
    let Some((folder, pickle)) = pickle else {
        return Err(TorchDefect::NoPickle);
    };
    let entry = |name: &str| -> Option<Range<usize>> {
        let wanted = format!("{folder}{name}");
        let entry = entries.iter().find(|entry| entry.name == wanted)?;
        Some(entry.bytes.clone())
    };
    if let Some(order) = entry("byteorder").filter(|order| file[order.clone()] != *b"little") {
        return Err(TorchDefect::ByteOrder {
            got: String::from_utf8_lossy(&file[order])
                .chars()
                .take(32)
                .collect(),
        });
    }
    let tree = pickle::parse(&file[pickle.clone()])?;
    tensors::locate(&tree, &|key| entry(&format!("data/{key}")))
}
