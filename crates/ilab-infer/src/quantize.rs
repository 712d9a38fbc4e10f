//! Fewer bits a weight: a GGUF file to a smaller GGUF file, by llama.cpp.
#![allow(unsafe_code)]

mod kind;

use std::ffi::{CString, NulError};
use std::path::{Path, PathBuf};

use ilab_base::atomic::StagedDir;
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, WithPath};
use ilab_weights::gguf::GgufFile;
use ilab_weights::importance::{ImportanceError, ImportanceMatrix};
use llama_cpp_sys_2 as sys;

use crate::backend;
use crate::preflight::{self, PreflightError};

pub use kind::{QuantKind, UnknownQuantKind};

/// How to quantise.
#[derive(Debug, Clone, Copy)]
pub struct QuantizeOptions<'a> {
    /// What the weights become.
    pub kind: QuantKind,
    /// Threads to compute with; 0 takes as many as the machine has.
    pub n_threads: u32,
    /// Which columns matter most.
    pub importance: Option<&'a ImportanceMatrix>,
}

impl QuantizeOptions<'_> {
    /// Whether the kind can be computed with what is there; [`quantize_with`] asks, too.
    ///
    /// # Errors
    /// [`QuantizeError::NeedsImportance`].
    pub fn check(&self) -> Result<(), QuantizeError> {
        let kind = self.kind;
        if kind.needs_importance() && self.importance.is_none() {
            return Err(QuantizeError::NeedsImportance { kind });
        }
        Ok(())
    }
}

/// A model could not be quantised.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The input is not a usable model.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
    /// The importance matrix is another model's.
    #[error(transparent)]
    Importance(#[from] ImportanceError),
    /// So few bits need an importance matrix.
    #[error("{kind} cannot be computed without an importance matrix")]
    NeedsImportance {
        /// What was asked for.
        kind: QuantKind,
    },
    /// The result could not be put in place.
    #[error(transparent)]
    Io(#[from] IoError),
    /// llama.cpp cannot open a file with such a name.
    #[error("the path `{}` cannot be passed to llama.cpp", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// A NUL byte in it, if that is the reason; otherwise it is not UTF-8.
        #[source]
        source: Option<NulError>,
    },
    /// llama.cpp gave up.
    #[error("llama.cpp cannot quantise `{}` to {kind}: {message}", input.display())]
    Refused {
        /// The input.
        input: PathBuf,
        /// What was asked for.
        kind: QuantKind,
        /// What llama.cpp reported.
        message: String,
    },
    /// llama.cpp could not write the result; it does not say why.
    #[error("llama.cpp cannot write `{}`: {message}", path.display())]
    Write {
        /// Where the result should have appeared.
        path: PathBuf,
        /// What llama.cpp reported.
        message: String,
    },
    /// Something else in this process uses llama.cpp.
    #[error("llama.cpp was started by another part of this process")]
    BackendInUse,
}

impl Hint for QuantizeError {
    fn hints(&self) -> Vec<String> {
        match self {
            Self::Preflight(error) => error.hints(),
            Self::Io(error) => error.hints(),
            Self::Importance(error) => error.hints(),
            Self::NeedsImportance { .. } => vec![
                "pass `--imatrix FILE`, made by `llama-imatrix -m MODEL.gguf -f TEXT`, or take Q3_K_M or Q2_K"
                    .to_owned(),
            ],
            Self::Refused { .. } => {
                vec![
                    "start from an F32, F16 or BF16 file, and check the free disk space".to_owned(),
                ]
            }
            Self::Write { .. } => vec![
                "the disk may be full: free some space on it, then run the same command again"
                    .to_owned(),
            ],
            Self::Path { .. } => vec!["rename the file".to_owned()],
            Self::BackendInUse => Vec::new(),
        }
    }
}

/// Writes `input`, a GGUF file of 16 or 32 bits, as `output` with weights of another kind.
///
/// `output` appears when it is complete. `n_threads` 0 takes as many as the machine has.
///
/// # Errors
/// As [`quantize_with`].
pub fn quantize(
    input: &Path,
    output: &Path,
    kind: QuantKind,
    n_threads: u32,
) -> Result<(), QuantizeError> {
    let options = QuantizeOptions {
        kind,
        n_threads,
        importance: None,
    };
    quantize_with(input, output, &options)
}

