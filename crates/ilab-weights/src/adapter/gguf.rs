//! llama.cpp's layout: a GGUF file that is loaded beside the model's.
//!
//! # Source
//! `llama_adapter_lora_init_impl` in `llama-adapter.cpp` reads it, `convert_lora_to_gguf.py` of llama.cpp writes it. The scale
//! there is `adapter.lora.alpha` over the rank.

use std::path::Path;

use super::{Adapter, AdapterError, LoraModule};
use crate::config::ModelConfig;
use crate::gguf::{GgufWriter, Metadata, TensorInfo, TensorSink, TensorType, Value};
use crate::gguf_layout::{HeadRows, architecture, head_rows};
use crate::tensor_names::to_gguf;

/// One of the two matrices of a module.
enum Side {
    A,
    B,
}

/// Writes an adapter as a GGUF file of F32 matrices for a model of this configuration.
///
/// # Errors
/// A layer that llama.cpp does not have, or the operating system's.
pub fn write_gguf(
    path: &Path,
    adapter: &Adapter,
    config: &ModelConfig,
    name: &str,
) -> Result<(), AdapterError> {
    let model = architecture(&config.model_type);
    let alpha = adapter.config.scale(adapter.config.r) * adapter.config.r as f32;
    let mut metadata = Metadata::new();
    metadata.insert("general.architecture", model);
    metadata.insert("general.type", "adapter");
    metadata.insert("general.name", name);
    metadata.insert("adapter.type", "lora");
    metadata.insert("adapter.lora.alpha", Value::F32(alpha));
    metadata.insert("general.file_type", Value::U32(0));
    metadata.insert("general.quantization_version", Value::U32(2));

    let mut writer = GgufWriter::new(metadata);
    let mut planned = Vec::with_capacity(2 * adapter.modules.len());
    for module in &adapter.modules {
        let weight = format!("{}.weight", module.name);
        let weight = to_gguf(&weight).ok_or_else(|| AdapterError::UnknownTensor {
            path: path.to_owned(),
            tensor: weight,
        })?;
        let (rank, n_inputs) = (module.rank as u64, module.n_inputs as u64);
        for (side, suffix, dimensions) in [
            (Side::A, "lora_a", [n_inputs, rank]),
            (Side::B, "lora_b", [rank, module.n_outputs as u64]),
        ] {
            let name = format!("{weight}.{suffix}");
            writer.push(TensorInfo::new(name, &dimensions, TensorType::F32));
            planned.push((module, side));
        }
    }
    let mut planned = planned.iter();
    writer.write(path, |_, sink| {
        // The writer asks for tensors in the order in which it was told of them.
        let Some((module, side)) = planned.next() else {
            return Ok(());
        };
        match side {
            Side::A => write_values(sink, &module.a, 1.0),
            Side::B => {
                let rows = head_rows(model, &module.name, config.head_dim());
                // 1, except where modules have ranks of their own and the scale is rank-stabilised.
                let factor = adapter.scale(module) * module.rank as f32 / alpha;
                write_rows(sink, module, rows, factor)
            }
        }
    })
}

/// B's rows are the layer's outputs, so they follow the order of the frozen matrix.
fn write_rows(
    sink: &mut TensorSink<'_>,
    module: &LoraModule,
    rows: HeadRows,
    factor: f32,
) -> Result<(), AdapterError> {
    for row in 0..module.n_outputs {
        let begin = rows.hugging_face_row(row) * module.rank;
        write_values(sink, &module.b[begin..begin + module.rank], factor)?;
    }
    Ok(())
}

fn write_values(
    sink: &mut TensorSink<'_>,
    values: &[f32],
    factor: f32,
) -> Result<(), AdapterError> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| (value * factor).to_le_bytes())
        .collect();
    Ok(sink.write(&bytes)?)
}
