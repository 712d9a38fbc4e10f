//! Division by the root of the mean square.
//!
//! # Source
//! Zhang and Sennrich 2019: <https://arxiv.org/abs/1910.07467>

use candle_core::{D, Result, Tensor};

use crate::parameter::Parameter;

/// `x / √(mean(x²) + eps) · w` for each row.
///
/// # Shape
/// `x: [N, C]`, `norm: [C]`, result `[N, C]`.
pub(crate) fn rms_norm(x: &Tensor, norm: &Parameter, eps: f32) -> Result<Tensor> {
    let normed = x.broadcast_mul(&inverse_root(x, eps)?)?;
    normed.broadcast_mul(norm.tensor())
}

/// The gradient of `x`, `[N, C]`, from that of the result; adds that of the weight.
pub(crate) fn rms_norm_backward(
    x: &Tensor,
    norm: &mut Parameter,
    dy: &Tensor,
    eps: f32,
) -> Result<Tensor> {
    let inverse = inverse_root(x, eps)?;
    let normed = x.broadcast_mul(&inverse)?;
    let dnormed = dy.broadcast_mul(norm.tensor())?;
    if let Some(values) = norm.on_device_mut() {
        values.add_gradient(|| dy.mul(&normed)?.sum(0))?;
    }
    let along = dnormed.mul(&normed)?.mean_keepdim(D::Minus1)?;
    let across = dnormed.sub(&normed.broadcast_mul(&along)?)?;
    across.broadcast_mul(&inverse)
}

/// `1 / √(mean(x²) + eps)`, `[N, 1]`.
fn inverse_root(x: &Tensor, eps: f32) -> Result<Tensor> {
    let mean = x.sqr()?.mean_keepdim(D::Minus1)?;
    mean.affine(1.0, f64::from(eps))?.sqrt()?.recip()
}
