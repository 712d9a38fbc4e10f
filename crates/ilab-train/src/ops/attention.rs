//! Causal attention over packed segments.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use ilab_kernels::attention::{self as kernel, Heads, Inputs};
use ilab_kernels::matmul::Precision;

use super::storage::{slice, with_slice};

/// `softmax(q · kᵀ / √D) · v` for every head, each row over the rows of its segment up to itself. `segments` are the first
/// rows of the segments and the number of rows: `[0, …, N]`.
///
/// # Shape
/// `q: [N, H · D]`, `k` and `v: [N, K · D]`, result `[N, H · D]`.
///
/// # Errors
/// Sizes that do not fit.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: Heads,
    segments: &Arc<Vec<usize>>,
    precision: Precision,
) -> Result<Tensor> {
    let op = Attention {
        heads,
        segments: Arc::clone(segments),
        precision,
    };
    q.contiguous()?
        .apply_op3(&k.contiguous()?, &v.contiguous()?, op)
}

struct Attention {
    heads: Heads,
    segments: Arc<Vec<usize>>,
    precision: Precision,
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let Heads {
            n_query,
            n_kv,
            width,
        } = self.heads;
        let n = self.segments.last().copied().unwrap_or(0);
        let expected = [(n, n_query * width), (n, n_kv * width), (n, n_kv * width)];
        let found = [
            q_layout.shape().dims2()?,
            k_layout.shape().dims2()?,
            v_layout.shape().dims2()?,
        ];
        if found != expected {
            candle_core::bail!("attention: q, k, v are {found:?}, expected {expected:?}");
        }
        let inputs = Inputs {
            q: slice(q, q_layout, "attention")?,
            k: slice(k, k_layout, "attention")?,
            v: slice(v, v_layout, "attention")?,
            precision: self.precision,
        };
        let out = kernel::attention(inputs, self.heads, &self.segments);
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _out: &Tensor,
        dout: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradients = with_slice(q, |q| {
            with_slice(k, |k| {
                with_slice(v, |v| {
                    let inputs = Inputs {
                        q,
                        k,
                        v,
                        precision: self.precision,
                    };
                    with_slice(dout, |dout| {
                        kernel::attention_backward(inputs, dout, self.heads, &self.segments)
                    })
                })
            })
        })????;
        let tensor = |values: Vec<f32>, like: &Tensor| {
            Tensor::from_vec(values, like.shape(), like.device()).map(Some)
        };
        Ok((
            tensor(gradients.dq, q)?,
            tensor(gradients.dk, k)?,
            tensor(gradients.dv, v)?,
        ))
    }
}
