//! How the files of a model folder are called.

/// The description of a PEFT adapter.
pub const ADAPTER_CONFIG: &str = "adapter_config.json";
/// The matrices of a PEFT adapter.
pub const ADAPTER_MODEL: &str = "adapter_model.safetensors";
/// The matrices of a PEFT adapter as older versions wrote them.
pub const ADAPTER_MODEL_TORCH: &str = "adapter_model.bin";
/// An adapter of MLX.
pub const MLX_ADAPTER: &str = "adapters.npz";
