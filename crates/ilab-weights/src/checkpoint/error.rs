//! Why weights cannot be read or written.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_base::io::IoError;
use safetensors::SafeTensorError;

use super::Encoding;
use crate::gguf::GgufError;
use crate::pytorch::TorchDefect;

/// A checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The folder holds no weights.
    #[error("`{}` holds no .safetensors or pytorch_model.bin file", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A file's name does not say what it is.
    #[error("`{}` is no .safetensors, .bin or .gguf file", path.display())]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
    /// A file's header is damaged or does not match its size.
    #[error("`{}` is not a valid safetensors file", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: SafeTensorError,
    },
    /// A `.bin` file is damaged, or holds something else than tensors.
    #[error("`{}` is not a usable PyTorch checkpoint", path.display())]
    Torch {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: TorchDefect,
    },
    /// A GGUF file cannot be read.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A GGUF file holds a tensor whose place in the model is unknown.
    #[error("`{}` holds the tensor `{tensor}`, whose place in a model is unknown", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// An index file is not what it has to be.
    #[error("`{}` is not an index of weight files", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// An index names a file outside its folder.
    #[error("`{}` names the file `{name}`, which is outside its folder", path.display())]
    IndexOutside {
        /// The index.
        path: PathBuf,
        /// What it names.
        name: String,
    },
    /// Two files hold the same tensor.
    #[error("tensor `{name}` is in `{}` and in `{}`", first.display(), second.display())]
    Twice {
        /// The tensor.
        name: String,
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A tensor that the model needs is absent.
    #[error("`{}` has no tensor `{name}`", folder.display())]
    MissingTensor {
        /// The folder or file.
        folder: PathBuf,
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the configuration says.
    #[error("tensor `{name}` has shape {found:?}, and config.json makes it {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape from `config.json`.
        expected: Vec<usize>,
    },
    /// A tensor is stored in a type that cannot be read.
    #[error(
        "tensor `{name}` is of type {dtype}; readable are F32, F16, BF16 and the k-quants and legacy blocks of GGUF"
    )]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: Encoding,
    },
}

impl Hint for CheckpointError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) => return error.hints(),
            Self::Gguf(error) => return error.hints(),
            Self::Torch { source, .. } => return source.hints(),
            Self::NoWeights { .. } => {
                "pass the folder of a Hugging Face model with its *.safetensors files"
            }
            Self::UnknownKind { .. } => "pass the folder of a model, or a .gguf file",
            Self::Twice { .. } => {
                "remove the files of the other model from the folder, or download it again into an empty one"
            }
            Self::UnknownTensor { .. } => {
                "use the Hugging Face folder of the model, or a GGUF file of a Llama, Mistral, Granite or Qwen model"
            }
            Self::Malformed { .. }
            | Self::Index { .. }
            | Self::IndexOutside { .. }
            | Self::MissingTensor { .. }
            | Self::Shape { .. } => {
                "the file may be cut off or belong to another model: download or copy the folder again"
            }
            Self::Dtype { .. } => "use the unquantised weights of the model",
        };
        vec![hint.to_owned()]
    }
}
