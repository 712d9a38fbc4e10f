//! The types of `llama-quantize`, by their names there.

use std::fmt;
use std::str::FromStr;

use llama_cpp_sys_2 as sys;

/// How the weights of the large matrices are stored. Names are those of llama.cpp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types, missing_docs)]
pub enum QuantKind {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q6K,
    Q5KM,
    Q5KS,
    Q5_1,
    Q5_0,
    Q4KM,
    Q4KS,
    Q4_1,
    Q4_0,
    IQ4NL,
    IQ4XS,
    Q3KL,
    Q3KM,
    Q3KS,
    IQ3M,
    IQ3S,
    IQ3XS,
    IQ3XXS,
    Q2K,
    Q2KS,
    IQ2M,
    IQ2S,
    IQ2XS,
    IQ2XXS,
    IQ1M,
    IQ1S,
    Q2_0,
    Q1_0,
    TQ2_0,
    TQ1_0,
    MXFP4_MOE,
}

/// Kind, name, `llama_ftype`, whether llama.cpp refuses it without an importance matrix.
type Row = (QuantKind, &'static str, sys::llama_ftype, bool);

const TABLE: &[Row] = &[
    (QuantKind::F32, "F32", sys::LLAMA_FTYPE_ALL_F32, false),
    (QuantKind::F16, "F16", sys::LLAMA_FTYPE_MOSTLY_F16, false),
    (QuantKind::Bf16, "BF16", sys::LLAMA_FTYPE_MOSTLY_BF16, false),
    (QuantKind::Q8_0, "Q8_0", sys::LLAMA_FTYPE_MOSTLY_Q8_0, false),
    (QuantKind::Q6K, "Q6_K", sys::LLAMA_FTYPE_MOSTLY_Q6_K, false),
    (
        QuantKind::Q5KM,
        "Q5_K_M",
        sys::LLAMA_FTYPE_MOSTLY_Q5_K_M,
        false,
    ),
    (
        QuantKind::Q5KS,
        "Q5_K_S",
        sys::LLAMA_FTYPE_MOSTLY_Q5_K_S,
        false,
    ),
    (QuantKind::Q5_1, "Q5_1", sys::LLAMA_FTYPE_MOSTLY_Q5_1, false),
    (QuantKind::Q5_0, "Q5_0", sys::LLAMA_FTYPE_MOSTLY_Q5_0, false),
    (
        QuantKind::Q4KM,
        "Q4_K_M",
        sys::LLAMA_FTYPE_MOSTLY_Q4_K_M,
        false,
    ),
    (
        QuantKind::Q4KS,
        "Q4_K_S",
        sys::LLAMA_FTYPE_MOSTLY_Q4_K_S,
        false,
    ),
    (QuantKind::Q4_1, "Q4_1", sys::LLAMA_FTYPE_MOSTLY_Q4_1, false),
    (QuantKind::Q4_0, "Q4_0", sys::LLAMA_FTYPE_MOSTLY_Q4_0, false),
    (
        QuantKind::IQ4NL,
        "IQ4_NL",
        sys::LLAMA_FTYPE_MOSTLY_IQ4_NL,
        false,
    ),
    (
        QuantKind::IQ4XS,
        "IQ4_XS",
        sys::LLAMA_FTYPE_MOSTLY_IQ4_XS,
        false,
    ),
    (
        QuantKind::Q3KL,
        "Q3_K_L",
        sys::LLAMA_FTYPE_MOSTLY_Q3_K_L,
        false,
    ),
    (
        QuantKind::Q3KM,
        "Q3_K_M",
        sys::LLAMA_FTYPE_MOSTLY_Q3_K_M,
        false,
    ),
    (
        QuantKind::Q3KS,
        "Q3_K_S",
        sys::LLAMA_FTYPE_MOSTLY_Q3_K_S,
        false,
    ),
    (
        QuantKind::IQ3M,
        "IQ3_M",
        sys::LLAMA_FTYPE_MOSTLY_IQ3_M,
        false,
    ),
    (
        QuantKind::IQ3S,
        "IQ3_S",
        sys::LLAMA_FTYPE_MOSTLY_IQ3_S,
        false,
    ),
    (
        QuantKind::IQ3XS,
        "IQ3_XS",
        sys::LLAMA_FTYPE_MOSTLY_IQ3_XS,
        true,
    ),
    (
        QuantKind::IQ3XXS,
        "IQ3_XXS",
        sys::LLAMA_FTYPE_MOSTLY_IQ3_XXS,
        true,
    ),
    (QuantKind::Q2K, "Q2_K", sys::LLAMA_FTYPE_MOSTLY_Q2_K, false),
    (
        QuantKind::Q2KS,
        "Q2_K_S",
        sys::LLAMA_FTYPE_MOSTLY_Q2_K_S,
        true,
    ),
    (
        QuantKind::IQ2M,
        "IQ2_M",
        sys::LLAMA_FTYPE_MOSTLY_IQ2_M,
        true,
    ),
    (
        QuantKind::IQ2S,
        "IQ2_S",
        sys::LLAMA_FTYPE_MOSTLY_IQ2_S,
        true,
    ),
    (
        QuantKind::IQ2XS,
        "IQ2_XS",
        sys::LLAMA_FTYPE_MOSTLY_IQ2_XS,
        true,
    ),
    (
        QuantKind::IQ2XXS,
        "IQ2_XXS",
        sys::LLAMA_FTYPE_MOSTLY_IQ2_XXS,
        true,
    ),
    (
        QuantKind::IQ1M,
        "IQ1_M",
        sys::LLAMA_FTYPE_MOSTLY_IQ1_M,
        true,
    ),
    (
        QuantKind::IQ1S,
        "IQ1_S",
        sys::LLAMA_FTYPE_MOSTLY_IQ1_S,
        true,
    ),
    (QuantKind::Q2_0, "Q2_0", sys::LLAMA_FTYPE_MOSTLY_Q2_0, false),
    (QuantKind::Q1_0, "Q1_0", sys::LLAMA_FTYPE_MOSTLY_Q1_0, false),
    (
        QuantKind::TQ2_0,
        "TQ2_0",
        sys::LLAMA_FTYPE_MOSTLY_TQ2_0,
        false,
    ),
    (
        QuantKind::TQ1_0,
        "TQ1_0",
        sys::LLAMA_FTYPE_MOSTLY_TQ1_0,
        false,
    ),
    (
        QuantKind::MXFP4_MOE,
        "MXFP4_MOE",
        sys::LLAMA_FTYPE_MOSTLY_MXFP4_MOE,
        false,
    ),
];

/// Names that llama.cpp takes for others.
const ALIASES: [(&str, QuantKind); 3] = [
    ("Q3_K", QuantKind::Q3KM),
    ("Q4_K", QuantKind::Q4KM),
    ("Q5_K", QuantKind::Q5KM),
];

impl QuantKind {
    /// All kinds, roughly from the largest file to the smallest.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static Row {
        TABLE
            .iter()
            .find(|row| row.0 == self)
            .expect("every kind has its row, held by a test")
    }

    /// The name by which llama.cpp and file names know it.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    pub(super) fn file_type(self) -> sys::llama_ftype {
        self.row().2
    }

    /// Whether so few bits make sense only where an importance matrix says which weights matter.
    pub fn needs_importance(self) -> bool {
        self.row().3
    }
}

