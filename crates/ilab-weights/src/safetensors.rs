//! Safetensors checkpoints: one file or several with an index, read through a memory map, written atomically.
//!
//! # Source
//! The format: <https://github.com/huggingface/safetensors/blob/v0.8.0/README.md#format>; the index file
//! `model.safetensors.index.json` is that of transformers.

#![allow(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use ilab_base::io::{IoError, WithPath, read_dir_sorted};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensorError, SafeTensors};

/// A checkpoint cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The folder holds no `*.safetensors` file.
    #[error("`{}` holds no .safetensors file", folder.display())]
    NoWeights {
        /// The folder.
        folder: PathBuf,
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
    /// A tensor that the model needs is absent.
    #[error("`{}` has no tensor `{name}`", folder.display())]
    MissingTensor {
        /// The folder.
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
    /// A tensor is stored in a type that is not floating point.
    #[error("tensor `{name}` is of type {dtype:?}; readable are F32, F16 and BF16")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its type.
        dtype: Dtype,
    },
}

impl ilab_base::hint::Hint for CheckpointError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Io(error) => error.hints(),
            Self::NoWeights { .. } => {
                vec![
                    "pass the folder of a Hugging Face model with its *.safetensors files"
                        .to_owned(),
                ]
            }
            Self::Malformed { .. } | Self::MissingTensor { .. } | Self::Shape { .. } => {
                vec!["the file may be cut off or belong to another model: download or copy the folder again".to_owned()]
            }
            Self::Dtype { .. } => vec!["use the unquantised weights of the model".to_owned()],
        }
    }
}

/// The weights of a model folder, mapped into memory.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    shards: Vec<Shard>,
    shard_of: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Shard {
    path: PathBuf,
    map: Mmap,
}

impl Checkpoint {
    /// Opens every `*.safetensors` file of a folder and checks the headers.
    ///
    /// # Errors
    /// No such file, or one whose header lies about its content.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let mut paths = read_dir_sorted(folder)?;
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        });
        if paths.is_empty() {
            return Err(CheckpointError::NoWeights {
                folder: folder.to_owned(),
            });
        }
        let mut shards = Vec::with_capacity(paths.len());
        let mut shard_of = BTreeMap::new();
        for (shard_idx, path) in paths.into_iter().enumerate() {
            let file = File::open(&path).with_path("open", &path)?;
            // SAFETY: the map is read only, and the project replaces weight files by renaming, never in place.
            let map = unsafe { Mmap::map(&file) }.with_path("map", &path)?;
            let shard = Shard { path, map };
            for name in shard.tensors()?.names() {
                shard_of.insert(name.to_owned(), shard_idx);
            }
            shards.push(shard);
        }
        Ok(Self {
            folder: folder.to_owned(),
            shards,
            shard_of,
        })
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shard_of.keys().map(String::as_str)
    }

    /// One tensor as it is stored.
    ///
    /// # Errors
    /// [`CheckpointError::MissingTensor`].
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, CheckpointError> {
        let missing = || CheckpointError::MissingTensor {
            folder: self.folder.clone(),
            name: name.to_owned(),
        };
        let shard = &self.shards[*self.shard_of.get(name).ok_or_else(missing)?];
        shard.tensors()?.tensor(name).map_err(|_| missing())
    }

    /// One tensor as f32, row-major, with its shape checked.
    ///
    /// # Errors
    /// A missing tensor, another shape, or a type that is not floating point.
    pub fn read_f32(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let view = self.tensor(name)?;
        if view.shape() != expected {
            return Err(CheckpointError::Shape {
                name: name.to_owned(),
                found: view.shape().to_vec(),
                expected: expected.to_vec(),
            });
        }
        to_f32(view.dtype(), view.data()).ok_or_else(|| CheckpointError::Dtype {
            name: name.to_owned(),
            dtype: view.dtype(),
        })
    }
}

impl Shard {
    fn tensors(&self) -> Result<SafeTensors<'_>, CheckpointError> {
        SafeTensors::deserialize(&self.map).map_err(|source| CheckpointError::Malformed {
            path: self.path.clone(),
            source,
        })
    }
}

/// Little-endian floating-point bytes as f32; `None` for other types.
pub fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes
            .as_chunks::<N>()
            .0
            .iter()
            .map(|chunk| decode(*chunk))
            .collect()
    }
    match dtype {
        Dtype::F32 => Some(each(bytes, f32::from_le_bytes)),
        Dtype::BF16 => Some(each(bytes, |chunk| bf16::from_le_bytes(chunk).to_f32())),
        Dtype::F16 => Some(each(bytes, |chunk| f16::from_le_bytes(chunk).to_f32())),
        _ => None,
    }
}

/// In which type weights are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FloatType {
    /// 32 bits.
    F32,
    /// The upper half of an f32, rounded to nearest even.
    Bf16,
}

impl FloatType {
    /// f32 values as little-endian bytes of this type.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Self::Bf16 => values
                .iter()
                .flat_map(|value| bf16::from_f32(*value).to_le_bytes())
                .collect(),
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::Bf16 => Dtype::BF16,
        }
    }
}

/// Writes tensors, row-major f32 with their shapes, to one file.
///
/// # Errors
/// Shapes that do not match their data; any operating system error, after which nothing stands under `path`.
pub fn write(
    path: &Path,
    tensors: &[(String, Vec<usize>, &[f32])],
    float_type: FloatType,
) -> Result<(), CheckpointError> {
    let malformed = |source| CheckpointError::Malformed {
        path: path.to_owned(),
        source,
    };
    let encoded: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| float_type.encode(values))
        .collect();
    let views = tensors
        .iter()
        .zip(&encoded)
        .map(|((name, shape, _), bytes)| {
            Ok((
                name.as_str(),
                TensorView::new(float_type.dtype(), shape.clone(), bytes).map_err(malformed)?,
            ))
        })
        .collect::<Result<Vec<_>, CheckpointError>>()?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(malformed)?;
    Ok(ilab_base::atomic::write(path, &bytes)?)
}
