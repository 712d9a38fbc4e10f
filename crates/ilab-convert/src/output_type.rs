//! What the weights become.

use ilab_weights::gguf::TensorType;
use ilab_weights::gguf::q8_0::BLOCK_VALUES;

/// The type of the matrices in the file; norms and other vectors are always F32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputType {
    /// 32 bits.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of an F32.
    Bf16,
    /// 8 bits and a scale for each 32 values.
    Q8_0,
}

impl OutputType {
    /// The type of a tensor of this shape, outermost dimension first. Rows that are not whole Q8_0 blocks become F16.
    pub(crate) fn tensor_type(self, shape: &[usize]) -> TensorType {
        let [_, columns] = shape else {
            return TensorType::F32;
        };
        match self {
            Self::F32 => TensorType::F32,
            Self::F16 => TensorType::F16,
            Self::Bf16 => TensorType::BF16,
            Self::Q8_0 if columns.is_multiple_of(BLOCK_VALUES) => TensorType::Q8_0,
            Self::Q8_0 => TensorType::F16,
        }
    }

    /// `general.file_type`: the value of `llama_ftype` in `llama.h`.
    pub(crate) fn file_type(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Q8_0 => 7,
            Self::Bf16 => 32,
        }
    }
}

impl std::fmt::Display for OutputType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
            Self::Q8_0 => "Q8_0",
        })
    }
}
