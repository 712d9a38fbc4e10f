//! What a run will take, before it starts: memory, disk and arithmetic, from sizes alone.

use ilab_kernels::cross_entropy::rows_per_chunk;
use ilab_kernels::matmul::Precision;
use ilab_weights::config::{ModelConfig, model_tensors};
use serde::Serialize;

use crate::layer::Keep;
use crate::method::{BaseFormat, LoraOptions, Method};
use crate::optimiser::OptimiserKind;

/// A run, as far as its cost goes.
#[derive(Debug, Clone)]
pub struct Workload<'a> {
    /// The model.
    pub config: &'a ModelConfig,
    /// What of it is trained.
    pub method: &'a Method,
    /// Who updates it.
    pub optimiser: OptimiserKind,
    /// How it multiplies.
    pub precision: Precision,
    /// What is kept of the forward pass.
    pub keep: Keep,
    /// Tokens of the largest batch.
    pub batch_tokens: usize,
    /// Learned tokens of that batch at most.
    pub batch_learned: usize,
    /// Tokens of all samples, each counted once.
    pub epoch_tokens: usize,
    /// Those of them that are learned.
    pub epoch_learned: usize,
    /// Passes over the data.
    pub num_epochs: usize,
}

/// Memory at the peak, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Weights as they are kept, adapters included.
    pub weights: u64,
    /// One number for each trained weight.
    pub gradients: u64,
    /// What the optimiser remembers.
    pub optimiser: u64,
    /// What the forward pass leaves for the backward pass.
    pub activations: u64,
    /// Intermediate results, packed factors and logits.
    pub buffers: u64,
    /// The program, its tokenizer and the data.
    pub program: u64,
}

impl Memory {
    /// All of it.
    pub fn total(&self) -> u64 {
        let Self {
            weights,
            gradients,
            optimiser,
            activations,
            buffers,
            program,
        } = self;
        weights + gradients + optimiser + activations + buffers + program
    }
}

/// The program itself with a tokenizer, before a model is read.
const PROGRAM_BYTES: u64 = 60 << 20;
/// A token of the data set: its id and whether it is learned.
const TOKEN_BYTES: u64 = 5;

/// Sizes that everything follows from.
struct Sizes {
    c: u64,
    queries: u64,
    keys: u64,
    feed_forward: u64,
    vocabulary: u64,
    n_layers: u64,
}

impl Sizes {
    fn of(config: &ModelConfig) -> Self {
        let size = |value: usize| value as u64;
        Self {
            c: size(config.hidden_size),
            queries: size(config.num_attention_heads * config.head_dim()),
            keys: size(config.n_kv_heads() * config.head_dim()),
            feed_forward: size(config.intermediate_size),
            vocabulary: size(config.vocab_size),
            n_layers: size(config.num_hidden_layers),
        }
    }

    /// Input and output of the linear layers of one decoder layer.
    fn linears(&self) -> [(&'static str, u64, u64); 7] {
        let Self {
            c,
            queries,
            keys,
            feed_forward,
            ..
        } = *self;
        [
            ("q_proj", c, queries),
            ("k_proj", c, keys),
            ("v_proj", c, keys),
            ("o_proj", queries, c),
            ("gate_proj", c, feed_forward),
            ("up_proj", c, feed_forward),
            ("down_proj", feed_forward, c),
        ]
    }

    /// Weights of the linear layers of one decoder layer.
    fn linear_weights(&self) -> u64 {
        self.linears()
            .iter()
            .map(|(_, input, output)| input * output)
            .sum()
    }
}

/// Rank, and inputs and outputs of all layers that have an adapter together.
fn adapter_weights(sizes: &Sizes, options: &LoraOptions) -> u64 {
    let of_layer: u64 = sizes
        .linears()
        .iter()
        .filter(|(name, ..)| options.target_modules.iter().any(|target| target == name))
        .map(|(_, input, output)| options.rank as u64 * (input + output))
        .sum();
    of_layer * sizes.n_layers
}

impl Workload<'_> {
    /// How many numbers the model consists of, without adapters.
    pub fn n_parameters(&self) -> u64 {
        let tensors = model_tensors(self.config).into_iter();
        tensors
            .map(|(_, shape)| shape.iter().product::<usize>() as u64)
            .sum()
    }

