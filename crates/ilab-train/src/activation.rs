//! Values kept from the forward pass for the backward pass, in the precision in which products read them.

use half::bf16;
use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::Precision;
use ilab_kernels::rounding::{to_bf16_into, to_f32_into};

use crate::workspace::Workspace;

/// A kept `[rows, columns]`.
#[derive(Debug)]
pub(crate) enum Activation {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
}

impl Activation {
    /// Keeps values; products in bf16 round them anyway, so that nothing is lost to these.
    pub(crate) fn keep(values: Vec<f32>, precision: Precision, work: &mut Workspace) -> Self {
        match precision {
            Precision::F32 => Self::F32(values),
            Precision::Bf16 => {
                let mut kept = work.take_bf16(values.len());
                to_bf16_into(&mut kept, &values);
                work.give(values);
                Self::Bf16(kept)
            }
        }
    }

    /// The values as f32; what was kept is freed.
    pub(crate) fn into_f32(self, work: &mut Workspace) -> Vec<f32> {
        match self {
            Self::F32(values) => values,
            Self::Bf16(values) => {
                let mut wide = work.take(values.len());
                to_f32_into(&mut wide, &values);
                work.give_bf16(values);
                wide
            }
        }
    }

    /// The values for a product.
    pub(crate) fn factor(&self, columns: usize) -> Factor<'_> {
        match self {
            Self::F32(values) => Factor::dense(values, values.len() / columns, columns),
            Self::Bf16(values) => Factor::dense_bf16(values, values.len() / columns, columns),
        }
    }

    /// Hands the buffer back.
    pub(crate) fn free(self, work: &mut Workspace) {
        match self {
            Self::F32(values) => work.give(values),
            Self::Bf16(values) => work.give_bf16(values),
        }
    }
}
