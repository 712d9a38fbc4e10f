//! Where a model is trained, and what a device cannot do.

use std::fmt::{self, Display, Formatter};

use ilab_base::hint::Hint;
use serde::Serialize;

use crate::method::BaseFormat;

/// Where a model is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Device {
    /// This processor, with the kernels of `ilab-kernels`.
    Cpu,
    /// This processor, with the tensor operations that a GPU runs: much slower, so that these can be tested anywhere.
    Composed,
    /// The first NVIDIA GPU.
    Cuda,
    /// The GPU of an Apple computer.
    Mps,
}

/// Names that [`Device::parse`] knows.
const NAMES: [&str; 3] = ["cpu", "cuda", "mps"];

impl Device {
    /// The device that a user calls `cpu`, `cuda` or `mps`.
    ///
    /// # Errors
    /// Any other name.
    pub fn parse(name: &str) -> Result<Self, DeviceError> {
        match name {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda),
            "mps" => Ok(Self::Mps),
            _ => Err(DeviceError::Unknown {
                name: name.to_owned(),
            }),
        }
    }

    /// Tries whether a model can be trained there.
    ///
    /// # Errors
    /// A device that is absent, or that this program was built without.
    pub fn check(self) -> Result<(), DeviceError> {
        self.open().map(|_| ())
    }

    /// Whether this program was built for the device.
    pub fn is_built(self) -> bool {
        match self {
            Self::Cpu | Self::Composed => true,
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Mps => cfg!(feature = "metal"),
        }
    }

    /// The device of the tensor library; `None` for the kernels of this processor, which need none.
    pub(crate) fn open(self) -> Result<Option<candle_core::Device>, DeviceError> {
        if !self.is_built() {
            return Err(DeviceError::NotBuilt { device: self });
        }
        let opened = match self {
            Self::Cpu => return Ok(None),
            Self::Composed => Ok(candle_core::Device::Cpu),
            Self::Cuda => candle_core::Device::new_cuda(0),
            Self::Mps => candle_core::Device::new_metal(0),
        };
        opened.map(Some).map_err(|source| DeviceError::Absent {
            device: self,
            source: Box::new(source),
        })
    }

    fn platform(self) -> &'static str {
        match self {
            Self::Cpu | Self::Composed => "this processor",
            Self::Cuda => "CUDA",
            Self::Mps => "Metal",
        }
    }

    fn feature(self) -> &'static str {
        match self {
            Self::Mps => "metal",
            _ => "cuda",
        }
    }
}

impl Display for Device {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Cpu => "cpu",
            Self::Composed => "cpu, composed",
            Self::Cuda => "cuda",
            Self::Mps => "mps",
        })
    }
}

/// A device cannot be used, or could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no device of this name.
    #[error("there is no device `{name}`; there are {}", NAMES.join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// The program was built without the device.
    #[error("this program was built without {}", device.platform())]
    NotBuilt {
        /// The device.
        device: Device,
    },
    /// The machine has no such device, or none that can be used.
    #[error("the device `{device}` cannot be used")]
    Absent {
        /// The device.
        device: Device,
        /// What the driver says.
        #[source]
        source: Box<candle_core::Error>,
    },
    /// A frozen base is kept there in some forms only.
    #[error("the device `{device}` keeps a frozen base in f32 or bf16, not in {} blocks", bits(*base))]
    Base {
        /// The device.
        device: Device,
        /// The form that was asked for.
        base: BaseFormat,
    },
    /// The memory of the device does not suffice.
    #[error("the memory of the device `{device}` does not suffice for {purpose}")]
    OutOfMemory {
        /// The device.
        device: Device,
        /// What it was needed for.
        purpose: Purpose,
        /// What the driver says.
        #[source]
        source: Box<candle_core::Error>,
    },
    /// The device failed.
    #[error("the device `{device}` failed at {purpose}")]
    Failed {
        /// The device.
        device: Device,
        /// What it was doing.
        purpose: Purpose,
        /// What the driver says.
        #[source]
        source: Box<candle_core::Error>,
    },
}

/// What a device is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It holds the weights.
    Weights,
    /// It computes a batch of so many tokens.
    Batch {
        /// Tokens of the batch.
        n_tokens: usize,
    },
    /// It updates the weights.
    Update,
}

impl Display for Purpose {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weights => formatter.write_str("the weights"),
            Self::Batch { n_tokens } => write!(formatter, "a batch of {n_tokens} tokens"),
            Self::Update => formatter.write_str("the update of the weights"),
        }
    }
}

