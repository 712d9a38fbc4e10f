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
    let weight = factor(&linear.weight, pass)?;
    let y = match &linear.adapter {
        None => product(x, &weight.t()?)?,
        Some(adapter) => {
            let (x, weight) = widened(adapter, x, &weight, linear.own(pass).dropout_seed, pass)?;
            product(&x, &weight.t()?)?
        }
    };
    match &linear.bias {
        None => Ok(y),
        Some(bias) => y.broadcast_add(bias.tensor()),
    }
}

/// Columns of a factor are a multiple of so many where a GPU multiplies fast.
const COLUMN_MULTIPLE: usize = 8;

/// `[x, α/r · dropout(x) · Aᵀ]` and `[w, B]`, whose product is that of the layer with its adapter.
///
/// One product is rounded once. An adapter that has hardly learned is smaller than the last bit of what the layer computes:
/// added to that after it was rounded, it is lost when the sum is rounded again.
fn widened(
    adapter: &Adapter,
    x: &Tensor,
    weight: &Tensor,
    seed: Option<u64>,
    pass: Pass,
) -> Result<(Tensor, Tensor)> {
    let input = dropped(adapter, x, seed)?;
    let narrow = input.matmul(&factor(&adapter.down, pass)?.t()?)?;
    let narrow = narrow.affine(f64::from(adapter.scale), 0.0)?;
    let up = factor(&adapter.up, pass)?;
    let (_, rank) = up.dims2()?;
    let n_zeros = rank.next_multiple_of(COLUMN_MULTIPLE) - rank;
    let beside = |left: &Tensor, right: &Tensor| {
        Tensor::cat(&[left, &right.pad_with_zeros(1, 0, n_zeros)?], 1)
    };
    Ok((beside(x, &narrow)?, beside(weight, &up)?))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use ilab_kernels::matmul::Precision;

    fn weight(name: &str, shape: [usize; 2], value: impl Fn(usize) -> f32) -> Parameter {
        let values = (0..shape[0] * shape[1]).map(value).collect();
        let mut weight = Parameter::trained(name.to_owned(), shape.to_vec(), values);
        weight
            .move_to(Device::Composed, &candle_core::Device::Cpu)
            .unwrap();
        weight
    }

    /// Evenly spread over ±1.
    fn spread(index: usize) -> f32 {
        (index * 7919 % 2003) as f32 / 1001.0 - 1.0
    }

    #[test]
    fn an_adapter_smaller_than_the_last_bit_is_not_lost() {
        const N: usize = 64;
        /// An eighth of the last bit of numbers about 1.
        const SHARE: f32 = 1.0 / 2048.0;
        let with_up = |up: f32| {
            let linear = Linear {
                weight: weight("w", [N, N], spread),
                bias: None,
                adapter: Some(Adapter {
                    down: weight("a", [3, N], |index| f32::from(u8::from(index == 0))),
                    up: weight("b", [N, 3], |index| if index % 3 == 0 { up } else { 0.0 }),
                    scale: 1.0,
                    dropout: 0.0,
                }),
            };
            let pass = Pass {
                precision: Precision::Bf16,
                dropout_seed: None,
            };
            let x = (0..N * N).map(|index| match index % N {
                0 => 1.0,
                _ => spread(index * 31) / 4.0,
            });
            let x = Tensor::from_iter(x, &candle_core::Device::Cpu).unwrap();
            let x = x.reshape((N, N)).unwrap().to_dtype(DType::BF16).unwrap();
            let y = forward(&linear, &x, pass).unwrap();
            let rounded = y
                .to_dtype(DType::BF16)
                .unwrap()
                .to_dtype(DType::F32)
                .unwrap();
            rounded.mean_all().unwrap().to_scalar::<f32>().unwrap()
        };
        let found = with_up(SHARE) - with_up(0.0);
        assert!((found - SHARE).abs() <= 0.2 * SHARE, "{found} of {SHARE}");
    }
}
