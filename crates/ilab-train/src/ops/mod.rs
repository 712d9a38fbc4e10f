//! The kernels as differentiable operations on tensors.
//!
//! Each operation holds f32, contiguous CPU tensors to kernels of `ilab-kernels`, forward and backward.

mod cross_entropy;
mod decoder_layer;
mod linear;
mod norm;
mod storage;

pub use cross_entropy::cross_entropy_sum;
pub(crate) use decoder_layer::{LayerGradients, LayerOptions, PerWeight, Rotary, decoder_layer};
pub use linear::linear;
pub use norm::rms_norm;
pub(crate) use storage::{slice_mut, with_slice};
