//! The smallest type that keeps every weight as it is.

use std::path::Path;

use ilab_weights::checkpoint::{Checkpoint, Encoding};
use ilab_weights::config::ModelConfig;

use crate::error::ConvertError;
use crate::output_type::OutputType;

/// What to write before a further step quantizes: the checkpoint's own type, or F32 where it mixes types.
///
/// # Errors
/// The configuration or the checkpoint cannot be used.
pub fn lossless_type(folder: &Path) -> Result<OutputType, ConvertError> {
    // Of a folder that is no model at all, the missing configuration says more than the missing weights.
    ModelConfig::from_dir(folder)?;
    let checkpoint = Checkpoint::open(folder)?;
    let mut encodings = Vec::new();
    for name in checkpoint.names() {
        let tensor = checkpoint.tensor(name)?;
        // Vectors become F32 in any case.
        if tensor.shape().len() == 2 && !encodings.contains(&tensor.encoding()) {
            encodings.push(tensor.encoding());
        }
    }
    Ok(match encodings.as_slice() {
        [Encoding::Bf16] => OutputType::Bf16,
        [Encoding::F16] => OutputType::F16,
        _ => OutputType::F32,
    })
}
