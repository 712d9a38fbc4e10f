//! Hugging Face config.json, safetensors, PyTorch and GGUF files, and LoRA adapters.

pub mod gguf;

pub mod config;
pub mod file_name;
pub mod gguf_layout;
pub mod tensor_names;

mod npy;
pub mod pre_tokenizer;
mod zip;

pub mod adapter;
pub mod checkpoint;
pub mod gguf_model;
pub mod importance;
pub mod pytorch;
pub mod safetensors;
