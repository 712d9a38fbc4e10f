//! The weights of a model, in whatever files they come: one reader over safetensors, PyTorch's `.bin` and GGUF.
//!
//! Files are mapped into memory and a tensor is decoded when it is asked for, so a model larger than the memory can be read
//! from end to end. Nothing in a file is believed: every offset, size and stride is held against the file when it is opened.

#![allow(unsafe_code)]

mod error;
mod files;
mod open;
mod tensor;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use half::bf16;
use ilab_base::io::WithPath;
use memmap2::Mmap;

pub use error::CheckpointError;
pub use tensor::{Encoding, StoredTensor};

pub(crate) use tensor::{Layout, Location};

/// The weights of a model, mapped into memory.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<MappedFile>,
    tensors: BTreeMap<String, (usize, Location)>,
}

#[derive(Debug)]
pub(crate) struct MappedFile {
    pub(crate) path: PathBuf,
    pub(crate) map: Mmap,
}

impl MappedFile {
    pub(crate) fn open(path: &Path) -> Result<Self, CheckpointError> {
        let file = File::open(path).with_path("open", path)?;
        // SAFETY: the map is read only, and the project replaces weight files by renaming, never in place.
        let map = unsafe { Mmap::map(&file) }.with_path("map", path)?;
        Ok(Self {
            path: path.to_owned(),
            map,
        })
    }
}

impl Checkpoint {
    /// Opens the weights of a model folder (`*.safetensors`, else `pytorch_model*.bin`, with their index where there is
    /// one), or of a single file: `.gguf`, `.safetensors` or `.bin`.
    ///
    /// # Errors
    /// No such file, or one that lies about its content.
    pub fn open(path: &Path) -> Result<Self, CheckpointError> {
        if path.is_file() {
            return Self::open_file(path);
        }
        let paths = files::find(path)?;
        let mut checkpoint = Self::empty(path);
        for path in &paths.weights {
            checkpoint.add_file(path)?;
        }
        if let Some(index) = &paths.index {
            checkpoint.check_index(index)?;
        }
        Ok(checkpoint)
    }

    /// Opens one file of weights, its kind told by the name's ending.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_file(path: &Path) -> Result<Self, CheckpointError> {
        let mut checkpoint = Self::empty(path);
        checkpoint.add_file(path)?;
        Ok(checkpoint)
    }

    fn empty(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            files: Vec::new(),
            tensors: BTreeMap::new(),
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), CheckpointError> {
        let (file, tensors) = open::file(path)?;
        for (name, location) in tensors {
            // Of two files with the same tensor neither is to be preferred.
            if let Some((other_idx, _)) = self.tensors.get(&name) {
                return Err(CheckpointError::Twice {
                    name,
                    first: self.files[*other_idx].path.clone(),
                    second: path.to_owned(),
                });
            }
            self.tensors.insert(name, (self.files.len(), location));
        }
        self.files.push(file);
        Ok(())
    }

    /// Names of all tensors, sorted; those of a GGUF file in Hugging Face's spelling.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// One tensor as it is stored.
    ///
    /// # Errors
    /// [`CheckpointError::MissingTensor`].
    pub fn tensor<'a>(&'a self, name: &'a str) -> Result<StoredTensor<'a>, CheckpointError> {
        let Some((file_idx, location)) = self.tensors.get(name) else {
            return Err(CheckpointError::MissingTensor {
                folder: self.path.clone(),
                name: name.to_owned(),
            });
        };
        Ok(StoredTensor::new(
            name,
            location,
            &self.files[*file_idx].map,
        ))
    }

    /// One tensor with its shape checked.
    fn tensor_of_shape<'a>(
        &'a self,
        name: &'a str,
        expected: &[usize],
    ) -> Result<StoredTensor<'a>, CheckpointError> {
        let tensor = self.tensor(name)?;
        tensor.check_shape(expected)?;
        Ok(tensor)
    }

    /// One tensor as f32, row-major, with its shape checked.
    ///
    /// # Errors
    /// A missing tensor, another shape, or a type that is not floating point.
    pub fn read_f32(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        self.tensor_of_shape(name, expected)?.to_f32()
    }

    /// One tensor as bf16, row-major, with its shape checked: a part of the mapped file where that holds it so, otherwise
    /// converted and rounded to nearest even.
    ///
    /// # Errors
    /// As [`Checkpoint::read_f32`].
    pub fn read_bf16<'a>(
        &'a self,
        name: &'a str,
        expected: &[usize],
    ) -> Result<Cow<'a, [bf16]>, CheckpointError> {
        self.tensor_of_shape(name, expected)?.to_bf16()
    }

    /// Holds an index file against what the files hold.
    fn check_index(&self, index: &Path) -> Result<(), CheckpointError> {
        for name in files::indexed(index)? {
            self.tensor(&name)?;
        }
        Ok(())
    }
}
