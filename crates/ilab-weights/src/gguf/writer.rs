//! Streamed writing: the header first, then one tensor after the other.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use ilab_base::atomic;
use ilab_base::io::IoError;

use crate::gguf::error::{DefectKind, GgufError};
use crate::gguf::metadata::Metadata;
use crate::gguf::reader::{MAX_KEY_BYTES, MAX_TENSOR_NAME_BYTES};
use crate::gguf::tensor::{MAX_RANK, TensorInfo};
use crate::gguf::value::{Array, Value};
use crate::gguf::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC, VERSION};

/// Writes a version 3 file: metadata and descriptions are collected, then the tensors' bytes are asked for in order.
#[derive(Debug, Clone, Default)]
pub struct GgufWriter {
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
}

impl GgufWriter {
    /// A file with this metadata and no tensor yet.
    pub fn new(metadata: Metadata) -> Self {
        Self {
            metadata,
            tensors: Vec::new(),
        }
    }

    /// Describes the next tensor; its offset is found by the writer.
    pub fn push(&mut self, tensor: TensorInfo) {
        self.tensors.push(tensor);
    }

    /// The tensors that were described.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// Writes the file; `fill` gives the bytes of each tensor in turn. Whatever goes wrong, `path` is as it was before.
    ///
    /// # Errors
    /// An invalid header, before anything is written; whatever `fill` returns; the operating system's errors; a tensor
    /// that got more or fewer bytes than its description says.
    pub fn write<E: From<GgufError>>(
        &self,
        path: &Path,
        mut fill: impl FnMut(&TensorInfo, &mut TensorSink<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (header, alignment) = self.header_bytes().map_err(|kind| {
            E::from(GgufError::InvalidHeader {
                path: path.to_owned(),
                kind,
            })
        })?;
        // The atomic writer speaks `io::Result`; an error of ours waits here until it has cleaned up.
        let mut failure = None;
        let written = atomic::write_with(path, |file| {
            file.write_all(&header)?;
            for tensor in &self.tensors {
                if let Err(error) = write_tensor(file, path, tensor, alignment, &mut fill) {
                    failure = Some(error);
                    return Err(std::io::Error::other("a tensor could not be written"));
                }
            }
            Ok(())
        });
        match (failure, written) {
            (Some(error), _) => Err(error),
            (None, Err(error)) => Err(E::from(GgufError::Io(error))),
            (None, Ok(())) => Ok(()),
        }
    }

    /// The header, padded to where the data begins, and the alignment.
    fn header_bytes(&self) -> Result<(Vec<u8>, u64), DefectKind> {
        let alignment = match self.metadata.value(ALIGNMENT_KEY) {
            None => DEFAULT_ALIGNMENT,
            Some(Value::U32(value)) if value.is_power_of_two() => u64::from(*value),
            Some(value) => {
                let got = format!("{value:?}");
                return Err(DefectKind::Alignment { got });
            }
        };
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in self.metadata.iter() {
            check_length("key", key, MAX_KEY_BYTES)?;
            put_string(&mut bytes, key);
            bytes.extend(value.value_type().id().to_le_bytes());
            put_value(&mut bytes, value);
        }
        let mut offset = 0_u64;
        let mut names = std::collections::HashSet::new();
        for tensor in &self.tensors {
            if !names.insert(&tensor.name) {
                let tensor = tensor.name.clone();
                return Err(DefectKind::DuplicateTensor { tensor });
            }
            put_tensor_info(&mut bytes, tensor, offset)?;
            offset = tensor
                .size_bytes()?
                .checked_add(offset)
                .and_then(|end| end.checked_next_multiple_of(alignment))
                .ok_or_else(|| DefectKind::SizeOverflow {
                    tensor: tensor.name.clone(),
                    dimensions: tensor.dimensions.clone(),
                })?;
        }
        bytes.resize(bytes.len() + padding(bytes.len() as u64, alignment), 0);
        Ok((bytes, alignment))
    }
}

/// Takes the bytes of one tensor.
pub struct TensorSink<'a> {
    file: &'a mut BufWriter<File>,
    path: &'a Path,
    tensor: &'a TensorInfo,
    expected: u64,
    written: u64,
}

