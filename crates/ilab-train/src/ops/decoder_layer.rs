//! One layer of a Llama model as a single operation on the CPU.
//!
//! A graph of small operations has the tensor library add up every gradient into a tensor of zeros, on one thread: a third
//! of the time of a small model. Here gradients are added by the products that make them, and those of the weights leave
//! through [`LayerGradients`], because an operation of the library has at most three arguments.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Storage, Tensor, bail};
use ilab_kernels::attention::{self, Heads, Inputs};
use ilab_kernels::matmul::{self, LinearShape, Precision};
use ilab_kernels::residual;
use ilab_kernels::rms_norm::{rms_norm, rms_norm_backward};
use ilab_kernels::rope::{RopeTable, Turn, rope};
use ilab_kernels::swiglu::{swiglu, swiglu_backward};

use super::storage::{slice, with_slice};

/// The weights of a layer, or one thing for each of them.
///
/// # Shape
/// Norms `[C]`, `q: [H · D, C]`, `k` and `v: [K · D, C]`, `o: [C, H · D]`, `gate` and `up: [F, C]`, `down: [C, F]`.
#[derive(Debug, Clone)]
pub(crate) struct PerWeight<T> {
    pub(crate) input_norm: T,
    pub(crate) q: T,
    pub(crate) k: T,
    pub(crate) v: T,
    pub(crate) o: T,
    pub(crate) post_attention_norm: T,
    pub(crate) gate: T,
    pub(crate) up: T,
    pub(crate) down: T,
}

impl PerWeight<&'static str> {
    /// The names that checkpoints give the weights, after that of the layer.
    pub(crate) const NAMES: Self = Self {
        input_norm: "input_layernorm.weight",
        q: "self_attn.q_proj.weight",
        k: "self_attn.k_proj.weight",
        v: "self_attn.v_proj.weight",
        o: "self_attn.o_proj.weight",
        post_attention_norm: "post_attention_layernorm.weight",
        gate: "mlp.gate_proj.weight",
        up: "mlp.up_proj.weight",
        down: "mlp.down_proj.weight",
    };
}

impl<T> PerWeight<T> {
    /// The same with each part turned into another.
    pub(crate) fn try_map<'a, U>(
        &'a self,
        mut turn: impl FnMut(&'a T) -> Result<U>,
    ) -> Result<PerWeight<U>> {
        Ok(PerWeight {
            input_norm: turn(&self.input_norm)?,
            q: turn(&self.q)?,
            k: turn(&self.k)?,
            v: turn(&self.v)?,
            o: turn(&self.o)?,
            post_attention_norm: turn(&self.post_attention_norm)?,
            gate: turn(&self.gate)?,
            up: turn(&self.up)?,
            down: turn(&self.down)?,
        })
    }

    /// The parts, each with the name of its weight.
    pub(crate) fn named(self) -> [(&'static str, T); 9] {
        let names = PerWeight::NAMES;
        [
            (names.input_norm, self.input_norm),
            (names.q, self.q),
            (names.k, self.k),
            (names.v, self.v),
            (names.o, self.o),
            (names.post_attention_norm, self.post_attention_norm),
            (names.gate, self.gate),
            (names.up, self.up),
            (names.down, self.down),
        ]
    }
}

/// Where the backward pass of a layer leaves the gradients of its weights.
#[derive(Debug, Clone, Default)]
pub(crate) struct LayerGradients(Arc<Mutex<Option<PerWeight<Vec<f32>>>>>);

impl LayerGradients {
    /// The gradients, once the backward pass has run.
    pub(crate) fn take(&self) -> Option<PerWeight<Vec<f32>>> {
        lock(&self.0).take()
    }
}

/// The angles of one batch.
#[derive(Debug, Clone)]
pub(crate) struct Rotary {
    /// Cosines and sines of every position.
    pub(crate) table: Arc<RopeTable>,
    /// Position of each row within its segment.
    pub(crate) positions: Arc<Vec<u32>>,
}

/// What a layer is beside its weights.
#[derive(Debug, Clone)]
pub(crate) struct LayerOptions {
    pub(crate) heads: Heads,
    pub(crate) rotary: Rotary,
    pub(crate) segments: Arc<Vec<usize>>,
    pub(crate) eps: f32,
    pub(crate) precision: Precision,
}

/// `y = m + mlp(norm(m))` with `m = x + attention(norm(x))`.
///
/// # Shape
/// `x: [N, C]`, result the same.
///
/// # Errors
/// Sizes that do not fit.
pub(crate) fn decoder_layer(
    x: &Tensor,
    weights: PerWeight<Tensor>,
    options: LayerOptions,
    gradients: LayerGradients,
) -> Result<Tensor> {
    x.contiguous()?.apply_op1(DecoderLayer {
        weights,
        options,
        gradients,
        activations: Mutex::new(None),
    })
}

struct DecoderLayer {
    weights: PerWeight<Tensor>,
    options: LayerOptions,
    gradients: LayerGradients,
    activations: Mutex<Option<Activations>>,
}

/// What the backward pass needs of the forward pass; rows are those of `x`.
struct Activations {
    normed: Vec<f32>,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    attended: Vec<f32>,
    middle: Vec<f32>,
    normed_middle: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    gated: Vec<f32>,
}

/// Sizes of a layer: rows, width of the stream, of queries, of keys, of the feed-forward layer.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    c: usize,
    queries: usize,
    keys: usize,
    feed_forward: usize,
}

