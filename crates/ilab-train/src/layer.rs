//! One decoder layer, forward and backward.
//!
//! The backward pass needs `q`, `k`, `v`, the attention's result, the stream between the two halves, and `gate` and `up`;
//! what is cheap beside a product (norms, rotation of normalised heads, the gate) is computed again. With
//! [`Keep::Input`] the whole layer is computed again, and only its input is kept.

use ilab_kernels::attention::{Heads, Inputs, attention_backward_into, attention_into};
use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::Precision;
use ilab_kernels::rms_norm::{rms_norm_backward_add, rms_norm_into};
use ilab_kernels::rope::{RopeTable, Turn, rope_in_place};
use ilab_kernels::swiglu::{swiglu_backward_in_place, swiglu_into};

use crate::activation::Activation;
use crate::linear::{Blend, Linear, Pass};
use crate::packing::Batch;
use crate::parameter::Parameter;
use crate::workspace::Workspace;

/// What is kept of a layer's forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub enum Keep {
    /// All that the backward pass needs: faster.
    Activations,
    /// The input, from which the layer is computed again: smaller.
    Input,
}

/// The weights of a layer.
///
/// # Shape
/// Norms `[C]`, `q: [H · D, C]`, `k` and `v: [K · D, C]`, `o: [C, H · D]`, `gate` and `up: [F, C]`, `down: [C, F]`.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) input_norm: Parameter,
    pub(crate) q: Linear,
    pub(crate) k: Linear,
    pub(crate) v: Linear,
    pub(crate) o: Linear,
    /// Norms `[D]` of each head of queries and keys.
    pub(crate) head_norms: Option<HeadNorms>,
    pub(crate) post_attention_norm: Parameter,
    pub(crate) gate: Linear,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

/// Norms of the heads.
#[derive(Debug)]
pub(crate) struct HeadNorms {
    pub(crate) q: Parameter,
    pub(crate) k: Parameter,
}

/// What a layer is beside its weights: the same for all layers of a model.
#[derive(Debug, Clone)]
pub(crate) struct LayerShape {
    pub(crate) heads: Heads,
    pub(crate) eps: f32,
    /// Factor on `q · k`.
    pub(crate) attention_scale: f32,
    /// Factor on what is added to the stream.
    pub(crate) residual_multiplier: f32,
    pub(crate) sliding_window: Option<usize>,
}

/// One pass over one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) shape: &'a LayerShape,
    pub(crate) batch: &'a Batch,
    pub(crate) rope_table: &'a RopeTable,
    pub(crate) pass: Pass,
}

/// What the backward pass needs; rows are those of the batch.
#[derive(Debug)]
pub(crate) enum Saved {
    Input(Vec<f32>),
    Activations(Box<Activations>),
}

/// Queries and keys before their heads were normalised.
type Projected = (Vec<f32>, Vec<f32>);

#[derive(Debug)]
pub(crate) struct Activations {
    x: Vec<f32>,
    /// Rotated, or as projected where heads are normalised.
    q: Activation,
    k: Activation,
    v: Activation,
    attended: Activation,
    middle: Vec<f32>,
    gate: Activation,
    up: Activation,
}

impl Context<'_> {
    fn precision(&self) -> Precision {
        self.pass.precision
    }

    /// Widths of the rows of queries and of keys.
    fn widths(&self) -> [usize; 2] {
        let Heads {
            n_query,
            n_kv,
            width,
        } = self.shape.heads;
        [n_query * width, n_kv * width]
    }

    fn turn(&self, x: &mut [f32], turn: Turn) {
        rope_in_place(x, &self.batch.positions, self.rope_table, turn);
    }

    fn inputs<'b>(&self, q: Factor<'b>, k: Factor<'b>, v: Factor<'b>) -> Inputs<'b> {
        Inputs {
            q,
            k,
            v,
            scale: self.shape.attention_scale,
            window: self.shape.sliding_window,
            precision: self.precision(),
        }
    }
}

fn rows(values: &[f32], columns: usize) -> Factor<'_> {
    Factor::dense(values, values.len() / columns, columns)
}

