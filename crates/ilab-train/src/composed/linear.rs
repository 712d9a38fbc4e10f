//! Linear layers with their adapters.

use candle_core::{DType, Result, Tensor};

use crate::adapter::{Adapter, kept};
use crate::composed::factor_type;
use crate::linear::{Linear, Pass};
use crate::parameter::Parameter;

/// `x · wᵀ + b` with the adapter's share.
///
/// # Shape
/// `x: [N, input]` in the type of the factors, result `[N, output]` in f32.
pub(crate) fn forward(linear: &Linear, x: &Tensor, pass: Pass) -> Result<Tensor> {
    let mut y = product(x, &factor(&linear.weight, pass)?.t()?)?;
    if let Some(bias) = &linear.bias {
        y = y.broadcast_add(bias.tensor())?;
    }
    if let Some(adapter) = &linear.adapter {
        let input = dropped(adapter, x, linear.own(pass).dropout_seed)?;
        let narrow = input.matmul(&factor(&adapter.down, pass)?.t()?)?;
        let share = product(&narrow, &factor(&adapter.up, pass)?.t()?)?;
        y = y.add(&share.affine(f64::from(adapter.scale), 0.0)?)?;
    }
    Ok(y)
}

/// The gradient of the input, `[N, input]` in f32, from `dy: [N, output]` in f32; adds the gradients of what is trained.
pub(crate) fn backward(linear: &mut Linear, x: &Tensor, dy: &Tensor, pass: Pass) -> Result<Tensor> {
    let seed = linear.own(pass).dropout_seed;
    if let Some(values) = linear.bias.as_mut().and_then(Parameter::on_device_mut) {
        values.add_gradient(|| dy.sum(0))?;
    }
    let dy = dy.to_dtype(factor_type(pass.precision))?;
    let dx = product(&dy, &factor(&linear.weight, pass)?)?;
    if let Some(values) = linear.weight.on_device_mut() {
        values.add_gradient(|| dy.t()?.matmul(x))?;
    }
    match &mut linear.adapter {
        None => Ok(dx),
        Some(adapter) => dx.add(&adapter_backward(adapter, x, &dy, seed, pass)?),
    }
}

/// What the adapter adds to the gradient of the input.
fn adapter_backward(
    adapter: &mut Adapter,
    x: &Tensor,
    dy: &Tensor,
    seed: Option<u64>,
    pass: Pass,
) -> Result<Tensor> {
    let scale = f64::from(adapter.scale);
    let input = dropped(adapter, x, seed)?;
    let down = factor(&adapter.down, pass)?;
    let narrow = input.matmul(&down.t()?)?;
    let dnarrow = dy.matmul(&factor(&adapter.up, pass)?)?.affine(scale, 0.0)?;
    if let Some(values) = adapter.up.on_device_mut() {
        let gradient = || product(&dy.t()?, &narrow)?.affine(scale, 0.0);
        values.add_gradient(gradient)?;
    }
    if let Some(values) = adapter.down.on_device_mut() {
        values.add_gradient(|| dnarrow.t()?.matmul(&input))?;
    }
    let dinput = product(&dnarrow, &down)?;
    dropped(adapter, &dinput, seed)
}

/// A weight in the type of the factors.
fn factor(weight: &Parameter, pass: Pass) -> Result<Tensor> {
    weight.tensor().to_dtype(factor_type(pass.precision))
}

/// A product in f32.
fn product(left: &Tensor, right: &Tensor) -> Result<Tensor> {
    left.matmul(right)?.to_dtype(DType::F32)
}

/// The input, or the gradient of it, with some of it left out: the same numbers as the kernels leave out.
fn dropped(adapter: &Adapter, x: &Tensor, seed: Option<u64>) -> Result<Tensor> {
    let Some(seed) = seed.filter(|_| adapter.dropout > 0.0) else {
        return Ok(x.clone());
    };
    let kept = kept(x.elem_count(), seed, adapter.dropout);
    let kept = Tensor::from_vec(kept, x.shape(), x.device())?.to_dtype(x.dtype())?;
    let scale = 1.0 / (1.0 - f64::from(adapter.dropout));
    x.mul(&kept)?.affine(scale, 0.0)
}
