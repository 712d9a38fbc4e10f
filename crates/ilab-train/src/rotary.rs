//! How fast each pair of elements of a head turns.

use ilab_weights::config::{ModelConfig, RopeScaling};

/// Rotary frequencies, in radians a position, one for each pair of elements of a head.
pub(crate) fn rope_frequencies(config: &ModelConfig) -> Vec<f32> {
    let width = config.head_dim();
    (0..width / 2)
        .map(|pair| {
            let frequency = config.rope_theta.powf(-2.0 * pair as f64 / width as f64);
            let scaled = match &config.rope_scaling {
                Some(scaling) if scaling.rope_type() == "llama3" => {
                    llama3_frequency(frequency, scaling)
                }
                _ => frequency,
            };
            #[allow(clippy::cast_possible_truncation)]
            let frequency = scaled as f32;
            frequency
        })
        .collect()
}

/// Slow rotations are stretched by `factor`, fast ones kept, those between blended.
///
/// # Source
/// `_compute_llama3_parameters`:
/// <https://github.com/huggingface/transformers/blob/v4.57.1/src/transformers/modeling_rope_utils.py>
fn llama3_frequency(frequency: f64, scaling: &RopeScaling) -> f64 {
    let factor = scaling.factor.unwrap_or(8.0);
    let (low, high) = (
        scaling.low_freq_factor.unwrap_or(1.0),
        scaling.high_freq_factor.unwrap_or(4.0),
    );
    let context = scaling.original_max_position_embeddings.unwrap_or(8192) as f64;
    let turns = context * frequency / (2.0 * std::f64::consts::PI);
    if turns < low {
        frequency / factor
    } else if turns > high {
        frequency
    } else {
        let smooth = (turns - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}