impl Layer {
    /// The layer's result and what its backward pass needs.
    pub(crate) fn forward(
        &self,
        x: Vec<f32>,
        keep: Keep,
        context: Context<'_>,
        work: &mut Workspace,
    ) -> (Vec<f32>, Saved) {
        let (y, activations) = self.activations(x, context, work);
        let saved = match keep {
            Keep::Activations => Saved::Activations(Box::new(activations)),
            Keep::Input => Saved::Input(activations.into_input(work)),
        };
        (y, saved)
    }

    /// The layer's result alone.
    pub(crate) fn infer(
        &self,
        x: Vec<f32>,
        context: Context<'_>,
        work: &mut Workspace,
    ) -> Vec<f32> {
        let (y, activations) = self.activations(x, context, work);
        let x = activations.into_input(work);
        work.give(x);
        y
    }

    fn activations(
        &self,
        x: Vec<f32>,
        context: Context<'_>,
        work: &mut Workspace,
    ) -> (Vec<f32>, Activations) {
        let (pass, multiplier) = (context.pass, context.shape.residual_multiplier);
        let mut normed = work.take(x.len());
        rms_norm_into(
            &mut normed,
            &x,
            self.input_norm.as_slice(),
            context.shape.eps,
        );
        let normed = Activation::keep(normed, pass.precision, work);
        let input = normed.factor(self.input_norm.len());
        let mut q = self.q.forward(input, pass, work);
        let mut k = self.k.forward(input, pass, work);
        let v = self.v.forward(input, pass, work);
        normed.free(work);
        let projected = self.rotate(&mut q, &mut k, context, work);
        let mut attended = work.take(q.len());
        let [queries, keys] = context.widths();
        attention_into(
            &mut attended,
            context.inputs(rows(&q, queries), rows(&k, keys), rows(&v, keys)),
            context.shape.heads,
            &context.batch.segments,
        );
        let (q, k) = match projected {
            None => (q, k),
            Some((projected_q, projected_k)) => {
                work.give(q);
                work.give(k);
                (projected_q, projected_k)
            }
        };
        let mut middle = work.take(x.len());
        middle.copy_from_slice(&x);
        let [_, width] = self.o.sizes();
        let attended_rows = rows(&attended, width);
        self.o.add(
            attended_rows,
            &mut middle,
            Blend::ADD.scaled(multiplier),
            pass,
            work,
        );

        let mut normed = work.take(x.len());
        rms_norm_into(
            &mut normed,
            &middle,
            self.post_attention_norm.as_slice(),
            context.shape.eps,
        );
        let normed = Activation::keep(normed, pass.precision, work);
        let input = normed.factor(self.post_attention_norm.len());
        let gate = self.gate.forward(input, pass, work);
        let up = self.up.forward(input, pass, work);
        normed.free(work);
        let mut gated = work.take(gate.len());
        swiglu_into(&mut gated, &gate, &up);
        let mut y = work.take(x.len());
        y.copy_from_slice(&middle);
        let [_, width] = self.down.sizes();
        self.down.add(
            rows(&gated, width),
            &mut y,
            Blend::ADD.scaled(multiplier),
            pass,
            work,
        );
        work.give(gated);

        let mut keep = |values| Activation::keep(values, pass.precision, work);
        let activations = Activations {
            x,
            q: keep(q),
            k: keep(k),
            v: keep(v),
            attended: keep(attended),
            middle,
            gate: keep(gate),
            up: keep(up),
        };
        (y, activations)
    }

    /// Normalises heads where the model does, and rotates. What was projected comes back where it is lost otherwise.
    fn rotate(
        &self,
        q: &mut [f32],
        k: &mut [f32],
        context: Context<'_>,
        work: &mut Workspace,
    ) -> Option<Projected> {
        let projected = self.head_norms.as_ref().map(|norms| {
            let eps = context.shape.eps;
            let mut normalise = |x: &mut [f32], norm: &Parameter| {
                let mut projected = work.take(x.len());
                projected.copy_from_slice(x);
                rms_norm_into(x, &projected, norm.as_slice(), eps);
                projected
            };
            (normalise(q, &norms.q), normalise(k, &norms.k))
        });
        context.turn(q, Turn::Forward);
        context.turn(k, Turn::Forward);
        projected
    }