    /// How many numbers are trained.
    pub fn n_trained(&self) -> u64 {
        match self.method {
            Method::Full => self.n_parameters(),
            Method::Lora(options) => adapter_weights(&Sizes::of(self.config), options),
        }
    }

    /// The peak of memory.
    pub fn memory(&self) -> Memory {
        let trained = self.n_trained();
        let weights = match self.method {
            Method::Full => 4 * self.n_parameters(),
            Method::Lora(options) => 4 * trained + self.frozen_bytes(options.base),
        };
        Memory {
            weights,
            gradients: 4 * trained,
            optimiser: self.optimiser_bytes(),
            activations: self.activation_bytes(),
            buffers: self.buffer_bytes(),
            program: PROGRAM_BYTES + TOKEN_BYTES * self.epoch_tokens as u64,
        }
    }

    fn frozen_bytes(&self, base: BaseFormat) -> u64 {
        let tensors = model_tensors(self.config).into_iter();
        tensors
            .map(|(_, shape)| {
                let n = shape.iter().product::<usize>() as u64;
                match (shape.as_slice(), base) {
                    ([rows, columns], BaseFormat::Q8) => 34 * (rows * columns.div_ceil(32)) as u64,
                    ([rows, columns], BaseFormat::Nf4) => 34 * (rows * columns.div_ceil(64)) as u64,
                    ([_, _], BaseFormat::Bf16) => 2 * n,
                    _ => 4 * n,
                }
            })
            .sum()
    }

    fn optimiser_bytes(&self) -> u64 {
        match self.optimiser {
            OptimiserKind::AdamW => 8 * self.n_trained(),
            OptimiserKind::AdamW8Bit => 2 * self.n_trained() + self.n_trained() / 32,
            // Rows and columns are little beside the matrices.
            OptimiserKind::Adafactor => self.n_trained() / 100,
            OptimiserKind::Muon => 8 * self.n_trained(),
        }
    }

    /// Bytes of a number that the backward pass reads as a factor.
    fn kept_bytes(&self) -> u64 {
        match self.precision {
            Precision::F32 => 4,
            Precision::Bf16 => 2,
        }
    }

    fn activation_bytes(&self) -> u64 {
        let Sizes {
            c,
            queries,
            keys,
            feed_forward,
            n_layers,
            ..
        } = Sizes::of(self.config);
        let kept = self.kept_bytes();
        let all = 8 * c + kept * (2 * queries + 2 * keys + 2 * feed_forward);
        let tokens = self.batch_tokens as u64;
        match self.keep {
            Keep::Activations => tokens * n_layers * all,
            Keep::Input => tokens * (n_layers * 4 * c + all),
        }
    }

    /// What [`crate::workspace`] holds at its peak, and the packed factors and logits of the kernels.
    fn buffer_bytes(&self) -> u64 {
        let Sizes {
            c,
            queries,
            keys,
            feed_forward,
            vocabulary,
            ..
        } = Sizes::of(self.config);
        let tokens = self.batch_tokens as u64;
        let stream = 4 * tokens * (4 * c + 2 * queries + 2 * keys + 4 * feed_forward);
        // The gradient of the largest weight has its factor's transpose packed in bf16. Every thread that packed or held logits
        // once keeps its memory for the next time.
        let widest = feed_forward.max(queries).max(c);
        let packed = 3 * self.kept_bytes() * tokens * widest;
        let rows = rows_per_chunk(self.config.vocab_size).min(self.batch_learned) as u64;
        let logits = 2 * rows * vocabulary * (4 + self.kept_bytes());
        let head = logits + 4 * c * (tokens + 2 * rows);
        stream + packed + head
    }

