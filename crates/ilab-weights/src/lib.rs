//! Hugging Face config.json, safetensors, PyTorch and GGUF files, and LoRA adapters.

pub mod adapter;
pub mod checkpoint;
pub mod config;
pub mod file_name;
pub mod gguf;
pub mod gguf_layout;
pub mod gguf_model;
pub mod importance;
mod npy;
pub mod pre_tokenizer;
pub mod pytorch;
pub mod safetensors;
pub mod tensor_names;
mod zip;
