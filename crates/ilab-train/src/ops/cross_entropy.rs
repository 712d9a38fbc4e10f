//! The output projection and its loss in one.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use ilab_kernels::cross_entropy::{LossAndGradients, linear_cross_entropy};
use ilab_kernels::matmul::Precision;

use super::storage::slice;

/// `Σ -ln softmax(hidden · weightᵀ)[target]` over the rows that have a target: a scalar.
///
/// The gradients are computed together with the loss, chunk by chunk, so that the logits are never held.
///
/// # Shape
/// `hidden: [N, C]`, `weight: [V, C]`, `targets: [N]`, each `None` (not learned) or below `V`.
///
/// # Errors
/// Sizes that do not fit, or a target outside the vocabulary.
pub fn cross_entropy_sum(
    hidden: &Tensor,
    weight: &Tensor,
    targets: &Arc<Vec<Option<u32>>>,
    precision: Precision,
) -> Result<Tensor> {
    let op = CrossEntropy {
        targets: Arc::clone(targets),
        gradients: Mutex::new(None),
        precision,
    };
    hidden.contiguous()?.apply_op2(weight, op)
}

struct CrossEntropy {
    targets: Arc<Vec<Option<u32>>>,
    gradients: Mutex<Option<LossAndGradients>>,
    precision: Precision,
}

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(
        &self,
        hidden: &CpuStorage,
        h_layout: &Layout,
        weight: &CpuStorage,
        w_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, c) = h_layout.shape().dims2()?;
        let (v, w_c) = w_layout.shape().dims2()?;
        if c != w_c || n != self.targets.len() {
            bail!(
                "cross-entropy: hidden is [{n}, {c}], weight is [{v}, {w_c}], {} targets",
                self.targets.len()
            );
        }
        if let Some(target) = self
            .targets
            .iter()
            .flatten()
            .find(|target| **target as usize >= v)
        {
            bail!("cross-entropy: token {target} lies outside a vocabulary of {v}");
        }
        let hidden = slice(hidden, h_layout, "cross-entropy")?;
        let weight = slice(weight, w_layout, "cross-entropy")?;
        let result = linear_cross_entropy(hidden, weight, &self.targets, c, self.precision);
        #[allow(clippy::cast_possible_truncation)]
        let loss = result.loss_sum as f32;
        *self
            .gradients
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(result);
        Ok((CpuStorage::F32(vec![loss]), Shape::from(())))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        weight: &Tensor,
        _loss: &Tensor,
        dloss: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(mut result) = self
            .gradients
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        else {
            bail!("cross-entropy: the backward pass runs once");
        };
        let factor = dloss.to_scalar::<f32>()?;
        for gradient in result.dhidden.iter_mut().chain(&mut result.dweight) {
            *gradient *= factor;
        }
        let device = hidden.device();
        Ok((
            Some(Tensor::from_vec(result.dhidden, hidden.shape(), device)?),
            Some(Tensor::from_vec(result.dweight, weight.shape(), device)?),
        ))
    }
}