fn bits(base: BaseFormat) -> &'static str {
    match base {
        BaseFormat::Nf4 => "4-bit",
        BaseFormat::Q8 => "8-bit",
        BaseFormat::Bf16 => "16-bit",
        BaseFormat::F32 => "32-bit",
    }
}

impl DeviceError {
    /// What an error of the tensor library means. It passes on what drivers say as text alone.
    pub(crate) fn new(device: Device, purpose: Purpose, source: candle_core::Error) -> Self {
        let said = source.to_string().to_lowercase().replace('_', " ");
        let source = Box::new(source);
        if said.contains("out of memory") || said.contains("failedtocreateresource") {
            Self::OutOfMemory {
                device,
                purpose,
                source,
            }
        } else {
            Self::Failed {
                device,
                purpose,
                source,
            }
        }
    }
}

impl Hint for DeviceError {
    fn hints(&self) -> Vec<String> {
        let hints: &[&str] = match self {
            Self::Unknown { .. } => &["pass one of these with `--device`"],
            Self::NotBuilt { device } => {
                return vec![format!(
                    "build it with `cargo build --release --features {}`, or pass `--device cpu`",
                    device.feature()
                )];
            }
            Self::Absent {
                device: Device::Cuda,
                ..
            } => &["`nvidia-smi` shows what the driver sees; or pass `--device cpu`"],
            Self::Absent { .. } => &["pass `--device cpu`"],
            Self::Base { .. } => &[
                "pass `--lora-quantize-dtype none`, or train on the processor with `--device cpu`",
            ],
            Self::OutOfMemory {
                purpose: Purpose::Batch { .. },
                ..
            } => &["lower `--max-batch-len`, or pass `--gradient-checkpointing on`"],
            Self::OutOfMemory { .. } => {
                &["train adapters alone with `--lora-rank 8`, or pass `--device cpu`"]
            }
            Self::Failed { .. } => {
                &["the run can be gone on with, or trained on the processor with `--device cpu`"]
            }
        };
        hints.iter().map(|hint| (*hint).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: &DeviceError) -> String {
        format!("{error}; {}", error.hints().join("; "))
    }

    #[test]
    fn names_are_those_of_the_original() {
        for (name, device) in NAMES.iter().zip([Device::Cpu, Device::Cuda, Device::Mps]) {
            assert_eq!(Device::parse(name).unwrap(), device);
            assert_eq!(device.to_string(), *name);
        }
        for name in ["", "CPU", "cuda:0", "hpu", "gpu"] {
            assert_eq!(
                said(&Device::parse(name).unwrap_err()),
                format!(
                    "there is no device `{name}`; there are cpu, cuda, mps; pass one of these with `--device`"
                )
            );
        }
    }

    #[test]
    fn a_device_that_was_left_out_is_told_with_the_way_to_have_it() {
        for (device, expected) in [
            (
                Device::Cuda,
                "this program was built without CUDA; build it with `cargo build --release --features cuda`, or pass `--device cpu`",
            ),
            (
                Device::Mps,
                "this program was built without Metal; build it with `cargo build --release --features metal`, or pass `--device cpu`",
            ),
        ] {
            match device.check() {
                Ok(()) | Err(DeviceError::Absent { .. }) => assert!(device.is_built()),
                Err(error) => assert_eq!(said(&error), expected),
            }
        }
        assert!(Device::Cpu.check().is_ok() && Device::Composed.check().is_ok());
    }

    #[test]
    fn memory_that_does_not_suffice_is_told_with_the_flag_to_change() {
        let error = |text: &str, purpose| {
            let source = candle_core::Error::Msg(text.to_owned());
            DeviceError::new(Device::Cuda, purpose, source)
        };
        let memory = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        assert_eq!(
            said(&error(memory, Purpose::Batch { n_tokens: 5000 })),
            "the memory of the device `cuda` does not suffice for a batch of 5000 tokens; lower `--max-batch-len`, or pass \
             `--gradient-checkpointing on`"
        );
        assert_eq!(
            said(&error(memory, Purpose::Weights)),
            "the memory of the device `cuda` does not suffice for the weights; train adapters alone with `--lora-rank 8`, or \
             pass `--device cpu`"
        );
        assert!(
            said(&error("CUBLAS_STATUS_NOT_SUPPORTED", Purpose::Update))
                .starts_with("the device `cuda` failed at the update of the weights; ")
        );
    }
}
