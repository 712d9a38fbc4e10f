//! Rotary position embedding.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use ilab_kernels::rope::{RopeTable, Turn, rope as kernel};

use super::storage::{slice, with_slice};

/// The angles of one batch: the table of all positions and the position of each row.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// Cosines and sines.
    pub table: Arc<RopeTable>,
    /// Position of each row within its segment.
    pub positions: Arc<Vec<u32>>,
}

/// Turns each head of each row by the angles of its position.
///
/// # Shape
/// `x: [N, heads · D]`, result the same.
///
/// # Errors
/// A number of rows other than that of the positions.
pub fn rope(x: &Tensor, rotary: &Rotary) -> Result<Tensor> {
    x.contiguous()?.apply_op1(rotary.clone())
}

impl CustomOp1 for Rotary {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, _) = layout.shape().dims2()?;
        if n != self.positions.len() {
            candle_core::bail!("rope: {n} rows and {} positions", self.positions.len());
        }
        let y = kernel(
            slice(x, layout, "rope")?,
            &self.positions,
            &self.table,
            Turn::Forward,
        );
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_slice(dy, |dy| {
            kernel(dy, &self.positions, &self.table, Turn::Backward)
        })?;
        Ok(Some(Tensor::from_vec(dx, x.shape(), x.device())?))
    }
}
