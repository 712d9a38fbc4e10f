//! Reading of headers and tensors.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ilab_base::io::{IoError, WithPath};

use crate::gguf::bounded::{Bounded, ReadError};
use crate::gguf::error::{Defect, DefectKind, GgufError};
use crate::gguf::metadata::Metadata;
use crate::gguf::tensor::{MAX_RANK, TensorInfo, TensorType};
use crate::gguf::value::{Array, Value, ValueType};
use crate::gguf::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC};

/// Longest key, from the specification.
pub(crate) const MAX_KEY_BYTES: u64 = 65_535;
/// Longest tensor name: `GGML_MAX_NAME` of `ggml.h` counts the closing zero byte.
pub(crate) const MAX_TENSOR_NAME_BYTES: u64 = 63;
/// Longest string: `GGUF_MAX_STRING_LENGTH` of `gguf.cpp`.
const MAX_STRING_BYTES: u64 = 1 << 30;
/// Deepest nesting of arrays; llama.cpp itself reads none.
const MAX_ARRAY_DEPTH: usize = 4;
/// Length, one byte of key, value type, one byte of value.
const MIN_ENTRY_BYTES: u64 = 8 + 1 + 4 + 1;
/// Length, rank, type, offset.
const MIN_TENSOR_BYTES: u64 = 8 + 4 + 4 + 8;

/// Everything before the tensors' bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// The version of the format, 2 or 3.
    pub version: u32,
    /// The key-value part.
    pub metadata: Metadata,
    /// The tensors, in file order.
    pub tensors: Vec<TensorInfo>,
    /// Where the data section begins, from the start of the file.
    pub data_offset: u64,
}

/// A GGUF file whose header was read and checked.
#[derive(Debug, Clone)]
pub struct GgufFile {
    path: PathBuf,
    header: Header,
}

impl GgufFile {
    /// Reads and checks the header, and that every tensor lies inside the file. The tensors' bytes are not touched.
    ///
    /// # Errors
    /// The file cannot be read, or violates the format in any way: what, where, expected and got.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, GgufError> {
        let path = path.into();
        let file = File::open(&path).with_path("open", &path)?;
        let size = file.metadata().with_path("read", &path)?.len();
        match read_header(BufReader::new(file), size) {
            Ok(header) => Ok(Self { path, header }),
            Err(ReadError::Io(source)) => Err(IoError::new("read", path, source).into()),
            Err(ReadError::Defect(defect)) => Err(GgufError::Malformed { path, defect }),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The key-value part.
    pub fn metadata(&self) -> &Metadata {
        &self.header.metadata
    }

    /// The tensors, in file order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.header.tensors
    }

    /// The description of one tensor.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        self.tensors().iter().find(|tensor| tensor.name == name)
    }

    /// The model's architecture, such as `llama`.
    pub fn architecture(&self) -> Option<&str> {
        self.metadata().text("general.architecture")
    }

    /// The stored bytes of one tensor.
    ///
    /// # Errors
    /// There is no such tensor, or the file cannot be read.
    pub fn read_tensor(&self, name: &str) -> Result<Vec<u8>, GgufError> {
        let Some(tensor) = self.tensor(name) else {
            return Err(GgufError::NoSuchTensor {
                path: self.path.clone(),
                tensor: name.to_owned(),
            });
        };
        let start = self.header.data_offset + tensor.offset;
        let malformed = |kind| GgufError::Malformed {
            path: self.path.clone(),
            defect: Defect {
                offset: start,
                kind,
            },
        };
        let size = tensor.size_bytes().map_err(malformed)?;
        let mut bytes = Vec::new();
        let mut file = File::open(&self.path).with_path("open", &self.path)?;
        file.seek(SeekFrom::Start(start))
            .and_then(|_| file.take(size).read_to_end(&mut bytes))
            .with_path("read", &self.path)?;
        if bytes.len() as u64 == size {
            return Ok(bytes);
        }
        Err(malformed(DefectKind::CutShort {
            what: "tensor",
            needed: size,
            available: bytes.len() as u64,
        }))
    }
}

impl Header {
    /// Reads a header from bytes that are a whole file.
    ///
    /// # Errors
    /// The first violation of the format.
    pub fn parse(bytes: &[u8]) -> Result<Self, Defect> {
        match read_header(bytes, bytes.len() as u64) {
            Ok(header) => Ok(header),
            Err(ReadError::Defect(defect)) => Err(defect),
            // A slice has exactly the bytes that its length says, so this is the end of it.
            Err(ReadError::Io(_)) => Err(Defect {
                offset: bytes.len() as u64,
                kind: DefectKind::CutShort {
                    what: "header",
                    needed: 1,
                    available: 0,
                },
            }),
        }
    }
}