    /// Queries and keys as attention reads them; where heads are normalised, also what was projected.
    fn rotated_again(
        &self,
        q: Activation,
        k: Activation,
        context: Context<'_>,
        work: &mut Workspace,
    ) -> (Activation, Activation, Option<Projected>) {
        if self.head_norms.is_none() {
            return (q, k, None);
        }
        let (mut q, mut k) = (q.into_f32(work), k.into_f32(work));
        let projected = self.rotate(&mut q, &mut k, context, work);
        (Activation::F32(q), Activation::F32(k), projected)
    }

    /// Adds the gradients of what is trained; turns the gradient of the result into that of the input.
    pub(crate) fn backward(
        &mut self,
        saved: Saved,
        dy: &mut [f32],
        context: Context<'_>,
        work: &mut Workspace,
    ) {
        let saved = match saved {
            Saved::Activations(saved) => *saved,
            Saved::Input(x) => {
                let (y, saved) = self.activations(x, context, work);
                work.give(y);
                saved
            }
        };
        let Activations {
            x,
            q,
            k,
            v,
            attended,
            middle,
            gate,
            up,
        } = saved;
        self.feed_forward_backward(&middle, gate, up, dy, context, work);
        work.give(middle);
        self.attention_backward(&x, [q, k, v, attended], dy, context, work);
        work.give(x);
    }

    /// From the gradient of the layer's result to that of the stream between the halves.
    fn feed_forward_backward(
        &mut self,
        middle: &[f32],
        gate: Activation,
        up: Activation,
        dy: &mut [f32],
        context: Context<'_>,
        work: &mut Workspace,
    ) {
        let (pass, multiplier) = (context.pass, context.shape.residual_multiplier);
        let (mut gate, mut up) = (gate.into_f32(work), up.into_f32(work));
        let [_, width] = self.down.sizes();
        let mut gated = work.take(gate.len());
        swiglu_into(&mut gated, &gate, &up);
        let mut dgated = work.take(gate.len());
        self.down.backward(
            rows(&gated, width),
            dy,
            &mut dgated,
            Blend::SET.scaled(multiplier),
            pass,
            work,
        );
        work.give(gated);
        swiglu_backward_in_place(&mut gate, &mut up, &dgated);
        let (dgate, dup) = (gate, up);
        work.give(dgated);

        let mut normed = work.take(middle.len());
        let eps = context.shape.eps;
        rms_norm_into(
            &mut normed,
            middle,
            self.post_attention_norm.as_slice(),
            eps,
        );
        let normed = Activation::keep(normed, pass.precision, work);
        let mut dnormed = work.take(middle.len());
        let input = normed.factor(self.post_attention_norm.len());
        self.gate
            .backward(input, &dgate, &mut dnormed, Blend::SET, pass, work);
        self.up
            .backward(input, &dup, &mut dnormed, Blend::ADD, pass, work);
        work.give(dgate);
        work.give(dup);
        norm_backward(
            &mut self.post_attention_norm,
            middle,
            dnormed,
            normed,
            dy,
            eps,
            work,
        );
    }

