//! A model that can be trained: Llama and its relatives.
//!
//! # Source
//! `modeling_{llama,mistral,granite,qwen2,qwen3}.py` of transformers 4.57, against which logits, loss and every gradient
//! are tested. <https://github.com/huggingface/transformers/tree/v4.57.1/src/transformers/models>

use ilab_kernels::attention::Heads;
use ilab_kernels::cross_entropy::{Scales, cross_entropy_loss, linear_cross_entropy};
use ilab_kernels::factor::Factor;
use ilab_kernels::matmul::{Precision, Threads};
use ilab_kernels::residual;
use ilab_kernels::rms_norm::{rms_norm_backward_add, rms_norm_into};
use ilab_kernels::rope::RopeTable;
use ilab_weights::adapter::LoraModule;
use ilab_weights::config::{Architecture, ModelConfig};

use crate::device::DeviceError;
use crate::error::TrainError;
use crate::layer::{Context, Keep, Layer, LayerShape, Saved};
use crate::linear::Pass;
use crate::method::Method;
use crate::model::on_device::Opened;
use crate::packing::Batch;
use crate::parameter::Parameter;
use crate::workspace::Workspace;

mod build;
mod on_device;

/// A model whose weights, or whose adapters, can be trained. Weights carry the names of Hugging Face checkpoints.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    architecture: Architecture,
    method: Method,
    shape: LayerShape,
    rope_table: RopeTable,
    n_positions: usize,
    embedding: Parameter,
    layers: Vec<Layer>,
    norm: Parameter,
    /// Absent where the embedding serves.
    output: Option<Parameter>,
    precision: Precision,
    keep: Keep,
    work: Workspace,
    /// The device whose memory holds the weights, where it is not this processor's.
    opened: Option<Opened>,
}

impl Model {
    /// The same model whose products are computed in another precision; a new model computes in f32.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The same model that keeps more or less of the forward pass; a new model keeps what the backward pass needs.
    #[must_use]
    pub fn with_keep(self, keep: Keep) -> Self {
        Self { keep, ..self }
    }