fn read_header(inner: impl Read, size: u64) -> Result<Header, ReadError> {
    let reader = &mut Bounded::new(inner, size);
    let version = read_version(reader)?;
    let tensor_count_offset = reader.position();
    let n_tensors = reader.count("number of tensors", MIN_TENSOR_BYTES)?;
    let n_entries = reader.count("number of metadata entries", MIN_ENTRY_BYTES)?;
    let mut metadata = Metadata::new();
    for _ in 0..n_entries {
        read_entry(reader, &mut metadata)?;
    }
    let alignment = read_alignment(reader, &metadata)?;
    // The metadata took some of the bytes that seemed to be left for tensors.
    reader.check_count(
        "number of tensors",
        tensor_count_offset,
        n_tensors,
        MIN_TENSOR_BYTES,
    )?;
    let mut tensors = Vec::new();
    let mut offsets = Vec::new();
    let mut names = HashSet::new();
    for _ in 0..n_tensors {
        offsets.push(reader.position());
        tensors.push(read_tensor_info(reader, &mut names)?);
    }
    let data_offset = reader.position().next_multiple_of(alignment);
    check_layout(reader, &tensors, &offsets, data_offset, alignment)?;
    Ok(Header {
        version,
        metadata,
        tensors,
        data_offset,
    })
}

fn read_version<R: Read>(reader: &mut Bounded<R>) -> Result<u32, ReadError> {
    let magic = reader.bytes::<4>("magic")?;
    if magic != MAGIC {
        return reader.defect(0, DefectKind::Magic { got: magic });
    }
    match reader.u32("version")? {
        version @ (2 | 3) => Ok(version),
        swapped if matches!(swapped.swap_bytes(), 1..=3) => reader.defect(4, DefectKind::BigEndian),
        got => reader.defect(4, DefectKind::Version { got }),
    }
}

fn read_entry<R: Read>(reader: &mut Bounded<R>, metadata: &mut Metadata) -> Result<(), ReadError> {
    let offset = reader.position();
    let key = reader.string("key", MAX_KEY_BYTES)?;
    if key.is_empty() {
        return reader.defect(offset, DefectKind::Empty { what: "key" });
    }
    if metadata.value(&key).is_some() {
        return reader.defect(offset, DefectKind::DuplicateKey { key });
    }
    let value_type = read_value_type(reader)?;
    let value = read_value(reader, value_type)?;
    metadata.insert(key, value);
    Ok(())
}

fn read_value_type<R: Read>(reader: &mut Bounded<R>) -> Result<ValueType, ReadError> {
    let offset = reader.position();
    let id = reader.u32("value type")?;
    match ValueType::from_id(id) {
        Some(value_type) => Ok(value_type),
        None => reader.defect(offset, DefectKind::UnknownValueType { got: id }),
    }
}

