//! Models from folders, and from any other source of values.

use std::path::Path;

use ilab_kernels::matmul::Precision;
use ilab_kernels::matrix::Format;
use ilab_kernels::rope::RopeTable;
use ilab_weights::config::{ModelConfig, layer_tensors};
use ilab_weights::safetensors::Checkpoint;
use rayon::prelude::*;

use crate::adapter::Adapter;
use crate::error::TrainError;
use crate::layer::{HeadNorms, Keep, Layer, LayerShape};
use crate::linear::Linear;
use crate::method::{BaseFormat, LoraOptions, Method};
use crate::model::{Model, heads};
use crate::parameter::Parameter;
use crate::rotary::rope_frequencies;
use crate::workspace::Workspace;

impl Model {
    /// Loads a Hugging Face model folder for sequences of up to `max_seq_len` tokens.
    ///
    /// # Errors
    /// A configuration or weights that are missing, damaged, or of another architecture.
    pub fn from_dir(folder: &Path, method: Method, max_seq_len: usize) -> Result<Self, TrainError> {
        let config = ModelConfig::from_dir(folder)?;
        let checkpoint = Checkpoint::open(folder)?;
        Self::new(config, method, max_seq_len, |name, shape| {
            Ok(checkpoint.read_f32(name, shape)?)
        })
    }

    /// A model whose weights come from `value(name, shape)`, row-major.
    ///
    /// # Errors
    /// Whatever `value` returns.
    pub fn new(
        config: ModelConfig,
        method: Method,
        max_seq_len: usize,
        value: impl FnMut(&str, &[usize]) -> Result<Vec<f32>, TrainError>,
    ) -> Result<Self, TrainError> {
        let mut builder = Builder {
            method: &method,
            value,
        };
        let (hidden, vocabulary) = (config.hidden_size, config.vocab_size);
        let embedding = builder.matrix("model.embed_tokens.weight", &[vocabulary, hidden])?;
        let layers = (0..config.num_hidden_layers)
            .map(|layer_idx| builder.layer(&config, layer_idx))
            .collect::<Result<Vec<_>, _>>()?;
        let norm = builder.vector("model.norm.weight", &[hidden])?;
        let output = match config.tie_word_embeddings {
            true => None,
            false => Some(builder.matrix("lm_head.weight", &[vocabulary, hidden])?),
        };
        let architecture = config.architecture();
        #[allow(clippy::cast_possible_truncation)]
        let shape = LayerShape {
            heads: heads(&config),
            eps: config.rms_norm_eps as f32,
            attention_scale: architecture.attention_scale as f32,
            residual_multiplier: architecture.residual_multiplier as f32,
            sliding_window: architecture.sliding_window,
        };
        Ok(Self {
            rope_table: RopeTable::new(&rope_frequencies(&config), max_seq_len),
            n_positions: max_seq_len,
            config,
            architecture,
            method,
            shape,
            embedding,
            layers,
            norm,
            output,
            precision: Precision::F32,
            keep: Keep::Activations,
            work: Workspace::default(),
            opened: None,
        })
    }
}

struct Builder<'a, F> {
    method: &'a Method,
    value: F,
}

