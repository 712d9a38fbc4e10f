//! Hugging Face config.json, safetensors and GGUF files.

pub mod gguf;
