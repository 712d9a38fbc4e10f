//! One decoder layer by tensor operations; what is kept is what [`crate::layer`] keeps.

use candle_core::{Result, Tensor};
use ilab_kernels::rope::Turn;

use crate::composed::attention::{Inputs, attention, attention_backward};
use crate::composed::batch::DeviceBatch;
use crate::composed::feed_forward::{swiglu, swiglu_backward};
use crate::composed::norm::{rms_norm, rms_norm_backward};
use crate::composed::rotary::rope;
use crate::composed::{factor_type, linear};
use crate::layer::{Keep, Layer, LayerShape};
use crate::linear::Pass;
use crate::parameter::Parameter;
use candle_core::DType;

/// One pass over one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) shape: &'a LayerShape,
    pub(crate) batch: &'a DeviceBatch,
    pub(crate) pass: Pass,
}

/// What the backward pass needs.
#[derive(Debug)]
pub(crate) enum Saved {
    Input(Tensor),
    Activations(Box<Activations>),
}

/// The streams are f32, the rest has the type of the factors.
#[derive(Debug)]
pub(crate) struct Activations {
    x: Tensor,
    /// As projected, before heads are normalised and rotated.
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Tensor,
    middle: Tensor,
    gate: Tensor,
    up: Tensor,
}

impl Context<'_> {
    fn factor(&self, x: &Tensor) -> Result<Tensor> {
        x.to_dtype(factor_type(self.pass.precision))
    }

    fn inputs<'b>(&'b self, [q, k, v]: [&'b Tensor; 3]) -> Inputs<'b> {
        Inputs {
            q,
            k,
            v,
            heads: self.shape.heads,
            scale: self.shape.attention_scale,
            tiles: &self.batch.tiles,
        }
    }

    fn scaled(&self, x: &Tensor) -> Result<Tensor> {
        x.affine(f64::from(self.shape.residual_multiplier), 0.0)
    }

    /// Queries or keys as attention reads them.
    fn turned(&self, projected: &Tensor, norm: Option<&Parameter>) -> Result<Tensor> {
        let projected = projected.to_dtype(DType::F32)?;
        let normed = match norm {
            None => projected,
            Some(norm) => {
                let heads = projected.reshape(((), norm.len()))?;
                rms_norm(&heads, norm, self.shape.eps)?.reshape(projected.shape())?
            }
        };
        self.factor(&rope(&normed, &self.batch.angles, Turn::Forward)?)
    }

    /// The gradient of what was projected from that of what attention read.
    fn turned_backward(
        &self,
        projected: &Tensor,
        norm: Option<&mut Parameter>,
        dturned: &Tensor,
    ) -> Result<Tensor> {
        let dnormed = rope(dturned, &self.batch.angles, Turn::Backward)?;
        match norm {
            None => Ok(dnormed),
            Some(norm) => {
                let of_heads = ((), norm.len());
                let heads = projected.to_dtype(DType::F32)?.reshape(of_heads)?;
                let dheads = dnormed.reshape(of_heads)?;
                rms_norm_backward(&heads, norm, &dheads, self.shape.eps)?.reshape(dnormed.shape())
            }
        }
    }
}

/// The layer's result, `[N, C]`, and what its backward pass needs.
pub(crate) fn forward(
    layer: &Layer,
    x: Tensor,
    keep: Keep,
    context: Context<'_>,
) -> Result<(Tensor, Saved)> {
    let (y, activations) = activations(layer, x, context)?;
    let saved = match keep {
        Keep::Activations => Saved::Activations(Box::new(activations)),
        Keep::Input => Saved::Input(activations.x),
    };
    Ok((y, saved))
}

