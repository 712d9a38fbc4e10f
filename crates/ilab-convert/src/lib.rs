//! Models to GGUF or to Hugging Face folders, streamed tensor by tensor, with adapters merged on the way.
//!
//! [`convert`] reads a model folder (config.json, weights, tokenizer.json, tokenizer_config.json) or a GGUF file and writes one
//! file that llama.cpp runs. Everything is planned and checked before the first byte is written, the file appears only
//! when it is complete, and the source is never touched. Names, keys and layouts are those of llama.cpp's own converter;
//! where we differ, the place says so.
//!
//! Not here: k-quants (`llama_model_quantize` does them from an F16 or F32 file), and the reading and writing of adapters
//! ([`ilab_weights::adapter`]).

mod convert;
mod encode;
mod error;
mod hyperparameters;
mod lossless;
mod merge;
mod model;
mod output_type;
mod plan;
mod vocabulary;

pub use convert::{Converted, Step, check, convert, convert_source};
pub use error::ConvertError;
pub use lossless::lossless_type;
pub use merge::write_folder;
pub use model::Source;
pub use output_type::OutputType;