impl Sizes {
    fn linear(self, input: usize, output: usize) -> LinearShape {
        LinearShape {
            n: self.n,
            input,
            output,
        }
    }
}

/// The values of a weight, readable as long as this lives.
struct Values<'a>(Box<dyn Deref<Target = Storage> + 'a>, &'a Layout);

impl<'a> Values<'a> {
    fn of(tensor: &'a Tensor) -> Result<Self> {
        let (storage, layout) = tensor.storage_and_layout();
        Ok(Self(Box::new(storage), layout))
    }

    fn slice(&self) -> Result<&[f32]> {
        match &**self.0 {
            Storage::Cpu(storage) => slice(storage, self.1, "a layer"),
            _ => bail!("this layer runs on the CPU only"),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DecoderLayer {
    fn sizes(&self, n: usize, c: usize) -> Result<Sizes> {
        let Heads {
            n_query,
            n_kv,
            width,
        } = self.options.heads;
        let (feed_forward, _) = self.weights.gate.dims2()?;
        let sizes = Sizes {
            n,
            c,
            queries: n_query * width,
            keys: n_kv * width,
            feed_forward,
        };
        let expected = PerWeight {
            input_norm: vec![c],
            q: vec![sizes.queries, c],
            k: vec![sizes.keys, c],
            v: vec![sizes.keys, c],
            o: vec![c, sizes.queries],
            post_attention_norm: vec![c],
            gate: vec![feed_forward, c],
            up: vec![feed_forward, c],
            down: vec![c, feed_forward],
        };
        let found = self.weights.try_map(|weight| Ok(weight.dims().to_vec()))?;
        for ((name, found), (_, expected)) in found.named().into_iter().zip(expected.named()) {
            if found != expected {
                bail!("{name} is {found:?}, expected {expected:?}");
            }
        }
        let (n_positions, n_rows) = (
            self.options.rotary.positions.len(),
            self.options.segments.last(),
        );
        if n_positions != n || n_rows != Some(&n) {
            bail!("{n} rows, {n_positions} positions and segments up to {n_rows:?}");
        }
        Ok(sizes)
    }

    fn turn(&self, x: &[f32], turn: Turn) -> Vec<f32> {
        let Rotary { table, positions } = &self.options.rotary;
        rope(x, positions, table, turn)
    }

    fn forward(&self, x: &[f32], w: &PerWeight<&[f32]>, sizes: Sizes) -> (Vec<f32>, Activations) {
        let LayerOptions {
            heads,
            eps,
            precision,
            ..
        } = self.options;
        let Sizes {
            c,
            queries,
            keys,
            feed_forward,
            ..
        } = sizes;
        let linear = |x: &[f32], w: &[f32], input, output| {
            matmul::linear(x, w, sizes.linear(input, output), precision)
        };
        let normed = rms_norm(x, w.input_norm, eps);
        let q = self.turn(&linear(&normed, w.q, c, queries), Turn::Forward);
        let k = self.turn(&linear(&normed, w.k, c, keys), Turn::Forward);
        let v = linear(&normed, w.v, c, keys);
        let inputs = Inputs {
            q: &q,
            k: &k,
            v: &v,
            precision,
        };
        let attended = attention::attention(inputs, heads, &self.options.segments);
        let mut middle = x.to_vec();
        let shape = sizes.linear(queries, c);
        matmul::linear_add(&mut middle, &attended, w.o, shape, precision);
        let normed_middle = rms_norm(&middle, w.post_attention_norm, eps);
        let gate = linear(&normed_middle, w.gate, c, feed_forward);
        let up = linear(&normed_middle, w.up, c, feed_forward);
        let gated = swiglu(&gate, &up);
        let mut y = middle.clone();
        let shape = sizes.linear(feed_forward, c);
        matmul::linear_add(&mut y, &gated, w.down, shape, precision);
        let activations = Activations {
            normed,
            q,
            k,
            v,
            attended,
            middle,
            normed_middle,
            gate,
            up,
            gated,
        };
        (y, activations)
    }

    fn backward(
        &self,
        x: &[f32],
        w: &PerWeight<&[f32]>,
        saved: &Activations,
        dy: &[f32],
        sizes: Sizes,
    ) -> (Vec<f32>, PerWeight<Vec<f32>>) {
        let LayerOptions {
            heads,
            eps,
            precision,
            ..
        } = self.options;
        let Sizes {
            n,
            c,
            queries,
            keys,
            feed_forward,
        } = sizes;
        let backward = |dx: &mut [f32], x: &[f32], w: &[f32], dy: &[f32], input, output| {
            matmul::linear_backward_add(dx, x, w, dy, sizes.linear(input, output), precision)
        };

        let mut dgated = vec![0.0; n * feed_forward];
        let down = backward(&mut dgated, &saved.gated, w.down, dy, feed_forward, c);
        let (dgate, dup) = swiglu_backward(&saved.gate, &saved.up, &dgated);
        let mut dnormed = vec![0.0; n * c];
        let h = &saved.normed_middle;
        let gate = backward(&mut dnormed, h, w.gate, &dgate, c, feed_forward);
        let up = backward(&mut dnormed, h, w.up, &dup, c, feed_forward);
        let (mut dmiddle, post_attention_norm) =
            rms_norm_backward(&saved.middle, w.post_attention_norm, &dnormed, eps);
        residual::add(&mut dmiddle, dy);

        let mut dattended = vec![0.0; n * queries];
        let o = backward(&mut dattended, &saved.attended, w.o, &dmiddle, queries, c);
        let inputs = Inputs {
            q: &saved.q,
            k: &saved.k,
            v: &saved.v,
            precision,
        };
        let attention::Gradients { dq, dk, dv } =
            attention::attention_backward(inputs, &dattended, heads, &self.options.segments);
        let (dq, dk) = (
            self.turn(&dq, Turn::Backward),
            self.turn(&dk, Turn::Backward),
        );
        dnormed.fill(0.0);
        let h = &saved.normed;
        let q = backward(&mut dnormed, h, w.q, &dq, c, queries);
        let k = backward(&mut dnormed, h, w.k, &dk, c, keys);
        let v = backward(&mut dnormed, h, w.v, &dv, c, keys);
        let (mut dx, input_norm) = rms_norm_backward(x, w.input_norm, &dnormed, eps);
        residual::add(&mut dx, &dmiddle);
        let gradients = PerWeight {
            input_norm,
            q,
            k,
            v,
            o,
            post_attention_norm,
            gate,
            up,
            down,
        };
        (dx, gradients)
    }
}

impl CustomOp1 for DecoderLayer {
    fn name(&self) -> &'static str {
        "decoder-layer"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (n, c) = layout.shape().dims2()?;
        let sizes = self.sizes(n, c)?;
        let weights = self.weights.try_map(Values::of)?;
        let weights = weights.try_map(Values::slice)?;
        let x = slice(x, layout, "a layer")?;
        let (y, activations) = self.forward(x, &weights, sizes);
        *lock(&self.activations) = Some(activations);
        Ok((CpuStorage::F32(y), (n, c).into()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let (n, c) = x.dims2()?;
        let sizes = self.sizes(n, c)?;
        let Some(saved) = lock(&self.activations).take() else {
            bail!("a layer's backward pass runs once");
        };
        let weights = self.weights.try_map(Values::of)?;
        let weights = weights.try_map(Values::slice)?;
        let (dx, gradients) = with_slice(x, |x| {
            with_slice(dy, |dy| self.backward(x, &weights, &saved, dy, sizes))
        })??;
        *lock(&self.gradients.0) = Some(gradients);
        Ok(Some(Tensor::from_vec(dx, (n, c), x.device())?))
    }
}