impl<F: FnMut(&str, &[usize]) -> Result<Vec<f32>, TrainError>> Builder<'_, F> {
    /// The values of a weight, all of which are numbers.
    fn checked(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, TrainError> {
        let values = (self.value)(name, shape)?;
        match values.par_iter().position_any(|value| !value.is_finite()) {
            None => Ok(values),
            Some(element) => Err(TrainError::DamagedWeight {
                name: name.to_owned(),
                element,
                value: values[element],
            }),
        }
    }

    /// A weight of two axes.
    fn matrix(&mut self, name: &str, shape: &[usize]) -> Result<Parameter, TrainError> {
        let values = self.checked(name, shape)?;
        let (name, shape) = (name.to_owned(), shape.to_vec());
        Ok(match self.method {
            Method::Full => Parameter::trained(name, shape, values),
            Method::Lora(options) => Parameter::frozen(name, shape, values, format(options.base)),
        })
    }

    /// A weight of one axis, which is small and always f32.
    fn vector(&mut self, name: &str, shape: &[usize]) -> Result<Parameter, TrainError> {
        let values = self.checked(name, shape)?;
        let (name, shape) = (name.to_owned(), shape.to_vec());
        Ok(match self.method {
            Method::Full => Parameter::trained(name, shape, values),
            Method::Lora(_) => Parameter::frozen(name, shape, values, Format::F32),
        })
    }

    fn layer(&mut self, config: &ModelConfig, layer_idx: usize) -> Result<Layer, TrainError> {
        let tensors = layer_tensors(config);
        let of_layer = |name: &str| format!("model.layers.{layer_idx}.{name}");
        let shape_of = |name: &str| {
            let tensor = tensors.iter().find(|(known, _)| *known == name);
            tensor.map(|(_, shape)| shape.clone())
        };
        let vector = |builder: &mut Self, name: &str| match shape_of(name) {
            None => Ok(None),
            Some(shape) => builder.vector(&of_layer(name), &shape).map(Some),
        };
        let missing = |name: &str| TrainError::NoTensor {
            name: of_layer(name),
        };
        let norm = |builder: &mut Self, name: &str| {
            let shape = shape_of(name).ok_or_else(|| missing(name))?;
            builder.vector(&of_layer(name), &shape)
        };
        let linear = |builder: &mut Self, module: &str| {
            let name = format!("{module}.weight");
            let shape = shape_of(&name).ok_or_else(|| missing(&name))?;
            let weight = builder.matrix(&of_layer(&name), &shape)?;
            let bias = match shape_of(&format!("{module}.bias")) {
                None => None,
                Some(shape) => Some(builder.vector(&of_layer(&format!("{module}.bias")), &shape)?),
            };
            Ok::<_, TrainError>(Linear {
                adapter: adapter(builder.method, &of_layer(module), &weight),
                weight,
                bias,
            })
        };
        let head_norms = match (
            vector(self, "self_attn.q_norm.weight")?,
            vector(self, "self_attn.k_norm.weight")?,
        ) {
            (Some(q), Some(k)) => Some(HeadNorms { q, k }),
            _ => None,
        };
        Ok(Layer {
            input_norm: norm(self, "input_layernorm.weight")?,
            q: linear(self, "self_attn.q_proj")?,
            k: linear(self, "self_attn.k_proj")?,
            v: linear(self, "self_attn.v_proj")?,
            o: linear(self, "self_attn.o_proj")?,
            head_norms,
            post_attention_norm: norm(self, "post_attention_layernorm.weight")?,
            gate: linear(self, "mlp.gate_proj")?,
            up: linear(self, "mlp.up_proj")?,
            down: linear(self, "mlp.down_proj")?,
        })
    }
}

/// The adapter of a module, where the method gives it one.
fn adapter(method: &Method, module: &str, weight: &Parameter) -> Option<Adapter> {
    let Method::Lora(LoraOptions {
        rank,
        alpha,
        dropout,
        target_modules,
        random_seed,
        ..
    }) = method
    else {
        return None;
    };
    let last = module.rsplit('.').next()?;
    if !target_modules.iter().any(|target| target == last) {
        return None;
    }
    let [output, input] = weight.shape() else {
        return None;
    };
    let scale = alpha / *rank as f32;
    Some(Adapter::new(
        module,
        [*output, *input],
        *rank,
        scale,
        *dropout,
        *random_seed,
    ))
}

fn format(base: BaseFormat) -> Format {
    match base {
        BaseFormat::F32 => Format::F32,
        BaseFormat::Bf16 => Format::Bf16,
        BaseFormat::Q8 => Format::Q8,
        BaseFormat::Nf4 => Format::Nf4,
    }
}