fn read_value<R: Read>(reader: &mut Bounded<R>, value_type: ValueType) -> Result<Value, ReadError> {
    const WHAT: &str = "value";
    Ok(match value_type {
        ValueType::U8 => Value::U8(u8::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::I8 => Value::I8(i8::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::U16 => Value::U16(u16::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::I16 => Value::I16(i16::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::U32 => Value::U32(reader.u32(WHAT)?),
        ValueType::I32 => Value::I32(i32::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::F32 => Value::F32(f32::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::U64 => Value::U64(reader.u64(WHAT)?),
        ValueType::I64 => Value::I64(i64::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::F64 => Value::F64(f64::from_le_bytes(reader.bytes(WHAT)?)),
        ValueType::String => Value::String(reader.string("string", MAX_STRING_BYTES)?),
        ValueType::Array => Value::Array(read_array(reader, 1)?),
        ValueType::Bool => {
            let offset = reader.position();
            let [byte] = reader.bytes(WHAT)?;
            Value::Bool(to_bool(reader, offset, byte)?)
        }
    })
}

fn to_bool<R: Read>(reader: &Bounded<R>, offset: u64, byte: u8) -> Result<bool, ReadError> {
    match byte {
        0 => Ok(false),
        1 => Ok(true),
        got => reader.defect(offset, DefectKind::Boolean { got }),
    }
}

fn read_array<R: Read>(reader: &mut Bounded<R>, depth: usize) -> Result<Array, ReadError> {
    let offset = reader.position();
    if depth > MAX_ARRAY_DEPTH {
        let limit = MAX_ARRAY_DEPTH;
        return reader.defect(offset, DefectKind::Nesting { limit });
    }
    let element_type = read_value_type(reader)?;
    let count = reader.count("array length", element_type.min_bytes())?;
    Ok(match element_type {
        ValueType::U8 => Array::U8(reader.block("array", count)?),
        ValueType::I8 => Array::I8(numbers(reader, count, i8::from_le_bytes)?),
        ValueType::U16 => Array::U16(numbers(reader, count, u16::from_le_bytes)?),
        ValueType::I16 => Array::I16(numbers(reader, count, i16::from_le_bytes)?),
        ValueType::U32 => Array::U32(numbers(reader, count, u32::from_le_bytes)?),
        ValueType::I32 => Array::I32(numbers(reader, count, i32::from_le_bytes)?),
        ValueType::F32 => Array::F32(numbers(reader, count, f32::from_le_bytes)?),
        ValueType::U64 => Array::U64(numbers(reader, count, u64::from_le_bytes)?),
        ValueType::I64 => Array::I64(numbers(reader, count, i64::from_le_bytes)?),
        ValueType::F64 => Array::F64(numbers(reader, count, f64::from_le_bytes)?),
        ValueType::Bool => {
            let start = reader.position();
            let bytes = reader.block("array", count)?;
            let flags = (start..)
                .zip(bytes)
                .map(|(offset, byte)| to_bool(reader, offset, byte));
            Array::Bool(flags.collect::<Result<_, _>>()?)
        }
        ValueType::String => Array::String(
            (0..count)
                .map(|_| reader.string("string", MAX_STRING_BYTES))
                .collect::<Result<_, _>>()?,
        ),
        ValueType::Array => Array::Array(
            (0..count)
                .map(|_| read_array(reader, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
    })
}

/// Numbers of `N` bytes each; the count was held against the rest of the file before.
fn numbers<R: Read, T, const N: usize>(
    reader: &mut Bounded<R>,
    count: u64,
    from_bytes: impl Fn([u8; N]) -> T,
) -> Result<Vec<T>, ReadError> {
    let bytes = reader.block("array", count.saturating_mul(N as u64))?;
    let (chunks, _) = bytes.as_chunks::<N>();
    Ok(chunks.iter().map(|chunk| from_bytes(*chunk)).collect())
}

fn read_alignment<R: Read>(reader: &Bounded<R>, metadata: &Metadata) -> Result<u64, ReadError> {
    match metadata.value(ALIGNMENT_KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::U32(value)) if value.is_power_of_two() => Ok(u64::from(*value)),
        Some(value) => {
            let got = match value {
                Value::String(_) | Value::Array(_) => format!("a {:?}", value.value_type()),
                number => format!("{number:?}"),
            };
            reader.defect(reader.position(), DefectKind::Alignment { got })
        }
    }
}

fn read_tensor_info<R: Read>(
    reader: &mut Bounded<R>,
    names: &mut HashSet<String>,
) -> Result<TensorInfo, ReadError> {
    let offset = reader.position();
    let name = reader.string("tensor name", MAX_TENSOR_NAME_BYTES)?;
    if !names.insert(name.clone()) {
        return reader.defect(offset, DefectKind::DuplicateTensor { tensor: name });
    }
    let rank = reader.u32("number of dimensions")?;
    if rank > MAX_RANK {
        let kind = DefectKind::Rank {
            tensor: name,
            got: rank,
            limit: MAX_RANK,
        };
        return reader.defect(offset, kind);
    }
    let dimensions = (0..rank)
        .map(|_| reader.u64("dimension"))
        .collect::<Result<Vec<_>, _>>()?;
    let type_id = reader.u32("tensor type")?;
    let Some(tensor_type) = TensorType::from_id(type_id) else {
        let kind = DefectKind::UnknownTensorType {
            tensor: name,
            got: type_id,
        };
        return reader.defect(offset, kind);
    };
    Ok(TensorInfo {
        name,
        dimensions,
        tensor_type,
        offset: reader.u64("tensor offset")?,
    })
}

/// Tensors follow each other in order, each aligned, all inside the file, as llama.cpp demands.
fn check_layout<R: Read>(
    reader: &Bounded<R>,
    tensors: &[TensorInfo],
    offsets: &[u64],
    data_offset: u64,
    alignment: u64,
) -> Result<(), ReadError> {
    let mut expected = 0_u64;
    for (tensor, &offset) in tensors.iter().zip(offsets) {
        let size = tensor
            .size_bytes()
            .or_else(|kind| reader.defect(offset, kind))?;
        if tensor.offset != expected {
            let kind = DefectKind::Offset {
                tensor: tensor.name.clone(),
                expected,
                got: tensor.offset,
            };
            return reader.defect(offset, kind);
        }
        let end = data_offset.saturating_add(expected).saturating_add(size);
        if end > reader.size() {
            let kind = DefectKind::Outside {
                tensor: tensor.name.clone(),
                end,
                size: reader.size(),
            };
            return reader.defect(offset, kind);
        }
        expected = (expected + size).next_multiple_of(alignment);
    }
    Ok(())
}
