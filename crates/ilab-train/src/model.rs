//! The Llama architecture, trainable.
//!
//! # Source
//! `modeling_llama.py` of transformers 4.57, against which logits, loss and every gradient are tested.
//! <https://github.com/huggingface/transformers/blob/v4.57.1/src/transformers/models/llama/modeling_llama.py>

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor, Var};
use ilab_kernels::attention::Heads;
use ilab_kernels::matmul::Precision;
use ilab_kernels::rope::RopeTable;
use ilab_weights::config::{ConfigError, ModelConfig, RopeScaling, model_tensors};
use ilab_weights::safetensors::Checkpoint;

use crate::ops::{
    LayerGradients, LayerOptions, PerWeight, Rotary, cross_entropy_sum, decoder_layer, linear,
    rms_norm, with_slice,
};
use crate::packing::Batch;
use crate::trainer::TrainError;

/// A Llama model whose weights can be trained. Weights are f32 and carry the names of Hugging Face checkpoints.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    weights: BTreeMap<String, Var>,
    rope_table: Arc<RopeTable>,
    heads: Heads,
    precision: Precision,
}

/// The loss of a batch, which knows its gradients.
#[derive(Debug)]
pub struct Loss {
    /// A scalar: the sum over all learned tokens.
    sum: Tensor,
    layers: Vec<LayerGradients>,
}

impl Loss {
    /// The loss times `factor`, and its gradients by the weights' names.
    ///
    /// # Errors
    /// A failed tensor operation.
    pub fn backward(
        self,
        factor: f64,
        model: &Model,
    ) -> candle_core::Result<(f64, BTreeMap<String, Vec<f32>>)> {
        let loss = (self.sum * factor)?;
        let by_tensor = loss.backward()?;
        let mut gradients = BTreeMap::new();
        for (name, weight) in &model.weights {
            if let Some(gradient) = by_tensor.get(weight) {
                gradients.insert(name.clone(), with_slice(gradient, <[f32]>::to_vec)?);
            }
        }
        for (layer_idx, layer) in self.layers.iter().enumerate() {
            for (name, gradient) in layer.take().into_iter().flat_map(PerWeight::named) {
                gradients.insert(layer_weight(layer_idx, name), gradient);
            }
        }
        Ok((f64::from(loss.to_scalar::<f32>()?), gradients))
    }
}

fn layer_weight(layer_idx: usize, name: &str) -> String {
    format!("model.layers.{layer_idx}.{name}")
}

impl Model {
    /// Loads a Hugging Face model folder for sequences of up to `max_seq_len` tokens.
    ///
    /// # Errors
    /// A configuration or weights that are missing, damaged, or of another architecture.
    pub fn from_dir(folder: &Path, max_seq_len: usize) -> Result<Self, TrainError> {
        let config = ModelConfig::from_dir(folder)?;
        if config.model_type != "llama" {
            return Err(TrainError::Config(ConfigError::Unsupported {
                path: folder.join("config.json"),
                key: "model_type",
                value: config.model_type,
                supported: "llama",
            }));
        }
        let checkpoint = Checkpoint::open(folder)?;
        Self::new(config, max_seq_len, |name, shape| {
            Ok(checkpoint.read_f32(name, shape)?)
        })
    }

    /// A model whose weights come from `value(name, shape)`, row-major.
    ///
    /// # Errors
    /// Whatever `value` returns.
    pub fn new(
        config: ModelConfig,
        max_seq_len: usize,
        mut value: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, TrainError>,
    ) -> Result<Self, TrainError> {
        let mut weights = BTreeMap::new();
        for (name, shape) in model_tensors(&config) {
            let tensor = Tensor::from_vec(value(&name, &shape)?, shape, &Device::Cpu)?;
            weights.insert(name, Var::from_tensor(&tensor)?);
        }
        let rope_table = Arc::new(RopeTable::new(&rope_frequencies(&config), max_seq_len));
        let heads = Heads {
            n_query: config.num_attention_heads,
            n_kv: config.n_kv_heads(),
            width: config.head_dim(),
        };
        Ok(Self {
            config,
            weights,
            rope_table,
            heads,
            precision: Precision::F32,
        })
    }

    /// The same model whose linear layers and attention are multiplied in another precision; a new model multiplies in f32.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// In which precision it multiplies.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// All weights by name.
    pub fn weights(&self) -> &BTreeMap<String, Var> {
        &self.weights
    }

    /// How many numbers the model consists of.
    pub fn n_parameters(&self) -> usize {
        self.weights
            .values()
            .map(|weight| weight.elem_count())
            .sum()
    }

