//! Rows of a tensor, from the type they are stored in to the type they are written in.

use half::{bf16, f16};
use ilab_weights::adapter::{Adapter, LoraModule};
use ilab_weights::checkpoint::Checkpoint;
use ilab_weights::gguf::{TensorSink, TensorType, q8_0};

use crate::error::ConvertError;
use crate::plan::{PlannedTensor, Source};

/// About how many bytes are encoded before they are handed on.
const CHUNK_BYTES: usize = 1 << 20;

/// Writes one tensor; a row at a time is in memory, and the chunk that is being filled.
pub(crate) fn write_tensor(
    tensor: &PlannedTensor,
    checkpoint: &Checkpoint,
    adapter: Option<&Adapter>,
    sink: &mut TensorSink<'_>,
) -> Result<(), ConvertError> {
    let tensor_type = tensor.info.tensor_type;
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    let (name, rows) = match &tensor.source {
        Source::Values(values) => {
            encode(values, tensor_type, &mut chunk);
            return Ok(sink.write(&chunk)?);
        }
        Source::Tensor { name, rows } => (name, rows),
    };
    let stored = checkpoint.tensor(name)?;
    let module = adapter.and_then(|adapter| adapting(adapter, name));
    let mut values = Vec::with_capacity(stored.n_columns());
    for row in 0..stored.n_rows() {
        let row = rows.hugging_face_row(row);
        values.clear();
        stored.append_row(row, &mut values)?;
        if let Some((module, scale)) = module {
            module.add_row(scale, row, &mut values);
        }
        encode(&values, tensor_type, &mut chunk);
        if chunk.len() >= CHUNK_BYTES {
            sink.write(&chunk)?;
            chunk.clear();
        }
    }
    Ok(sink.write(&chunk)?)
}

/// What an adapter does to a tensor, and its scale.
pub(crate) fn adapting<'a>(adapter: &'a Adapter, tensor: &str) -> Option<(&'a LoraModule, f32)> {
    let module = adapter.module(tensor.strip_suffix(".weight")?)?;
    Some((module, adapter.scale(module)))
}

/// Appends values in a type that [`OutputType`](crate::output_type::OutputType) chooses.
fn encode(values: &[f32], tensor_type: TensorType, bytes: &mut Vec<u8>) {
    match tensor_type {
        TensorType::F16 => bytes.extend(
            values
                .iter()
                .flat_map(|value| f16::from_f32(*value).to_le_bytes()),
        ),
        TensorType::BF16 => bytes.extend(
            values
                .iter()
                .flat_map(|value| bf16::from_f32(*value).to_le_bytes()),
        ),
        TensorType::Q8_0 => q8_0::quantize(values, bytes),
        _ => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
    }
}
