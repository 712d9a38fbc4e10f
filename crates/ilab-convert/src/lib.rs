//! Hugging Face checkpoints to GGUF, streamed tensor by tensor.
//!
//! [`convert`] reads a model folder (config.json, safetensors, tokenizer.json, tokenizer_config.json) and writes one
//! file that llama.cpp runs. Everything is planned and checked before the first byte is written, the file appears only
//! when it is complete, and the source is never touched. Names, keys and layouts are those of llama.cpp's own converter;
//! where we differ, the place says so.
//!
//! Not here: k-quants (`llama_model_quantize` does them from an F16 or F32 file) and LoRA.

mod convert;
mod encode;
mod error;
mod hyperparameters;
mod lossless;
mod model;
mod output_type;
mod plan;
mod vocabulary;

pub use convert::{Converted, Step, check, convert, convert_source};
pub use error::ConvertError;
pub use lossless::lossless_type;
pub use model::Source;
pub use output_type::OutputType;