    /// Sum of the losses of all learned tokens of a batch.
    ///
    /// # Errors
    /// Token ids outside the vocabulary, or sequences longer than the model was loaded for.
    pub fn loss_sum(&self, batch: &Batch) -> candle_core::Result<Loss> {
        let (hidden, layers) = self.hidden(batch)?;
        let sum = cross_entropy_sum(
            &hidden,
            self.output_weight()?,
            &batch.targets,
            self.precision,
        )?;
        Ok(Loss { sum, layers })
    }

    /// The score of every token of the vocabulary after each row.
    ///
    /// # Shape
    /// Result `[N, V]`.
    ///
    /// # Errors
    /// As for [`Model::loss_sum`].
    pub fn logits(&self, batch: &Batch) -> candle_core::Result<Tensor> {
        let (hidden, _) = self.hidden(batch)?;
        linear(&hidden, self.output_weight()?, self.precision)
    }

    /// The residual stream after the last normalisation, `[N, C]`, and where the backward pass leaves the gradients of the
    /// layers' weights.
    fn hidden(&self, batch: &Batch) -> candle_core::Result<(Tensor, Vec<LayerGradients>)> {
        let n = batch.input_ids.len();
        let ids = Tensor::from_slice(&batch.input_ids, n, &Device::Cpu)?.to_dtype(DType::U32)?;
        let rotary = Rotary {
            table: Arc::clone(&self.rope_table),
            positions: Arc::clone(&batch.positions),
        };
        let mut x = self
            .weight("model.embed_tokens.weight")?
            .index_select(&ids, 0)?; // (N, C)
        let options = LayerOptions {
            heads: self.heads,
            rotary,
            segments: Arc::clone(&batch.segments),
            eps: self.eps(),
            precision: self.precision,
        };
        let mut gradients = Vec::with_capacity(self.config.num_hidden_layers);
        for layer_idx in 0..self.config.num_hidden_layers {
            let of_layer = LayerGradients::default();
            x = self.layer(&x, layer_idx, options.clone(), of_layer.clone())?;
            gradients.push(of_layer);
        }
        let weight = self.weight("model.norm.weight")?;
        Ok((rms_norm(&x, weight, self.eps())?, gradients))
    }

    fn layer(
        &self,
        x: &Tensor,
        layer_idx: usize,
        options: LayerOptions,
        gradients: LayerGradients,
    ) -> candle_core::Result<Tensor> {
        let weights = PerWeight::NAMES
            .try_map(|name| Ok(self.weight(&layer_weight(layer_idx, name))?.clone()))?;
        decoder_layer(x, weights, options, gradients)
    }

    fn eps(&self) -> f32 {
        #[allow(clippy::cast_possible_truncation)]
        let eps = self.config.rms_norm_eps as f32;
        eps
    }

    fn output_weight(&self) -> candle_core::Result<&Tensor> {
        let name = if self.config.tie_word_embeddings {
            "model.embed_tokens.weight"
        } else {
            "lm_head.weight"
        };
        self.weight(name)
    }

    fn weight(&self, name: &str) -> candle_core::Result<&Tensor> {
        match self.weights.get(name) {
            Some(weight) => Ok(weight.as_tensor()),
            None => candle_core::bail!("the model has no weight `{name}`"),
        }
    }
}

/// Rotary frequencies, in radians a position, one for each pair of elements of a head.
fn rope_frequencies(config: &ModelConfig) -> Vec<f32> {
    let width = config.head_dim();
    (0..width / 2)
        .map(|pair| {
            let frequency = config.rope_theta.powf(-2.0 * pair as f64 / width as f64);
            let scaled = match &config.rope_scaling {
                Some(scaling) if scaling.rope_type() == "llama3" => {
                    llama3_frequency(frequency, scaling)
                }
                _ => frequency,
            };
            #[allow(clippy::cast_possible_truncation)]
            let frequency = scaled as f32;
            frequency
        })
        .collect()
}

/// Slow rotations are stretched by `factor`, fast ones kept, those between blended.
///
/// # Source
/// `_compute_llama3_parameters`:
/// <https://github.com/huggingface/transformers/blob/v4.57.1/src/transformers/modeling_rope_utils.py>
fn llama3_frequency(frequency: f64, scaling: &RopeScaling) -> f64 {
    let factor = scaling.factor.unwrap_or(8.0);
    let (low, high) = (
        scaling.low_freq_factor.unwrap_or(1.0),
        scaling.high_freq_factor.unwrap_or(4.0),
    );
    let context = scaling.original_max_position_embeddings.unwrap_or(8192) as f64;
    let turns = context * frequency / (2.0 * std::f64::consts::PI);
    if turns < low {
        frequency / factor
    } else if turns > high {
        frequency
    } else {
        let smooth = (turns - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}