    /// In which precision it multiplies.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What of it is trained.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// All weights, in the order of a checkpoint; an adapter's follow those of its layer.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let layers = self.layers.iter().flat_map(Layer::parameters);
        std::iter::once(&self.embedding)
            .chain(layers)
            .chain([&self.norm])
            .chain(&self.output)
    }

    /// All weights, to be changed.
    pub fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let layers = self.layers.iter_mut().flat_map(Layer::parameters_mut);
        std::iter::once(&mut self.embedding)
            .chain(layers)
            .chain([&mut self.norm])
            .chain(&mut self.output)
    }

    /// A weight by its name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters().find(|parameter| parameter.name() == name)
    }

    /// The values of a weight with its adapter merged into it: `W + α/r · B · A`; without an adapter as they are.
    ///
    /// # Errors
    /// A device that does not hand them over.
    pub fn merged(&self, name: &str) -> Result<Option<Vec<f32>>, DeviceError> {
        let linears = self.layers.iter().flat_map(Layer::linears);
        let adapted = linears
            .into_iter()
            .find(|linear| linear.weight.name() == name);
        match adapted {
            Some(linear) => linear.merged().map(Some),
            None => match self.parameter(name) {
                Some(parameter) => Ok(Some(parameter.to_f32()?.into_owned())),
                None => Ok(None),
            },
        }
    }

    /// The adapters of all layers that have one.
    ///
    /// # Errors
    /// A device that does not hand them over.
    pub fn adapters(&self) -> Result<Vec<LoraModule>, TrainError> {
        let linears = self.layers.iter().flat_map(Layer::linears);
        let adapted = linears.filter_map(|linear| Some((linear, linear.adapter.as_ref()?)));
        adapted
            .map(|(linear, adapter)| {
                let [n_outputs, n_inputs] = linear.sizes();
                Ok(LoraModule {
                    name: linear.weight.name().trim_end_matches(".weight").to_owned(),
                    rank: adapter.rank(),
                    n_inputs,
                    n_outputs,
                    a: adapter.down.to_f32()?.into_owned(),
                    b: adapter.up.to_f32()?.into_owned(),
                })
            })
            .collect()
    }

    /// How many numbers the model consists of, adapters included.
    pub fn n_parameters(&self) -> usize {
        self.parameters().map(Parameter::len).sum()
    }

    /// How many of them are trained.
    pub fn n_trained(&self) -> usize {
        let trained = self.parameters().filter(|parameter| parameter.is_trained());
        trained.map(Parameter::len).sum()
    }

    /// Sets every gradient to zero.
    pub fn clear_gradients(&mut self) {
        for parameter in self.parameters_mut() {
            parameter.clear_gradient();
        }
    }

    /// The sum of the losses of all learned tokens, in nats.
    ///
    /// # Errors
    /// Token ids outside of the vocabulary, sequences longer than the model was built for, or a device that fails.
    pub fn loss_sum(&mut self, batch: &Batch) -> Result<f64, TrainError> {
        if let Some(opened) = &self.opened {
            self.check(batch)?;
            return Ok(self.loss_sum_on(opened, batch)?);
        }
        let hidden = self.hidden(batch)?;
        let loss = cross_entropy_loss(
            &hidden,
            self.head_weight(),
            &batch.targets,
            self.logit_scale(),
            self.precision,
        );
        self.work.give(hidden);
        Ok(loss)
    }

    /// The score of every token of the vocabulary after each row.
    ///
    /// # Shape
    /// Result `[N, V]`, row-major.
    ///
    /// # Errors
    /// As for [`Model::loss_sum`].
    pub fn logits(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainError> {
        if let Some(opened) = &self.opened {
            self.check(batch)?;
            return Ok(self.logits_on(opened, batch)?);
        }
        let hidden = self.hidden(batch)?;
        let weight = self.head_weight().transposed();
        let mut logits = vec![0.0; batch.input_ids.len() * self.config.vocab_size];
        let rows = Factor::dense(&hidden, batch.input_ids.len(), self.config.hidden_size);
        let scale = self.logit_scale();
        let precision = self.precision;
        precision.matmul(&mut logits, 0.0, scale, rows, weight, Threads::All);
        self.work.give(hidden);
        Ok(logits)
    }

    /// Adds the gradients of `factor` times the batch's loss to those of the trained weights, and returns that loss.
    ///
    /// `dropout_seed` draws what adapters leave out of their input; without it they use all of it.
    ///
    /// # Errors
    /// As for [`Model::loss_sum`], no gradient is changed then; or a device that fails.
    pub fn accumulate(
        &mut self,
        batch: &Batch,
        factor: f64,
        dropout_seed: Option<u64>,
    ) -> Result<f64, TrainError> {
        self.check(batch)?;
        if let Some(opened) = self.opened.clone() {
            return Ok(self.accumulate_on(&opened, batch, factor, dropout_seed)?);
        }
        let mut work = std::mem::take(&mut self.work);
        let pass = Pass {
            precision: self.precision,
            dropout_seed,
        };
        let mut x = self.embed(batch, &mut work);
        let mut saved: Vec<Saved> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let context = self.context(batch, pass);
            let (y, of_layer) = layer.forward(x, self.keep, context, &mut work);
            saved.push(of_layer);
            x = y;
        }
        let (loss, mut dx) = self.head_backward(&x, batch, factor, &mut work);
        work.give(x);
        for (layer, saved) in self.layers.iter_mut().zip(saved).rev() {
            let context = Context {
                shape: &self.shape,
                batch,
                rope_table: &self.rope_table,
                pass,
            };
            layer.backward(saved, &mut dx, context, &mut work);
        }
        self.embed_backward(batch, &dx);
        work.give(dx);
        self.work = work;
        Ok(loss)
    }

    /// The loss, and the gradient of the last layer's result.
    fn head_backward(
        &mut self,
        x: &[f32],
        batch: &Batch,
        factor: f64,
        work: &mut Workspace,
    ) -> (f64, Vec<f32>) {
        let mut hidden = work.take(x.len());
        rms_norm_into(&mut hidden, x, self.norm.as_slice(), self.shape.eps);
        #[allow(clippy::cast_possible_truncation)]
        let scales = Scales {
            logit: self.logit_scale(),
            gradient: factor as f32,
        };
        let (weight, gradient) = match &mut self.output {
            Some(output) => output.split(),
            None => self.embedding.split(),
        };
        let precision = self.precision;
        let targets = &batch.targets;
        let result = linear_cross_entropy(&hidden, weight, targets, scales, precision, gradient);
        let mut dx = hidden;
        dx.fill(0.0);
        let (weight, gradient) = self.norm.split_slice();
        let dhidden = &result.dhidden;
        rms_norm_backward_add(&mut dx, x, weight, dhidden, self.shape.eps, gradient);
        (result.loss_sum * factor, dx)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn logit_scale(&self) -> f32 {
        (1.0 / self.architecture.logits_divisor) as f32
    }

    #[allow(clippy::cast_possible_truncation)]
    fn embedding_multiplier(&self) -> f32 {
        self.architecture.embedding_multiplier as f32
    }

    fn head_weight(&self) -> Factor<'_> {
        self.output.as_ref().unwrap_or(&self.embedding).factor()
    }

    fn context<'a>(&'a self, batch: &'a Batch, pass: Pass) -> Context<'a> {
        Context {
            shape: &self.shape,
            batch,
            rope_table: &self.rope_table,
            pass,
        }
    }

    /// The residual stream after the last normalisation, `[N, C]`.
    fn hidden(&mut self, batch: &Batch) -> Result<Vec<f32>, TrainError> {
        self.check(batch)?;
        let mut work = std::mem::take(&mut self.work);
        let pass = Pass {
            precision: self.precision,
            dropout_seed: None,
        };
        let mut x = self.embed(batch, &mut work);
        for layer in &self.layers {
            x = layer.infer(x, self.context(batch, pass), &mut work);
        }
        let mut hidden = work.take(x.len());
        rms_norm_into(&mut hidden, &x, self.norm.as_slice(), self.shape.eps);
        work.give(x);
        self.work = work;
        Ok(hidden)
    }

    fn embed(&self, batch: &Batch, work: &mut Workspace) -> Vec<f32> {
        let c = self.config.hidden_size;
        let multiplier = self.embedding_multiplier();
        let mut x = work.take(batch.input_ids.len() * c);
        for (row, id) in x.chunks_exact_mut(c).zip(&batch.input_ids) {
            self.embedding.factor().read_row(*id as usize, row);
            for value in row {
                *value *= multiplier;
            }
        }
        x
    }

    fn embed_backward(&mut self, batch: &Batch, dx: &[f32]) {
        let c = self.config.hidden_size;
        let multiplier = self.embedding_multiplier();
        let Some(gradient) = self.embedding.split().1 else {
            return;
        };
        for (dx, id) in dx.chunks_exact(c).zip(&batch.input_ids) {
            let row = &mut gradient[*id as usize * c..][..c];
            residual::add_scaled(row, dx, multiplier);
        }
    }

    fn check(&self, batch: &Batch) -> Result<(), TrainError> {
        let vocab_size = self.config.vocab_size;
        let ids = batch.input_ids.iter().chain(batch.targets.iter().flatten());
        if let Some(id) = ids.copied().find(|id| *id as usize >= vocab_size) {
            return Err(TrainError::Token { id, vocab_size });
        }
        let longest = batch
            .segments
            .windows(2)
            .map(|bounds| bounds[1] - bounds[0]);
        let longest = longest.max().unwrap_or_default();
        if longest > self.n_positions {
            return Err(TrainError::Length {
                n_tokens: longest,
                n_positions: self.n_positions,
            });
        }
        Ok(())
    }
}

/// How a model lays out its heads.
fn heads(config: &ModelConfig) -> Heads {
    Heads {
        n_query: config.num_attention_heads,
        n_kv: config.n_kv_heads(),
        width: config.head_dim(),
    }
}
