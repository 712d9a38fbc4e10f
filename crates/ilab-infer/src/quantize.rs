//! Fewer bits a weight: a GGUF file to a smaller GGUF file, by llama.cpp.
#![allow(unsafe_code)]

use std::ffi::{CString, NulError};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ilab_base::atomic::StagedDir;
use ilab_base::hint::Hint;
use ilab_base::io::{IoError, WithPath};
use ilab_weights::gguf::GgufFile;
use llama_cpp_sys_2 as sys;

use crate::backend;
use crate::preflight::{self, PreflightError};

/// How the weights of the large matrices are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuantKind {
    /// 32 bits.
    F32,
    /// 16 bits, IEEE half precision.
    F16,
    /// 16 bits, brain floating point.
    Bf16,
    /// 8.5 bits: blocks of 32 with one scale.
    Q8_0,
    /// About 4.8 bits: the usual choice for running a model.
    Q4KM,
}

impl QuantKind {
    /// All kinds, from the largest file to the smallest.
    pub const ALL: [Self; 5] = [Self::F32, Self::F16, Self::Bf16, Self::Q8_0, Self::Q4KM];

    /// The name by which llama.cpp and file names know it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4KM => "Q4_K_M",
        }
    }

    fn file_type(self) -> sys::llama_ftype {
        match self {
            Self::F32 => sys::LLAMA_FTYPE_ALL_F32,
            Self::F16 => sys::LLAMA_FTYPE_MOSTLY_F16,
            Self::Bf16 => sys::LLAMA_FTYPE_MOSTLY_BF16,
            Self::Q8_0 => sys::LLAMA_FTYPE_MOSTLY_Q8_0,
            Self::Q4KM => sys::LLAMA_FTYPE_MOSTLY_Q4_K_M,
        }
    }
}

impl fmt::Display for QuantKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is no [`QuantKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown quantisation `{got}`, expected F32, F16, BF16, Q8_0 or Q4_K_M")]
pub struct UnknownQuantKind {
    /// The name found.
    pub got: String,
}

impl FromStr for QuantKind {
    type Err = UnknownQuantKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownQuantKind {
                got: name.to_owned(),
            })
    }
}

/// A model could not be quantised.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// The input is not a usable model.
    #[error(transparent)]
    Preflight(#[from] PreflightError),
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
/// The input is unusable, a row of a matrix does not suit the kind, or the disk is full.
pub fn quantize(
    input: &Path,
    output: &Path,
    kind: QuantKind,
    n_threads: u32,
) -> Result<(), QuantizeError> {
    preflight::check(input)?;
    let _backend = backend::llama_backend().ok_or(QuantizeError::BackendInUse)?;
    // The file is filled inside a hidden directory beside its final place, which goes away on failure.
    let staged = StagedDir::new(output.with_added_extension("quantize"))?;
    let partial = staged.path().join("model.gguf");
    run_llama(input, &partial, kind, n_threads).map_err(|error| told_of_writing(error, output))?;
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
    kind: QuantKind,
    n_threads: u32,
) -> Result<(), QuantizeError> {
    let (from, to) = (c_path(input)?, c_path(output)?);
    // SAFETY: the function takes nothing and returns a plain value.
    let mut parameters = unsafe { sys::llama_model_quantize_default_params() };
    parameters.ftype = kind.file_type();
    parameters.nthread = i32::try_from(n_threads).unwrap_or(0);
    backend::clear_last_error();
    // SAFETY: both paths are NUL-terminated and outlive the call; the parameters are the defaults with two plain fields
    // changed, so their pointers are null, which means unused. Failures are caught inside and returned as a number.
    let status =
        unsafe { sys::llama_model_quantize(from.as_ptr(), to.as_ptr(), &raw const parameters) };
    if status == 0 {
        return Ok(());
    }
    Err(QuantizeError::Refused {
        input: input.to_owned(),
        kind,
        message: backend::take_last_error().unwrap_or_else(|| format!("status {status}")),
    })
}

fn c_path(path: &Path) -> Result<CString, QuantizeError> {
    let error = |source| QuantizeError::Path {
        path: path.to_owned(),
        source,
    };
    let text = path.to_str().ok_or_else(|| error(None))?;
    CString::new(text).map_err(|source| error(Some(source)))
}