    /// Multiplications and additions of the whole run.
    pub fn flops(&self) -> f64 {
        let sizes = Sizes::of(self.config);
        let layers = (sizes.linear_weights() * sizes.n_layers) as f64;
        let head = (sizes.vocabulary * sizes.c) as f64;
        // Forward, gradient of the input, and of the weight where it is trained.
        let products = match self.method {
            Method::Full => 3.0,
            Method::Lora(_) => 2.0,
        };
        let again = match self.keep {
            Keep::Activations => 0.0,
            Keep::Input => 1.0,
        };
        let adapters = match self.method {
            Method::Full => 0.0,
            Method::Lora(options) => 3.0 * adapter_weights(&sizes, options) as f64,
        };
        let of_token = layers * (products + again) + adapters;
        let epoch = 2.0 * of_token * self.epoch_tokens as f64
            + 2.0 * products * head * self.epoch_learned as f64;
        epoch * self.num_epochs as f64
    }
}

/// What a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saving {
    /// Checkpoints that are there at once, with the one that is being written.
    pub n_checkpoints: u64,
    /// Whether GGUF files are written: with each checkpoint, or once with an adapter merged into its model.
    pub writes_gguf: bool,
    /// Whether one of them is quantised.
    pub quantises: bool,
    /// Whether the whole model is written once more in F16.
    pub has_final_copy: bool,
    /// Whether the state of the run is kept.
    pub keeps_state: bool,
}

/// Bytes on the disk at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Weights or adapters, and the GGUF files that each has.
    pub checkpoints: u64,
    /// GGUF files that are written once.
    pub merged: u64,
    /// The state of the run, twice while it is replaced.
    pub state: u64,
}

impl Disk {
    /// All of it.
    pub fn total(&self) -> u64 {
        self.checkpoints + self.merged + self.state
    }
}

impl Workload<'_> {
    /// What checkpoints and the state of the run take on the disk.
    pub fn disk(&self, saving: Saving) -> Disk {
        let parameters = self.n_parameters();
        // Some 4.85 bits a weight.
        let quantised = u64::from(saving.quantises) * parameters * 485 / 800;
        let gguf = |bytes_a_weight: u64| match saving.writes_gguf {
            true => bytes_a_weight * parameters + quantised,
            false => 0,
        };
        let (of_each, once) = match self.method {
            Method::Full => (gguf(4), 0),
            Method::Lora(_) => (0, gguf(2)),
        };
        let state = 2 * (4 * self.n_trained() + self.optimiser_bytes());
        Disk {
            checkpoints: saving.n_checkpoints * (4 * self.n_trained() + of_each),
            merged: once + u64::from(saving.has_final_copy) * 2 * parameters,
            state: u64::from(saving.keeps_state) * state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// MiB at the peak of trainings of 134 M parameters (12 layers, 768 wide, 32,000 tokens) on batches of 2,048 tokens: what
    /// Linux tells as VmHWM. The figures and how they were taken stand in docs/LOG.md.
    #[test]
    fn the_planned_peak_is_near_the_measured_one() {
        let config: ModelConfig = serde_json::from_value(json!({
            "model_type": "llama", "vocab_size": 32_000, "hidden_size": 768, "intermediate_size": 2048,
            "num_hidden_layers": 12, "num_attention_heads": 12, "num_key_value_heads": 12
        }))
        .unwrap();
        let lora = |base| Method::Lora(LoraOptions::new(8, base));
        let (adamw, eight_bit) = (OptimiserKind::AdamW, OptimiserKind::AdamW8Bit);
        let kept = Keep::Activations;
        for (method, optimiser, keep, learned, measured) in [
            (Method::Full, adamw, kept, 2048, 3130.0),
            (Method::Full, adamw, Keep::Input, 2048, 2595.0),
            (Method::Full, adamw, kept, 448, 3122.0),
            (Method::Full, eight_bit, Keep::Input, 448, 1752.0),
            (lora(BaseFormat::Bf16), adamw, kept, 448, 1183.0),
            (lora(BaseFormat::Nf4), adamw, kept, 448, 988.0),
        ] {
            let workload = Workload {
                config: &config,
                method: &method,
                optimiser,
                precision: Precision::Bf16,
                keep,
                batch_tokens: 2048,
                batch_learned: learned,
                epoch_tokens: 4096,
                epoch_learned: learned,
                num_epochs: 2,
            };
            let planned = workload.memory().total() as f64 / f64::from(1 << 20);
            let ratio = planned / measured;
            assert!(
                (0.85..1.15).contains(&ratio),
                "{method:?}: {planned:.0} of {measured}"
            );
        }
    }
}