impl fmt::Display for QuantKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// A name that is no [`QuantKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown quantisation `{got}`, expected one of {}", names())]
pub struct UnknownQuantKind {
    /// The name found.
    pub got: String,
}

fn names() -> String {
    let names: Vec<&str> = QuantKind::all().map(QuantKind::name).collect();
    names.join(", ")
}

impl FromStr for QuantKind {
    type Err = UnknownQuantKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let aliased = ALIASES
            .iter()
            .find(|alias| alias.0.eq_ignore_ascii_case(name));
        Self::all()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
            .or_else(|| aliased.map(|alias| alias.1))
            .ok_or_else(|| UnknownQuantKind {
                got: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_name() {
        assert_eq!(TABLE.len(), QuantKind::MXFP4_MOE as usize + 1);
        for (kind, row) in QuantKind::all().zip(TABLE) {
            assert_eq!(kind.row(), row);
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert_eq!("q4_k_m".parse(), Ok(QuantKind::Q4KM));
        assert_eq!("Q5_K".parse(), Ok(QuantKind::Q5KM));
        let error = "Q9".parse::<QuantKind>().unwrap_err().to_string();
        let beginning = "unknown quantisation `Q9`, expected one of F32, F16, BF16, Q8_0, Q6_K";
        assert!(error.starts_with(beginning), "{error}");
    }
}