impl TensorSink<'_> {
    /// Appends bytes.
    ///
    /// # Errors
    /// More bytes than the tensor has, or the operating system's errors.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), GgufError> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.expected {
            return Err(self.wrong_size());
        }
        self.file
            .write_all(bytes)
            .map_err(|source| IoError::new("write", self.path, source).into())
    }

    fn wrong_size(&self) -> GgufError {
        GgufError::TensorSize {
            tensor: self.tensor.name.clone(),
            expected: self.expected,
            got: self.written,
        }
    }
}

fn write_tensor<E: From<GgufError>>(
    file: &mut BufWriter<File>,
    path: &Path,
    tensor: &TensorInfo,
    alignment: u64,
    fill: &mut impl FnMut(&TensorInfo, &mut TensorSink<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let expected = tensor.size_bytes().map_err(|kind| {
        E::from(GgufError::InvalidHeader {
            path: path.to_owned(),
            kind,
        })
    })?;
    let mut sink = TensorSink {
        file,
        path,
        tensor,
        expected,
        written: 0,
    };
    fill(tensor, &mut sink)?;
    if sink.written != expected {
        return Err(sink.wrong_size().into());
    }
    let zeros = vec![0; padding(expected, alignment)];
    sink.file
        .write_all(&zeros)
        .map_err(|source| GgufError::from(IoError::new("write", path, source)).into())
}

/// Bytes from `position` to the next multiple of `alignment`; less than a `u32`, which every alignment is.
fn padding(position: u64, alignment: u64) -> usize {
    (position.next_multiple_of(alignment) - position) as usize
}

fn check_length(what: &'static str, text: &str, limit: u64) -> Result<(), DefectKind> {
    match text.len() as u64 {
        0 => Err(DefectKind::Empty { what }),
        got if got > limit => Err(DefectKind::TooLong { what, got, limit }),
        _ => Ok(()),
    }
}

fn put_tensor_info(
    bytes: &mut Vec<u8>,
    tensor: &TensorInfo,
    offset: u64,
) -> Result<(), DefectKind> {
    check_length("tensor name", &tensor.name, MAX_TENSOR_NAME_BYTES)?;
    let rank = u32::try_from(tensor.dimensions.len()).unwrap_or(u32::MAX);
    if rank > MAX_RANK {
        return Err(DefectKind::Rank {
            tensor: tensor.name.clone(),
            got: rank,
            limit: MAX_RANK,
        });
    }
    put_string(bytes, &tensor.name);
    bytes.extend(rank.to_le_bytes());
    for dimension in &tensor.dimensions {
        bytes.extend(dimension.to_le_bytes());
    }
    bytes.extend(tensor.tensor_type.id().to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    Ok(())
}

fn put_string(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn put_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::U8(value) => bytes.extend(value.to_le_bytes()),
        Value::I8(value) => bytes.extend(value.to_le_bytes()),
        Value::U16(value) => bytes.extend(value.to_le_bytes()),
        Value::I16(value) => bytes.extend(value.to_le_bytes()),
        Value::U32(value) => bytes.extend(value.to_le_bytes()),
        Value::I32(value) => bytes.extend(value.to_le_bytes()),
        Value::F32(value) => bytes.extend(value.to_le_bytes()),
        Value::U64(value) => bytes.extend(value.to_le_bytes()),
        Value::I64(value) => bytes.extend(value.to_le_bytes()),
        Value::F64(value) => bytes.extend(value.to_le_bytes()),
        Value::Bool(value) => bytes.push(u8::from(*value)),
        Value::String(text) => put_string(bytes, text),
        Value::Array(array) => put_array(bytes, array),
    }
}

fn put_array(bytes: &mut Vec<u8>, array: &Array) {
    bytes.extend(array.element_type().id().to_le_bytes());
    bytes.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(values) => bytes.extend(values),
        Array::I8(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::U16(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::I16(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::U32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::I32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::F32(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::U64(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::I64(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::F64(values) => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
        Array::Bool(values) => bytes.extend(values.iter().map(|value| u8::from(*value))),
        Array::String(values) => values.iter().for_each(|text| put_string(bytes, text)),
        Array::Array(values) => values.iter().for_each(|array| put_array(bytes, array)),
    }
}
