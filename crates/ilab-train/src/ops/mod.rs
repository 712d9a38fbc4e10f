//! The kernels as differentiable operations on tensors.
//!
//! Each operation holds f32, contiguous CPU tensors to the kernel of the same name in `ilab-kernels`, forward and backward.

mod attention;
mod cross_entropy;
mod linear;
mod norm;
mod rotary;
mod storage;
mod swiglu;

pub use attention::attention;
pub use cross_entropy::cross_entropy_sum;
pub use linear::linear;
pub use norm::rms_norm;
pub use rotary::{Rotary, rope};
pub(crate) use storage::{slice_mut, with_slice};
pub use swiglu::swiglu;
