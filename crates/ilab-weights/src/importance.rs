//! Importance matrices: how large the inputs of each matrix's columns were on a calibration text, by which quantising weighs its
//! errors.
//!
//! # Source
//! `tools/imatrix/imatrix.cpp` of llama.cpp writes both formats: a GGUF file with sums of squares and counts, and the older `.dat`.
//! `load_imatrix` and `load_legacy_imatrix` in `tools/quantize/quantize.cpp` say what they mean.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ilab_base::hint::Hint;
use ilab_base::io::{self, IoError};

use crate::config::{ModelConfig, model_tensors};
use crate::gguf::{GgufError, GgufFile, MAGIC, TensorType};
use crate::tensor_names::to_gguf;

/// An importance matrix cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImportanceError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is GGUF, and damaged.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The file is neither of the two formats, or cut off.
    #[error("`{}` is no importance matrix: {what} at byte {offset}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
        /// Where the value begins.
        offset: usize,
    },
    /// The sums of a matrix have no counts that belong to them.
    #[error("`{}`: the sums and counts of `{tensor}` do not belong together", path.display())]
    Counts {
        /// The file.
        path: PathBuf,
        /// The matrix.
        tensor: String,
    },
    /// Numbers that cannot be importances.
    #[error("`{}`: the importance of `{tensor}` is not finite or negative somewhere", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The matrix.
        tensor: String,
    },
    /// It was made for another model.
    #[error("`{}` does not fit the model: `{tensor}` has {got} columns there, and {expected} in the model", path.display())]
    Columns {
        /// The importance matrix.
        path: PathBuf,
        /// The matrix.
        tensor: String,
        /// Importances.
        got: usize,
        /// Columns of the model's matrix.
        expected: u64,
    },
    /// It was made for another model.
    #[error("`{}` does not fit the model, which has no `{tensor}`", path.display())]
    NoSuchTensor {
        /// The importance matrix.
        path: PathBuf,
        /// The matrix that the model does not have.
        tensor: String,
    },
    /// A matrix of the model would be quantised without.
    #[error("`{}` says nothing about `{tensor}` of the model", path.display())]
    Missing {
        /// The importance matrix.
        path: PathBuf,
        /// The matrix without importances.
        tensor: String,
    },
}

impl Hint for ImportanceError {
    fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Io(error) => return error.hints(),
            Self::Gguf(error) => return error.hints(),
            Self::Malformed { .. } | Self::Counts { .. } | Self::NotFinite { .. } => {
                "make it again with `llama-imatrix`"
            }
            Self::Columns { .. } | Self::NoSuchTensor { .. } | Self::Missing { .. } => {
                "make one for this model with `llama-imatrix -m MODEL.gguf -f TEXT`"
            }
        };
        vec![hint.to_owned()]
    }
}

/// Importances of the columns of matrices, by their GGUF names.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportanceMatrix {
    path: PathBuf,
    entries: BTreeMap<String, Vec<f32>>,
}

impl ImportanceMatrix {
    /// Reads an importance matrix of either format.
    ///
    /// # Errors
    /// A file that is neither, damaged, or holds what cannot be an importance.
    pub fn open(path: &Path) -> Result<Self, ImportanceError> {
        let bytes = io::read(path)?;
        let entries = if bytes.starts_with(&MAGIC) {
            from_gguf(path)?
        } else {
            from_legacy(path, &bytes)?
        };
        for (tensor, values) in &entries {
            if values.is_empty()
                || !values
                    .iter()
                    .all(|value| value.is_finite() && *value >= 0.0)
            {
                return Err(ImportanceError::NotFinite {
                    path: path.to_owned(),
                    tensor: tensor.clone(),
                });
            }
        }
        Ok(Self {
            path: path.to_owned(),
            entries,
        })
    }

    /// The matrices and the importances of their columns, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[f32])> {
        let entries = self.entries.iter();
        entries.map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Holds every entry against the model, and every matrix of the model's layers against the entries.
    ///
    /// # Errors
    /// [`ImportanceError::NoSuchTensor`], [`ImportanceError::Columns`], [`ImportanceError::Missing`].
    pub fn check_model(&self, model: &GgufFile) -> Result<(), ImportanceError> {
        let tensors = model.tensors().iter();
        self.check(tensors.map(|tensor| (tensor.name.as_str(), tensor.dimensions.clone())))
    }

    /// The same before there is a GGUF file: for the model that a configuration describes.
    ///
    /// # Errors
    /// As [`ImportanceMatrix::check_model`].
    pub fn check_config(&self, config: &ModelConfig) -> Result<(), ImportanceError> {
        let tensors: Vec<(String, Vec<u64>)> = model_tensors(config)
            .into_iter()
            .filter_map(|(name, shape)| {
                let dimensions = shape.iter().rev().map(|size| *size as u64).collect();
                Some((to_gguf(&name)?, dimensions))
            })
            .collect();
        let tensors = tensors.iter();
        self.check(tensors.map(|(name, dimensions)| (name.as_str(), dimensions.clone())))
    }