/// As [`quantize`], with an importance matrix where there is one.
///
/// # Errors
/// The input is unusable, a row of a matrix does not suit the kind, the importance matrix is another model's or is missing, or the
/// disk is full.
pub fn quantize_with(
    input: &Path,
    output: &Path,
    options: &QuantizeOptions<'_>,
) -> Result<(), QuantizeError> {
    preflight::check(input)?;
    options.check()?;
    if let Some(importance) = options.importance {
        let model = GgufFile::open(input).map_err(PreflightError::from)?;
        importance.check_model(&model)?;
    }
    let _backend = backend::llama_backend().ok_or(QuantizeError::BackendInUse)?;
    // The file is filled inside a hidden directory beside its final place, which goes away on failure.
    let staged = StagedDir::new(output.with_added_extension("quantize"))?;
    let partial = staged.path().join("model.gguf");
    run_llama(input, &partial, options).map_err(|error| told_of_writing(error, output))?;
    // A full disk does not make every stream report a failure; then the header was never written.
    GgufFile::open(&partial).map_err(|_| QuantizeError::Write {
        path: output.to_owned(),
        message: "what it wrote is incomplete".to_owned(),
    })?;
    std::fs::File::open(&partial)
        .and_then(|file| file.sync_all())
        .with_path("write", &partial)?;
    std::fs::rename(&partial, output).with_path("write", output)?;
    Ok(())
}

/// llama.cpp writes with a C++ stream, whose failures name only the library that they come from.
fn told_of_writing(error: QuantizeError, output: &Path) -> QuantizeError {
    match error {
        QuantizeError::Refused { message, .. } if message.contains("iostream") => {
            QuantizeError::Write {
                path: output.to_owned(),
                message,
            }
        }
        error => error,
    }
}

fn run_llama(
    input: &Path,
    output: &Path,
    options: &QuantizeOptions<'_>,
) -> Result<(), QuantizeError> {
    let (from, to) = (c_path(input)?, c_path(output)?);
    let importance = options.importance.map(ImportanceList::new);
    // SAFETY: the function takes nothing and returns a plain value.
    let mut parameters = unsafe { sys::llama_model_quantize_default_params() };
    parameters.ftype = options.kind.file_type();
    parameters.nthread = i32::try_from(options.n_threads).unwrap_or(0);
    if let Some(importance) = &importance {
        parameters.imatrix = importance.entries.as_ptr();
    }
    backend::clear_last_error();
    // SAFETY: both paths are NUL-terminated and outlive the call, as does the list of importances, which ends in an entry of
    // null. All other pointers of the parameters are null, which means unused. Failures are caught inside and returned as a
    // number.
    let status =
        unsafe { sys::llama_model_quantize(from.as_ptr(), to.as_ptr(), &raw const parameters) };
    if status == 0 {
        return Ok(());
    }
    Err(QuantizeError::Refused {
        input: input.to_owned(),
        kind: options.kind,
        message: backend::take_last_error().unwrap_or_else(|| format!("status {status}")),
    })
}

/// An importance matrix as llama.cpp takes it: a list that ends in an entry without a name.
struct ImportanceList<'a> {
    entries: Vec<sys::llama_model_imatrix_data>,
    /// What the entries point at.
    _names: Vec<CString>,
    _values: std::marker::PhantomData<&'a [f32]>,
}

impl<'a> ImportanceList<'a> {
    fn new(matrix: &'a ImportanceMatrix) -> Self {
        // Every name is that of a tensor of the model, as was checked, and those end before a NUL.
        let named = matrix
            .iter()
            .filter_map(|(name, values)| Some((CString::new(name).ok()?, values)));
        let (names, values): (Vec<CString>, Vec<&[f32]>) = named.unzip();
        let mut entries: Vec<_> = names
            .iter()
            .zip(values)
            .map(|(name, values)| sys::llama_model_imatrix_data {
                name: name.as_ptr(),
                data: values.as_ptr(),
                size: values.len(),
            })
            .collect();
        entries.push(sys::llama_model_imatrix_data {
            name: std::ptr::null(),
            data: std::ptr::null(),
            size: 0,
        });
        Self {
            entries,
            _names: names,
            _values: std::marker::PhantomData,
        }
    }
}

fn c_path(path: &Path) -> Result<CString, QuantizeError> {
    let error = |source| QuantizeError::Path {
        path: path.to_owned(),
        source,
    };
    let text = path.to_str().ok_or_else(|| error(None))?;
    CString::new(text).map_err(|source| error(Some(source)))
}
