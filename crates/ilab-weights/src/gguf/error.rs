//! What can be wrong with a GGUF file.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_base::io::IoError;

/// A GGUF file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The content is not a well-formed GGUF file.
    #[error("`{}` is not a usable GGUF file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        #[source]
        defect: Defect,
    },
    /// The file holds no such tensor.
    #[error("`{}` has no tensor `{tensor}`", path.display())]
    NoSuchTensor {
        /// The file.
        path: PathBuf,
        /// The name asked for.
        tensor: String,
    },
    /// A header that no reader would accept was about to be written.
    #[error("the GGUF header for `{}` is invalid", path.display())]
    InvalidHeader {
        /// The file that was to be written.
        path: PathBuf,
        /// What is wrong.
        #[source]
        kind: DefectKind,
    },
    /// A tensor was given more or fewer bytes than its description says.
    #[error("tensor `{tensor}` has {expected} bytes by its description, but {got} were written")]
    TensorSize {
        /// The tensor.
        tensor: String,
        /// Bytes by type and dimensions.
        expected: u64,
        /// Bytes given.
        got: u64,
    },
}

impl Hint for GgufError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::Malformed { defect, .. } => vec![defect.kind.hint().to_owned()],
            Self::NoSuchTensor { .. } | Self::InvalidHeader { .. } | Self::TensorSize { .. } => {
                Vec::new()
            }
        }
    }
}

/// One violation of the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {kind}")]
pub struct Defect {
    /// Where in the file the offending value begins.
    pub offset: u64,
    /// What is wrong.
    #[source]
    pub kind: DefectKind,
}

/// The ways to violate the format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefectKind {
    /// The file does not begin with `GGUF`.
    #[error("expected the magic bytes `GGUF`, got `{}`", got.escape_ascii())]
    Magic {
        /// The four bytes found.
        got: [u8; 4],
    },
    /// The file was written for a big-endian machine.
    #[error("the file is in big-endian byte order, only little-endian is read")]
    BigEndian,
    /// Another version of the format.
    #[error("expected version 2 or 3, got {got}")]
    Version {
        /// The version found.
        got: u32,
    },
    /// The file ends inside a value.
    #[error("{what} needs {needed} bytes, but the file has {available} left")]
    CutShort {
        /// What was being read.
        what: &'static str,
        /// Bytes it takes.
        needed: u64,
        /// Bytes left in the file.
        available: u64,
    },
    /// A count that the rest of the file cannot hold.
    #[error("{what} is {got}, but the {available} bytes left hold at most {limit}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The count found.
        got: u64,
        /// The most that fit.
        limit: u64,
        /// Bytes left in the file.
        available: u64,
    },
    /// A name longer than the format allows.
    #[error("{what} has {got} bytes, the limit is {limit}")]
    TooLong {
        /// What is named.
        what: &'static str,
        /// Its length.
        got: u64,
        /// The limit.
        limit: u64,
    },
    /// Text that is not UTF-8.
    #[error("{what} is not valid UTF-8")]
    NotUtf8 {
        /// What was being read.
        what: &'static str,
    },
    /// A name without a character.
    #[error("{what} is empty")]
    Empty {
        /// What is named.
        what: &'static str,
    },
    /// A value type that the format does not define.
    #[error("unknown value type {got}, expected 0 to 12")]
    UnknownValueType {
        /// The type id found.
        got: u32,
    },
    /// A boolean that is neither 0 nor 1.
    #[error("expected a boolean (0 or 1), got {got}")]
    Boolean {
        /// The byte found.
        got: u8,
    },
    /// Arrays in arrays in arrays.
    #[error("arrays are nested more than {limit} deep")]
    Nesting {
        /// The deepest nesting that is read.
        limit: usize,
    },
    /// Two metadata entries of one name.
    #[error("the key `{key}` occurs twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// Two tensors of one name.
    #[error("the tensor `{tensor}` occurs twice")]
    DuplicateTensor {
        /// The tensor.
        tensor: String,
    },
    /// An alignment that cannot be used.
    #[error("`general.alignment` must be a power of two as u32, got {got}")]
    Alignment {
        /// The value found.
        got: String,
    },
    /// Too many dimensions.
    #[error("tensor `{tensor}` has {got} dimensions, the limit is {limit}")]
    Rank {
        /// The tensor.
        tensor: String,
        /// Its rank.
        got: u32,
        /// The limit.
        limit: u32,
    },
    /// A tensor type that is not known.
    #[error("tensor `{tensor}` has the unknown type {got}")]
    UnknownTensorType {
        /// The tensor.
        tensor: String,
        /// The type id found.
        got: u32,
    },
    /// A row that is not a whole number of blocks.
    #[error(
        "tensor `{tensor}` has rows of {got} values, expected a multiple of {block} for its type"
    )]
    Row {
        /// The tensor.
        tensor: String,
        /// The row length.
        got: u64,
        /// Values in a block.
        block: u64,
    },
    /// Dimensions whose product is no size.
    #[error("tensor `{tensor}` with dimensions {dimensions:?} is too large to be real")]
    SizeOverflow {
        /// The tensor.
        tensor: String,
        /// Its dimensions.
        dimensions: Vec<u64>,
    },
    /// A tensor that does not follow the one before it.
    #[error("tensor `{tensor}` begins at data offset {got}, expected {expected}")]
    Offset {
        /// The tensor.
        tensor: String,
        /// The end of the tensor before it, aligned.
        expected: u64,
        /// The offset found.
        got: u64,
    },
    /// A tensor that reaches beyond the end of the file.
    #[error("tensor `{tensor}` ends at byte {end}, but the file has {size}")]
    Outside {
        /// The tensor.
        tensor: String,
        /// Where it should end.
        end: u64,
        /// The size of the file.
        size: u64,
    },
}

impl DefectKind {
    fn hint(&self) -> &'static str {
        match self {
            Self::Magic { .. } => {
                "give a GGUF file, or make one from a Hugging Face folder with `ilab model convert --model-dir DIR`"
            }
            Self::BigEndian | Self::Version { .. } => {
                "convert the model again with a current converter"
            }
            Self::CutShort { .. } | Self::Outside { .. } | Self::Count { .. } => {
                "the file is probably cut short: download or convert it again"
            }
            Self::UnknownTensorType { .. } => {
                "the file may come from a newer llama.cpp: use a model quantized to Q4_K_M, Q8_0 or F16"
            }
            _ => "the file is damaged: download or convert it again",
        }
    }
}
