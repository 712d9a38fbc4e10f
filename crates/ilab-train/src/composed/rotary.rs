//! Rotary position embedding, as in `ilab_kernels::rope`.

use candle_core::{D, Result, Tensor};
use ilab_kernels::rope::Turn;

/// Cosines and sines of each row of a batch.
#[derive(Debug)]
pub(crate) struct Angles {
    /// `[N, 1, D/2]`.
    pub(crate) cosines: Tensor,
    /// `[N, 1, D/2]`.
    pub(crate) sines: Tensor,
}

/// Turns each head of each row: element `i` is paired with `i + D/2`.
///
/// # Shape
/// `x: [N, heads · D]`, result the same.
pub(crate) fn rope(x: &Tensor, angles: &Angles, turn: Turn) -> Result<Tensor> {
    let (n, width) = x.dims2()?;
    let (_, _, half) = angles.cosines.dims3()?;
    let heads = x.reshape((n, width / (2 * half), 2 * half))?;
    let (first, second) = (heads.narrow(2, 0, half)?, heads.narrow(2, half, half)?);
    let (first, second) = (first.contiguous()?, second.contiguous()?);
    let Angles { cosines, sines } = angles;
    let crossed = [first.broadcast_mul(sines)?, second.broadcast_mul(sines)?];
    let [of_first, of_second] = crossed;
    let (first, second) = (
        first.broadcast_mul(cosines)?,
        second.broadcast_mul(cosines)?,
    );
    let turned = match turn {
        Turn::Forward => [first.sub(&of_second)?, second.add(&of_first)?],
        Turn::Backward => [first.add(&of_second)?, second.sub(&of_first)?],
    };
    Tensor::cat(&turned, D::Minus1)?.reshape((n, width))
}
