//! The gate of the feed-forward layer.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use ilab_kernels::swiglu as kernel;

use super::storage::{slice, with_slice};

/// `y = silu(gate) · up`, element by element.
///
/// # Errors
/// Shapes that differ.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2(&up.contiguous()?, SwiGlu)
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if gate_layout.shape() != up_layout.shape() {
            candle_core::bail!(
                "swiglu: gate is {:?}, up is {:?}",
                gate_layout.shape(),
                up_layout.shape()
            );
        }
        let y = kernel::swiglu(
            slice(gate, gate_layout, "swiglu")?,
            slice(up, up_layout, "swiglu")?,
        );
        Ok((CpuStorage::F32(y), gate_layout.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dgate, dup) = with_slice(gate, |gate| {
            with_slice(up, |up| {
                with_slice(dy, |dy| kernel::swiglu_backward(gate, up, dy))
            })
        })???;
        let device = gate.device();
        Ok((
            Some(Tensor::from_vec(dgate, gate.shape(), device)?),
            Some(Tensor::from_vec(dup, up.shape(), device)?),
        ))
    }
}