    /// From the gradient of the stream between the halves to that of the layer's input.
    fn attention_backward(
        &mut self,
        x: &[f32],
        kept: [Activation; 4],
        dy: &mut [f32],
        context: Context<'_>,
        work: &mut Workspace,
    ) {
        let (pass, multiplier) = (context.pass, context.shape.residual_multiplier);
        let eps = context.shape.eps;
        let [kept_q, kept_k, v, attended] = kept;
        let [_, width] = self.o.sizes();
        let mut dattended = {
            let n = dy.len() / self.input_norm.len() * width;
            work.take(n)
        };
        self.o.backward(
            attended.factor(width),
            dy,
            &mut dattended,
            Blend::SET.scaled(multiplier),
            pass,
            work,
        );
        attended.free(work);

        let [queries, keys] = context.widths();
        let (q, k, projected) = self.rotated_again(kept_q, kept_k, context, work);
        let n = q.factor(queries).n_rows();
        let (mut dq, mut dk, mut dv) = (
            work.take(n * queries),
            work.take(n * keys),
            work.take(n * keys),
        );
        attention_backward_into(
            [&mut dq, &mut dk, &mut dv],
            context.inputs(q.factor(queries), k.factor(keys), v.factor(keys)),
            rows(&dattended, queries),
            context.shape.heads,
            &context.batch.segments,
        );
        work.give(dattended);
        for kept in [q, k, v] {
            kept.free(work);
        }
        context.turn(&mut dq, Turn::Backward);
        context.turn(&mut dk, Turn::Backward);
        if let (Some(norms), Some((q, k))) = (&mut self.head_norms, projected) {
            dq = head_norm_backward(&mut norms.q, q, dq, eps, work);
            dk = head_norm_backward(&mut norms.k, k, dk, eps, work);
        }

        let mut normed = work.take(x.len());
        rms_norm_into(&mut normed, x, self.input_norm.as_slice(), eps);
        let normed = Activation::keep(normed, pass.precision, work);
        let mut dnormed = work.take(x.len());
        let input = normed.factor(self.input_norm.len());
        self.q
            .backward(input, &dq, &mut dnormed, Blend::SET, pass, work);
        self.k
            .backward(input, &dk, &mut dnormed, Blend::ADD, pass, work);
        self.v
            .backward(input, &dv, &mut dnormed, Blend::ADD, pass, work);
        for gradient in [dq, dk, dv] {
            work.give(gradient);
        }
        norm_backward(&mut self.input_norm, x, dnormed, normed, dy, eps, work);
    }

    /// The linear layers.
    pub(crate) fn linears(&self) -> [&Linear; 7] {
        [
            &self.q, &self.k, &self.v, &self.o, &self.gate, &self.up, &self.down,
        ]
    }

    /// All weights.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let norms = [&self.input_norm, &self.post_attention_norm];
        let head_norms = self
            .head_norms
            .iter()
            .flat_map(|norms| [&norms.q, &norms.k]);
        let linears = self.linears().into_iter().flat_map(Linear::parameters);
        norms.into_iter().chain(head_norms).chain(linears)
    }

    /// All weights, to be changed.
    pub(crate) fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let norms = [&mut self.input_norm, &mut self.post_attention_norm];
        let head_norms = self.head_norms.iter_mut();
        let head_norms = head_norms.flat_map(|norms| [&mut norms.q, &mut norms.k]);
        let linears = [
            &mut self.q,
            &mut self.k,
            &mut self.v,
            &mut self.o,
            &mut self.gate,
            &mut self.up,
            &mut self.down,
        ];
        let linears = linears.into_iter().flat_map(Linear::parameters_mut);
        norms.into_iter().chain(head_norms).chain(linears)
    }
}

impl Activations {
    /// Frees all but the input.
    fn into_input(self, work: &mut Workspace) -> Vec<f32> {
        for kept in [self.q, self.k, self.v, self.attended, self.gate, self.up] {
            kept.free(work);
        }
        work.give(self.middle);
        self.x
    }
}

/// Adds to `dy` what the branch behind a norm contributes; frees both buffers.
fn norm_backward(
    norm: &mut Parameter,
    x: &[f32],
    dnormed: Vec<f32>,
    normed: Activation,
    dy: &mut [f32],
    eps: f32,
    work: &mut Workspace,
) {
    normed.free(work);
    let (weight, gradient) = norm.split_slice();
    rms_norm_backward_add(dy, x, weight, &dnormed, eps, gradient);
    work.give(dnormed);
}

/// The gradient before the norm of heads from that behind it; frees what was projected.
fn head_norm_backward(
    norm: &mut Parameter,
    projected: Vec<f32>,
    dnormed: Vec<f32>,
    eps: f32,
    work: &mut Workspace,
) -> Vec<f32> {
    let mut dx = work.take_zeroed(projected.len());
    let (weight, gradient) = norm.split_slice();
    rms_norm_backward_add(&mut dx, &projected, weight, &dnormed, eps, gradient);
    work.give(projected);
    work.give(dnormed);
    dx
}
