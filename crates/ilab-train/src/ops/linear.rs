//! `y = x · wᵀ`.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use ilab_kernels::matmul::{self, LinearShape, Precision};

use super::storage::{slice, with_slice};

/// `y = x · wᵀ`.
///
/// # Shape
/// `x: [N, input]`, `w: [output, input]`, result `[N, output]`.
///
/// # Errors
/// Ranks or sizes that do not fit.
pub fn linear(x: &Tensor, w: &Tensor, precision: Precision) -> Result<Tensor> {
    x.contiguous()?.apply_op2(w, Linear { precision })
}

struct Linear {
    precision: Precision,
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, input) = x_layout.shape().dims2()?;
        let (output, w_input) = w_layout.shape().dims2()?;
        if input != w_input {
            candle_core::bail!("linear: x is [{n}, {input}], w is [{output}, {w_input}]");
        }
        let y = matmul::linear(
            slice(x, x_layout, "linear")?,
            slice(w, w_layout, "linear")?,
            LinearShape { n, input, output },
            self.precision,
        );
        Ok((CpuStorage::F32(y), (n, output).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (n, input) = x.dims2()?;
        let (output, _) = w.dims2()?;
        let (dx, dw) = with_slice(x, |x| {
            with_slice(w, |w| {
                with_slice(dy, |dy| {
                    matmul::linear_backward(
                        x,
                        w,
                        dy,
                        LinearShape { n, input, output },
                        self.precision,
                    )
                })
            })
        })???;
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, (n, input), device)?),
            Some(Tensor::from_vec(dw, (output, input), device)?),
        ))
    }
}
