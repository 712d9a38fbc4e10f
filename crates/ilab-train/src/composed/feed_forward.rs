//! The gate of the feed-forward part, `silu(gate) · up`.
//!
//! # Source
//! Shazeer 2020: <https://arxiv.org/abs/2002.05202>

use candle_core::{Result, Tensor};

/// `gate / (1 + e^-gate) · up`, element by element.
pub(crate) fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.mul(&sigmoid(gate)?)?.mul(up)
}

/// The gradients of gate and up from that of the result.
pub(crate) fn swiglu_backward(gate: &Tensor, up: &Tensor, dy: &Tensor) -> Result<[Tensor; 2]> {
    let share = sigmoid(gate)?;
    let dup = dy.mul(&gate.mul(&share)?)?;
    // The derivative of silu: σ · (1 + gate · (1 - σ)).
    let slope = gate.mul(&share.affine(-1.0, 1.0)?)?.affine(1.0, 1.0)?;
    let dgate = dy.mul(up)?.mul(&share)?.mul(&slope)?;
    Ok([dgate, dup])
}

fn sigmoid(x: &Tensor) -> Result<Tensor> {
    x.neg()?.exp()?.affine(1.0, 1.0)?.recip()
}
