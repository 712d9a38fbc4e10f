//! What can be wrong with an adapter.

use std::path::PathBuf;

use ilab_base::hint::Hint;
use ilab_base::io::IoError;

use crate::checkpoint::CheckpointError;
use crate::gguf::GgufError;
use crate::npy::NpyDefect;
use crate::zip::ZipDefect;

/// An adapter cannot be read, written or used.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The tensors cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The GGUF adapter cannot be written.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// `adapter_config.json` is not JSON, or a key is of the wrong type.
    #[error("`{}` is not an adapter configuration", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// `adapters.npz` is not a readable archive.
    #[error("`{}` is not a usable npz file", path.display())]
    Zip {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: ZipDefect,
    },
    /// An array of `adapters.npz` cannot be read.
    #[error("the array `{array}` of `{}` cannot be used", path.display())]
    Npy {
        /// The file.
        path: PathBuf,
        /// The array.
        array: String,
        /// What is wrong.
        #[source]
        source: NpyDefect,
    },
    /// The adapter does something else than plain LoRA.
    #[error("`{}`: `{key}` is {value}, which is not plain LoRA", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The key of the configuration.
        key: String,
        /// Its value.
        value: String,
    },
    /// A tensor whose name says nothing that is known.
    #[error("`{}` holds the tensor `{tensor}`, which is no lora_A or lora_B matrix", path.display())]
    UnknownTensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// One of the two matrices is absent.
    #[error("`{}` has {present} for `{module}`, but no {absent}", path.display())]
    Half {
        /// The file or folder.
        path: PathBuf,
        /// The adapted layer.
        module: String,
        /// The matrix that is there.
        present: &'static str,
        /// The other one.
        absent: &'static str,
    },
    /// The two matrices do not fit together, or not the rank of the configuration.
    #[error("`{}`: the matrices of `{module}` are {a:?} and {b:?}, which is no pair of rank {rank}", path.display())]
    Shape {
        /// The file or folder.
        path: PathBuf,
        /// The adapted layer.
        module: String,
        /// Shape of A, `[r, in]`.
        a: Vec<usize>,
        /// Shape of B, `[out, r]`.
        b: Vec<usize>,
        /// The rank that the configuration says, or that A has.
        rank: usize,
    },
    /// The adapter changes nothing.
    #[error("`{}` adapts no layer", path.display())]
    Empty {
        /// The file or folder.
        path: PathBuf,
    },
    /// Training had diverged.
    #[error("`{}`: a matrix of `{module}` holds numbers that are not finite", path.display())]
    NotFinite {
        /// The file or folder.
        path: PathBuf,
        /// The adapted layer.
        module: String,
    },
    /// The model has no such layer, or one of another size.
    #[error("the adapter is for `{module}` of {adapter:?}, but the model has {model}")]
    OtherModel {
        /// The adapted layer.
        module: String,
        /// `[out, in]` of the adapter.
        adapter: [usize; 2],
        /// What the model has instead.
        model: String,
    },
}

impl Hint for AdapterError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) if error.is_not_found() => {
                "pass a folder with adapter_config.json and adapter_model.safetensors, or the file adapters.npz"
            }
            Self::Io(error) => return error.hints(),
            Self::Checkpoint(error) => return error.hints(),
            Self::Gguf(error) => return error.hints(),
            Self::Zip { source, .. } => return source.hints(),
            Self::Unsupported { .. } => {
                "merge the adapter with the program that made it, and convert the merged model"
            }
            Self::OtherModel { .. } => {
                "pass the model that the adapter was trained on: `base_model_name_or_path` in adapter_config.json names it"
            }
            Self::NotFinite { .. } => {
                "take an earlier checkpoint, or train again with a lower learning rate"
            }
            Self::Json { .. }
            | Self::Npy { .. }
            | Self::UnknownTensor { .. }
            | Self::Half { .. }
            | Self::Shape { .. }
            | Self::Empty { .. } => "the adapter may be damaged: copy it again",
        };
        vec![hint.to_owned()]
    }
}
