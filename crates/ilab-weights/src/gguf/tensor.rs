//! Descriptions of tensors: type, dimensions, size.

use crate::gguf::error::DefectKind;

/// How the values of a tensor are stored.
///
/// The ids and block sizes are those of `ggml_type` in `ggml.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, missing_docs)]
pub enum TensorType {
    F32,
    F16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q8_1,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    Q8_K,
    IQ2_XXS,
    IQ2_XS,
    IQ3_XXS,
    IQ1_S,
    IQ4_NL,
    IQ3_S,
    IQ2_S,
    IQ4_XS,
    I8,
    I16,
    I32,
    I64,
    F64,
    IQ1_M,
    BF16,
    TQ1_0,
    TQ2_0,
    MXFP4,
    NVFP4,
    Q1_0,
    Q2_0,
}

/// Type, id, name, values in a block, bytes of a block.
type Row = (TensorType, u32, &'static str, u64, u64);

const TABLE: &[Row] = &[
    (TensorType::F32, 0, "F32", 1, 4),
    (TensorType::F16, 1, "F16", 1, 2),
    (TensorType::Q4_0, 2, "Q4_0", 32, 18),
    (TensorType::Q4_1, 3, "Q4_1", 32, 20),
    (TensorType::Q5_0, 6, "Q5_0", 32, 22),
    (TensorType::Q5_1, 7, "Q5_1", 32, 24),
    (TensorType::Q8_0, 8, "Q8_0", 32, 34),
    (TensorType::Q8_1, 9, "Q8_1", 32, 36),
    (TensorType::Q2_K, 10, "Q2_K", 256, 84),
    (TensorType::Q3_K, 11, "Q3_K", 256, 110),
    (TensorType::Q4_K, 12, "Q4_K", 256, 144),
    (TensorType::Q5_K, 13, "Q5_K", 256, 176),
    (TensorType::Q6_K, 14, "Q6_K", 256, 210),
    (TensorType::Q8_K, 15, "Q8_K", 256, 292),
    (TensorType::IQ2_XXS, 16, "IQ2_XXS", 256, 66),
    (TensorType::IQ2_XS, 17, "IQ2_XS", 256, 74),
    (TensorType::IQ3_XXS, 18, "IQ3_XXS", 256, 98),
    (TensorType::IQ1_S, 19, "IQ1_S", 256, 50),
    (TensorType::IQ4_NL, 20, "IQ4_NL", 32, 18),
    (TensorType::IQ3_S, 21, "IQ3_S", 256, 110),
    (TensorType::IQ2_S, 22, "IQ2_S", 256, 82),
    (TensorType::IQ4_XS, 23, "IQ4_XS", 256, 136),
    (TensorType::I8, 24, "I8", 1, 1),
    (TensorType::I16, 25, "I16", 1, 2),
    (TensorType::I32, 26, "I32", 1, 4),
    (TensorType::I64, 27, "I64", 1, 8),
    (TensorType::F64, 28, "F64", 1, 8),
    (TensorType::IQ1_M, 29, "IQ1_M", 256, 56),
    (TensorType::BF16, 30, "BF16", 1, 2),
    (TensorType::TQ1_0, 34, "TQ1_0", 256, 54),
    (TensorType::TQ2_0, 35, "TQ2_0", 256, 66),
    (TensorType::MXFP4, 39, "MXFP4", 32, 17),
    (TensorType::NVFP4, 40, "NVFP4", 64, 36),
    (TensorType::Q1_0, 41, "Q1_0", 128, 18),
    (TensorType::Q2_0, 42, "Q2_0", 64, 18),
];

impl TensorType {
    fn row(self) -> &'static Row {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .expect("every type has its row, held by a test")
    }

    /// The type with this id.
    pub fn from_id(id: u32) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == id).map(|row| row.0)
    }

    /// The id in the file.
    pub fn id(self) -> u32 {
        self.row().1
    }

    /// The name that llama.cpp prints.
    pub fn name(self) -> &'static str {
        self.row().2
    }

    /// How many values are stored together.
    pub fn block_values(self) -> u64 {
        self.row().3
    }

    /// Bytes that a block takes.
    pub fn block_bytes(self) -> u64 {
        self.row().4
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The most dimensions a tensor has.
pub(crate) const MAX_RANK: u32 = 4;

/// One tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// Its dimensions, fastest-varying first: the reverse of the order in Hugging Face files.
    pub dimensions: Vec<u64>,
    /// How its values are stored.
    pub tensor_type: TensorType,
    /// Where its bytes begin, from the start of the data section; a multiple of the alignment.
    pub offset: u64,
}

impl TensorInfo {
    /// Describes a tensor for [`GgufWriter`](crate::gguf::GgufWriter), which finds its offset.
    pub fn new(name: impl Into<String>, dimensions: &[u64], tensor_type: TensorType) -> Self {
        Self {
            name: name.into(),
            dimensions: dimensions.to_vec(),
            tensor_type,
            offset: 0,
        }
    }

    /// How many values it has.
    pub fn n_values(&self) -> u64 {
        self.dimensions
            .iter()
            .fold(1, |product, dimension| product.saturating_mul(*dimension))
    }

    /// How many bytes its values take.
    ///
    /// # Errors
    /// Rows that are not whole blocks, or a size beyond what a file can have.
    pub fn size_bytes(&self) -> Result<u64, DefectKind> {
        let block = self.tensor_type.block_values();
        let row = self.dimensions.first().copied().unwrap_or(1);
        if row % block != 0 {
            return Err(DefectKind::Row {
                tensor: self.name.clone(),
                got: row,
                block,
            });
        }
        self.dimensions
            .iter()
            .try_fold(1_u64, |product, dimension| product.checked_mul(*dimension))
            .and_then(|values| (values / block).checked_mul(self.tensor_type.block_bytes()))
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .ok_or_else(|| DefectKind::SizeOverflow {
                tensor: self.name.clone(),
                dimensions: self.dimensions.clone(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_one_row() {
        for row in TABLE {
            assert_eq!(TensorType::from_id(row.1), Some(row.0));
            assert_eq!(row.0.id(), row.1);
        }
        assert_eq!(TABLE.len(), TensorType::Q2_0 as usize + 1);
        assert_eq!(TensorType::from_id(4), None);
        assert_eq!(TensorType::from_id(u32::MAX), None);
    }

    #[test]
    fn sizes() {
        let size = |dimensions: &[u64], tensor_type| {
            TensorInfo::new("t", dimensions, tensor_type).size_bytes()
        };
        assert_eq!(size(&[64, 3], TensorType::Q8_0), Ok(2 * 3 * 34));
        assert_eq!(size(&[], TensorType::F32), Ok(4));
        assert_eq!(size(&[0, 5], TensorType::F16), Ok(0));
        assert!(matches!(
            size(&[48], TensorType::Q8_0),
            Err(DefectKind::Row {
                got: 48,
                block: 32,
                ..
            })
        ));
        for dimensions in [vec![1 << 62, 1 << 2], vec![1 << 62], vec![u64::MAX; 4]] {
            assert!(matches!(
                size(&dimensions, TensorType::F32),
                Err(DefectKind::SizeOverflow { .. })
            ));
        }
    }
}
