//! Root-mean-square normalisation.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use ilab_kernels::rms_norm as kernel;

use super::storage::{slice, with_slice};

/// `y = x / sqrt(mean(x²) + eps) · weight`, row by row.
///
/// # Shape
/// `x: [N, C]`, `weight: [C]`, result `[N, C]`.
///
/// # Errors
/// Ranks or sizes that do not fit.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    x.contiguous()?.apply_op2(weight, RmsNorm { eps })
}

struct RmsNorm {
    eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, c) = x_layout.shape().dims2()?;
        if w_layout.shape().dims1()? != c {
            candle_core::bail!(
                "rms-norm: x is [{n}, {c}], weight is {:?}",
                w_layout.shape()
            );
        }
        let y = kernel::rms_norm(
            slice(x, x_layout, "rms-norm")?,
            slice(w, w_layout, "rms-norm")?,
            self.eps,
        );
        Ok((CpuStorage::F32(y), (n, c).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight) = with_slice(x, |x| {
            with_slice(weight, |weight| {
                with_slice(dy, |dy| kernel::rms_norm_backward(x, weight, dy, self.eps))
            })
        })???;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_vec(dweight, weight.shape(), device)?),
        ))
    }
}