    /// `tensors`: names and dimensions, fastest-varying first.
    fn check<'a>(
        &self,
        tensors: impl Iterator<Item = (&'a str, Vec<u64>)>,
    ) -> Result<(), ImportanceError> {
        let tensors: BTreeMap<&str, Vec<u64>> = tensors.collect();
        for (name, values) in &self.entries {
            let Some(dimensions) = tensors.get(name.as_str()) else {
                return Err(ImportanceError::NoSuchTensor {
                    path: self.path.clone(),
                    tensor: name.clone(),
                });
            };
            let expected = dimensions.first().copied().unwrap_or(1);
            if values.len() as u64 != expected {
                return Err(ImportanceError::Columns {
                    path: self.path.clone(),
                    tensor: name.clone(),
                    got: values.len(),
                    expected,
                });
            }
        }
        let is_of_layers = |name: &str| name.starts_with("blk.") && name.ends_with(".weight");
        for (name, dimensions) in &tensors {
            let is_matrix = is_of_layers(name) && dimensions.len() == 2;
            if is_matrix && !self.entries.contains_key(*name) {
                return Err(ImportanceError::Missing {
                    path: self.path.clone(),
                    tensor: (*name).to_owned(),
                });
            }
        }
        Ok(())
    }
}

const SUMS: &str = ".in_sum2";
const COUNTS: &str = ".counts";

/// Mean squares: sums over counts. A matrix that never had an input counts as even.
fn from_gguf(path: &Path) -> Result<BTreeMap<String, Vec<f32>>, ImportanceError> {
    let file = GgufFile::open(path)?;
    let mut entries = BTreeMap::new();
    let named = file.tensors().iter();
    for sums in named.filter(|tensor| tensor.name.ends_with(SUMS)) {
        let name = sums.name.trim_end_matches(SUMS);
        let counts = file.tensor(&format!("{name}{COUNTS}"));
        let is_single = |values: u64| counts.is_some_and(|counts| counts.n_values() == values);
        let are_f32 = [Some(sums), counts]
            .into_iter()
            .flatten()
            .all(|tensor| tensor.tensor_type == TensorType::F32);
        if !is_single(1) || !are_f32 {
            return Err(ImportanceError::Counts {
                path: path.to_owned(),
                tensor: name.to_owned(),
            });
        }
        let count = numbers(&file.read_tensor(&format!("{name}{COUNTS}"))?)[0];
        let mut values = numbers(&file.read_tensor(&sums.name)?);
        for value in &mut values {
            *value = if count > 0.0 { *value / count } else { 1.0 };
        }
        entries.insert(name.to_owned(), values);
    }
    if entries.is_empty() {
        return Err(ImportanceError::Malformed {
            path: path.to_owned(),
            what: "no sums of squares",
            offset: 0,
        });
    }
    Ok(entries)
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks();
    chunks
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect()
}

/// The number of entries, then for each: length and name, calls, number of values and values, which are divided by the calls. What
/// follows, the text's name, is of no use here.
fn from_legacy(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Vec<f32>>, ImportanceError> {
    let mut rest = Cursor { bytes, at: 0 };
    let malformed = |what| {
        move |offset| ImportanceError::Malformed {
            path: path.to_owned(),
            what,
            offset,
        }
    };
    let n_entries = rest.count().map_err(malformed("no number of entries"))?;
    let mut entries = BTreeMap::new();
    for _ in 0..n_entries {
        let length = rest.count().map_err(malformed("no length of a name"))?;
        let begin = rest.at;
        let name = rest.take(length).map_err(malformed("no name"))?;
        let name =
            std::str::from_utf8(name).map_err(|_| malformed("a name that is not UTF-8")(begin))?;
        let n_calls = rest.count().map_err(malformed("no number of calls"))?;
        let n_values = rest.count().map_err(malformed("no number of values"))?;
        let values = rest
            .take(n_values.saturating_mul(4))
            .map_err(malformed("no values"))?;
        let divisor = if n_calls > 0 { n_calls as f32 } else { 1.0 };
        let values = numbers(values)
            .iter()
            .map(|value| value / divisor)
            .collect();
        entries.insert(name.to_owned(), values);
    }
    Ok(entries)
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Some bytes, or where they should begin.
    fn take(&mut self, length: usize) -> Result<&'a [u8], usize> {
        let end = self.at.checked_add(length).ok_or(self.at)?;
        let taken = self.bytes.get(self.at..end).ok_or(self.at)?;
        self.at = end;
        Ok(taken)
    }

    /// A number of 32 bits that is not negative.
    fn count(&mut self) -> Result<usize, usize> {
        let begin = self.at;
        let (chunks, _) = self.take(4)?.as_chunks();
        usize::try_from(i32::from_le_bytes(chunks[0])).map_err(|_| begin)
    }
}
