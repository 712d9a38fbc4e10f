//! JSON, one object a line.

use std::io::{self, Write};
use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::IoError;
use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

/// How the objects of a file are spaced; readers take both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `{"a": 1, "b": 2}`, as the original writes what people look at.
    Spaced,
    /// `{"a":1,"b":2}`, as the original writes what only training reads.
    Compact,
}

pub(super) fn write<T: Serialize>(
    path: &Path,
    style: Style,
    records: impl IntoIterator<Item = T>,
) -> Result<(), IoError> {
    atomic::write_with(path, |file| {
        records
            .into_iter()
            .try_for_each(|record| write_record(file, style, &record))
    })
}

/// One line.
pub(super) fn write_record(
    file: &mut impl Write,
    style: Style,
    record: &impl Serialize,
) -> io::Result<()> {
    match style {
        Style::Spaced => record.serialize(&mut serde_json::Serializer::with_formatter(
            &mut *file,
            SpacedFormatter,
        ))?,
        Style::Compact => record.serialize(&mut serde_json::Serializer::with_formatter(
            &mut *file,
            CompactFormatter,
        ))?,
    }
    file.write_all(b"\n")
}

/// One value in the spaced style.
pub(super) fn spaced(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    value
        .serialize(&mut serde_json::Serializer::with_formatter(
            &mut bytes,
            SpacedFormatter,
        ))
        .expect("rows are plain data and memory takes every byte");
    String::from_utf8_lossy(&bytes).into_owned()
}

struct SpacedFormatter;

impl Formatter for SpacedFormatter {
    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_styles_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let record = serde_json::json!({"b": [1, 2], "a": "é/\n"});
        write(&path, Style::Compact, [&record, &record]).unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "{\"b\":[1,2],\"a\":\"é/\\n\"}\n".repeat(2)
        );
        assert_eq!(spaced(&record), r#"{"b": [1, 2], "a": "é/\n"}"#);
    }
}
