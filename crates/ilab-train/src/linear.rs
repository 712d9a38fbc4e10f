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

/// What becomes of a target: `keep · target + scale · result`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blend {
    pub(crate) keep: f32,
    pub(crate) scale: f32,
}

impl Blend {
    /// The target becomes the result, whatever it holds.
    pub(crate) const SET: Self = Self {
        keep: 0.0,
        scale: 1.0,
    };
    /// The result is added.
    pub(crate) const ADD: Self = Self {
        keep: 1.0,
        scale: 1.0,
    };

    /// The same with the result scaled.
    pub(crate) fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }
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
        self.add(x, &mut y, Blend::SET, pass, work);
        if let Some(bias) = &self.bias {
            bias::add(&mut y, bias.as_slice());
        }
        y
    }

    /// Blends `x · wᵀ` into `y`; what is added to the stream has no bias in any of the architectures.
    pub(crate) fn add(
        &self,
        x: Factor<'_>,
        y: &mut [f32],
        blend: Blend,
        pass: Pass,
        work: &mut Workspace,
    ) {
        let Blend { keep, scale } = blend;
        let weight = self.weight.factor().transposed();
        pass.precision
            .matmul(y, keep, scale, x, weight, Threads::All);
        if let Some(adapter) = &self.adapter {
            adapter.add(x, y, scale, self.own(pass), work);
        }
    }

    /// Adds `scale` times the gradients of what is trained, and blends that of the input into `dx`.
    pub(crate) fn backward(
        &mut self,
        x: Factor<'_>,
        dy: &[f32],
        dx: &mut [f32],
        blend: Blend,
        pass: Pass,
        work: &mut Workspace,
    ) {
        let Blend { keep, scale } = blend;
        let own = self.own(pass);
        let [output, _] = self.sizes();
        let dy_factor = Factor::dense(dy, dy.len() / output, output);
        let (weight, gradient) = self.weight.split();
        pass.precision
            .matmul(dx, keep, scale, dy_factor, weight, Threads::All);
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
            adapter.backward(x, dy_factor, dx, scale, own, work);
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

    /// The pass with a seed of its own for each layer.
    pub(crate) fn own(&self, pass: Pass) -> Pass {
        let name = self.weight.name().bytes();
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Pass {
            dropout_seed: pass.dropout_seed.map(|seed| name.fold(seed, hash)),
            ..pass
        }
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