fn activations(layer: &Layer, x: Tensor, context: Context<'_>) -> Result<(Tensor, Activations)> {
    let (pass, eps) = (context.pass, context.shape.eps);
    let input = context.factor(&rms_norm(&x, &layer.input_norm, eps)?)?;
    let q = context.factor(&linear::forward(&layer.q, &input, pass)?)?;
    let k = context.factor(&linear::forward(&layer.k, &input, pass)?)?;
    let v = context.factor(&linear::forward(&layer.v, &input, pass)?)?;
    let norms = layer.head_norms.as_ref();
    let turned_q = context.turned(&q, norms.map(|norms| &norms.q))?;
    let turned_k = context.turned(&k, norms.map(|norms| &norms.k))?;
    let attended = attention(context.inputs([&turned_q, &turned_k, &v]))?;
    let attended = context.factor(&attended)?;
    let added = linear::forward(&layer.o, &attended, pass)?;
    let middle = x.add(&context.scaled(&added)?)?;

    let input = context.factor(&rms_norm(&middle, &layer.post_attention_norm, eps)?)?;
    let gate = linear::forward(&layer.gate, &input, pass)?;
    let up = linear::forward(&layer.up, &input, pass)?;
    let gated = context.factor(&swiglu(&gate, &up)?)?;
    let added = linear::forward(&layer.down, &gated, pass)?;
    let y = middle.add(&context.scaled(&added)?)?;
    let activations = Activations {
        x,
        q,
        k,
        v,
        attended,
        middle,
        gate: context.factor(&gate)?,
        up: context.factor(&up)?,
    };
    Ok((y, activations))
}

/// Adds the gradients of what is trained, and turns the gradient of the result into that of the input.
pub(crate) fn backward(
    layer: &mut Layer,
    saved: Saved,
    dy: &Tensor,
    context: Context<'_>,
) -> Result<Tensor> {
    let saved = match saved {
        Saved::Activations(saved) => *saved,
        Saved::Input(x) => activations(layer, x, context)?.1,
    };
    let dmiddle = feed_forward_backward(layer, &saved, dy, context)?;
    projections_backward(layer, &saved, &dmiddle, context)
}

/// From the gradient of the layer's result to that of the stream between the halves.
fn feed_forward_backward(
    layer: &mut Layer,
    saved: &Activations,
    dy: &Tensor,
    context: Context<'_>,
) -> Result<Tensor> {
    let (pass, eps) = (context.pass, context.shape.eps);
    let (gate, up) = (
        saved.gate.to_dtype(DType::F32)?,
        saved.up.to_dtype(DType::F32)?,
    );
    let gated = context.factor(&swiglu(&gate, &up)?)?;
    let dgated = linear::backward(&mut layer.down, &gated, &context.scaled(dy)?, pass)?;
    let [dgate, dup] = swiglu_backward(&gate, &up, &dgated)?;
    let norm = &mut layer.post_attention_norm;
    let input = context.factor(&rms_norm(&saved.middle, norm, eps)?)?;
    let dinput = linear::backward(&mut layer.gate, &input, &dgate, pass)?;
    let dinput = dinput.add(&linear::backward(&mut layer.up, &input, &dup, pass)?)?;
    dy.add(&rms_norm_backward(&saved.middle, norm, &dinput, eps)?)
}

/// From the gradient of the stream between the halves to that of the layer's input.
fn projections_backward(
    layer: &mut Layer,
    saved: &Activations,
    dmiddle: &Tensor,
    context: Context<'_>,
) -> Result<Tensor> {
    let (pass, eps) = (context.pass, context.shape.eps);
    let Activations {
        x,
        q,
        k,
        v,
        attended,
        ..
    } = saved;
    let dadded = context.scaled(dmiddle)?;
    let dattended = linear::backward(&mut layer.o, attended, &dadded, pass)?;
    let norms = layer.head_norms.as_ref();
    let turned_q = context.turned(q, norms.map(|norms| &norms.q))?;
    let turned_k = context.turned(k, norms.map(|norms| &norms.k))?;
    let inputs = context.inputs([&turned_q, &turned_k, v]);
    let [dq, dk, dv] = attention_backward(inputs, &dattended)?;
    let (norm_q, norm_k) = match &mut layer.head_norms {
        None => (None, None),
        Some(norms) => (Some(&mut norms.q), Some(&mut norms.k)),
    };
    let dq = context.turned_backward(q, norm_q, &dq)?;
    let dk = context.turned_backward(k, norm_k, &dk)?;

    let norm = &mut layer.input_norm;
    let input = context.factor(&rms_norm(x, norm, eps)?)?;
    let dinput = linear::backward(&mut layer.q, &input, &dq, pass)?;
    let dinput = dinput.add(&linear::backward(&mut layer.k, &input, &dk, pass)?)?;
    let dinput = dinput.add(&linear::backward(&mut layer.v, &input, &dv, pass)?)?;
    dmiddle.add(&rms_norm_backward(x, norm, &dinput, eps)?)
}
