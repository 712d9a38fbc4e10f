//! GGUF, the single-file model format of llama.cpp: reading of versions 2 and 3, writing of version 3, little-endian.
//!
//! A file is a header (metadata and tensor descriptions) followed by the tensors' bytes. The reader trusts nothing in it:
//! every count and length is held against the bytes that are left before anything is allocated. The writer streams one
//! tensor at a time and the file appears under its name only when it is complete.
//!
//! Specification: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, and where llama.cpp's own reader
//! (`ggml/src/gguf.cpp`) is stricter, that, because it is what opens the files in the end.

mod bounded;
pub mod dequantize;
mod error;
mod metadata;
pub mod q8_0;
mod reader;
mod tensor;
mod value;
mod writer;

pub use error::{Defect, DefectKind, GgufError};
pub use metadata::Metadata;
pub use reader::{GgufFile, Header};
pub use tensor::{TensorInfo, TensorType};
pub use value::{Array, Value, ValueType};
pub use writer::{GgufWriter, TensorSink};

/// The first four bytes of every file.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// The version that is written.
pub const VERSION: u32 = 3;
/// The key that says how tensors are aligned.
pub const ALIGNMENT_KEY: &str = "general.alignment";
/// The alignment where the file does not say.
pub const DEFAULT_ALIGNMENT: u64 = 32;
