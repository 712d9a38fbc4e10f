//! The model by tensor operations, for devices that have no kernels of ours.
//!
//! Forward and backward stand side by side as in [`crate::layer`], without a graph: a library's automatic differentiation
//! computes gradients of frozen weights too, and adds each to a tensor of zeros first. The residual stream, norms, softmax
//! and gradients are f32; products are computed in the precision of the model. Devices are named by their tensors.

pub(crate) mod adamw;
pub(crate) mod attention;
pub(crate) mod batch;
pub(crate) mod feed_forward;
pub(crate) mod head;
pub(crate) mod layer;
pub(crate) mod linear;
pub(crate) mod norm;
pub(crate) mod rotary;
pub(crate) mod tiles;

use candle_core::DType;
use ilab_kernels::matmul::Precision;

/// In which type a device multiplies.
pub(crate) fn factor_type(precision: Precision) -> DType {
    match precision {
        Precision::F32 => DType::F32,
        Precision::Bf16 => DType::BF16,
    }
}
