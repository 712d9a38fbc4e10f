//! Hugging Face config.json, safetensors and GGUF files.

pub mod gguf;

pub mod config;
pub mod safetensors;
pub mod tensor_file;
pub mod tensor_names;
