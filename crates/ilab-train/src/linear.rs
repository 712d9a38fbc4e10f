//! A linear layer: a weight that may be trained or frozen, perhaps a bias, perhaps an adapter.

use ilab_kernels::bias;
use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::{Precision, Threads};

use crate::adapter::Adapter;
use crate::device::DeviceError;
use crate::parameter::Parameter;
use crate::workspace::Workspace;

/// `y = x · wᵀ + b`.
#[derive(Debug)]
pub(crate) struct Linear {
    /// `[output, input]`.
    pub(crate) weight: Parameter,
    /// `[output]`.
    pub(crate) bias: Option<Parameter>,
    pub(crate) adapter: Option<Adapter>,
}

/// How a pass computes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pass {
    pub(crate) precision: Precision,
    /// Draws what adapters leave out; nothing is left out without one.
    pub(crate) dropout_seed: Option<u64>,
}

impl Linear {
    /// The sizes of its output and its input.
    pub(crate) fn sizes(&self) -> [usize; 2] {
        match self.weight.shape() {
            [output, input] => [*output, *input],
            other => unreachable!("a linear layer of shape {other:?}"),
        }
    }

    /// `x · wᵀ + b`, `[n, output]`.
    pub(crate) fn forward(&self, x: Factor<'_>, pass: Pass, work: &mut Workspace) -> Vec<f32> {
        let [output, _] = self.sizes();
        let mut y = work.take(x.n_rows() * output);
        self.add(x, &mut y, 0.0, 1.0, pass, work);
        if let Some(bias) = &self.bias {
            bias::add(&mut y, bias.as_slice());
        }
        y
    }

    /// `y = keep · y + scale · x · wᵀ`; what is added to the stream has no bias in any of the architectures.
    pub(crate) fn add(
        &self,
        x: Factor<'_>,
        y: &mut [f32],
        keep: f32,
        scale: f32,
        pass: Pass,
        work: &mut Workspace,
    ) {
        let weight = self.weight.factor().transposed();
        pass.precision
            .matmul(y, keep, scale, x, weight, Threads::All);
        if let Some(adapter) = &self.adapter {
            let seed = self.seed(pass);
            adapter.add(x, y, scale, pass.precision, seed, work);
        }
    }

    /// Adds `scale` times the gradients of what is trained, and of the input to `dx`.
    pub(crate) fn backward(
        &mut self,
        x: Factor<'_>,
        dy: &[f32],
        dx: &mut [f32],
        scale: f32,
        pass: Pass,
        work: &mut Workspace,
    ) {
        let seed = self.seed(pass);
        let [output, _] = self.sizes();
        let dy_factor = Factor::dense(dy, dy.len() / output, output);
        let (weight, gradient) = self.weight.split();
        pass.precision
            .matmul(dx, 1.0, scale, dy_factor, weight, Threads::All);
        if let Some(gradient) = gradient {
            pass.precision.matmul(
                gradient,
                1.0,
                scale,
                dy_factor.transposed(),
                x,
                Threads::All,
            );
        }
        if let Some(gradient) = self.bias.as_mut().and_then(|bias| bias.split_slice().1) {
            bias::gradient_add(gradient, dy);
        }
        if let Some(adapter) = &mut self.adapter {
            adapter.backward(x, dy_factor, dx, scale, pass.precision, seed, work);
        }
    }

    /// The weight with the adapter's share, `[output, input]`.
    pub(crate) fn merged(&self) -> Result<Vec<f32>, DeviceError> {
        let mut merged = self.weight.to_f32()?.into_owned();
        if let Some(adapter) = &self.adapter {
            let [output, input] = self.sizes();
            let (up, down) = (adapter.up.to_f32()?, adapter.down.to_f32()?);
            let rank = up.len() / output;
            let up = Factor::dense(&up, output, rank);
            let down = Factor::dense(&down, rank, input);
            Precision::F32.matmul(&mut merged, 1.0, adapter.scale, up, down, Threads::All);
        }
        Ok(merged)
    }

    /// A seed of its own for each layer.
    pub(crate) fn seed(&self, pass: Pass) -> Option<u64> {
        let name = self.weight.name().bytes();
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        pass.dropout_seed.map(|seed| name.fold(seed, hash))
    }

    /// Its weights, the adapter's after its own.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let adapter = self.adapter.iter();
        let adapter = adapter.flat_map(|adapter| [&adapter.down, &adapter.up]);
        std::iter::once(&self.weight)
            .chain(&self.bias)
            .chain(adapter)
    }

    /// The same, to be changed.
    pub(crate) fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let adapter = self.adapter.iter_mut();
        let adapter = adapter.flat_map(|adapter| [&mut adapter.down, &mut adapter.up]);
        std::iter::once(&mut self.weight)
            .chain(&mut self.bias)
            .chain(adapter)
    }
}
