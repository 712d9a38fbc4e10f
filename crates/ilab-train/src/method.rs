//! What of a model is trained, and how the rest is kept.

use serde::Serialize;

/// What of a model is trained.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Method {
    /// Every weight.
    Full,
    /// Adapters beside some of the linear layers.
    Lora(LoraOptions),
}

/// Adapters and the frozen base under them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoraOptions {
    /// `r`, the width of an adapter; at least 1.
    pub rank: usize,
    /// `α`: an adapter counts `α / r`.
    pub alpha: f32,
    /// The share of an adapter's input that is left out at random, in [0, 1).
    pub dropout: f32,
    /// The last parts of the names of the linear layers that have an adapter, such as `q_proj`.
    pub target_modules: Vec<String>,
    /// How the base is kept.
    pub base: BaseFormat,
    /// Seed of the adapters' first values.
    pub random_seed: u64,
}

/// The linear layers that have an adapter unless others are named: those of attention.
const DEFAULT_TARGETS: [&str; 4] = ["q_proj", "k_proj", "v_proj", "o_proj"];

impl LoraOptions {
    /// Adapters of a rank with the original's defaults: `α` 32, dropout 0.1, beside the layers of attention.
    pub fn new(rank: usize, base: BaseFormat) -> Self {
        Self {
            rank,
            alpha: 32.0,
            dropout: 0.1,
            target_modules: DEFAULT_TARGETS.map(str::to_owned).to_vec(),
            base,
            random_seed: 0,
        }
    }
}

/// In which form a frozen base is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum BaseFormat {
    /// 4 bytes a weight.
    F32,
    /// 2 bytes a weight.
    Bf16,
    /// 8-bit blocks: about 1.06 bytes a weight.
    Q8,
    /// 4-bit blocks of the NF4 code (QLoRA): about 0.53 bytes a weight.
    Nf4,
}

/// The linear layers of the supported architectures that can have an adapter.
pub const LINEAR_MODULES: [&str; 7] = [
    "q_proj",
    "k_proj",
    "v_proj",
    "o_proj",
    "gate_proj",
    "up_proj",
    "down_proj",
];
