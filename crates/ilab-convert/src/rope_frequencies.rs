//! llama3 rope scaling: the factor by which each rotary frequency is divided.

use std::path::Path;

use ilab_weights::config::ModelConfig;

use crate::error::ConvertError;

/// One factor for each pair of a head's dimensions; `None` where frequencies are not scaled.
///
/// # Source
/// `_compute_llama3_parameters` of `modeling_rope_utils.py`, transformers 4.57, in single precision as there: short
/// wavelengths stay, long ones are divided by `factor`, those between are blended.
pub(crate) fn llama3_factors(
    config: &ModelConfig,
    path: &Path,
) -> Result<Option<Vec<f32>>, ConvertError> {
    let Some(scaling) = config
        .rope_scaling
        .as_ref()
        .filter(|scaling| scaling.rope_type == "llama3")
    else {
        return Ok(None);
    };
    let positive = |key, value: Option<f64>| match value {
        Some(value) if value.is_finite() && value > 0.0 => Ok(value as f32),
        _ => Err(ConvertError::RopeScaling {
            path: path.to_owned(),
            key,
        }),
    };
    let factor = positive("factor", scaling.factor)?;
    let low = positive("low_freq_factor", scaling.low_freq_factor)?;
    let high = positive("high_freq_factor", scaling.high_freq_factor)?;
    let context = positive(
        "original_max_position_embeddings",
        scaling
            .original_max_position_embeddings
            .map(|length| length as f64),
    )?;
    let head_dim = config.head_dim();
    let factors = (0..head_dim / 2).map(|pair| {
        let exponent = (2 * pair) as f32 / head_dim as f32;
        let frequency = 1.0 / (config.rope_theta as f32).powf(exponent);
        let wavelength = std::f32::consts::TAU / frequency;
        if wavelength < context / high {
            1.0
        } else if wavelength > context / low {
            factor
        } else {
            let smooth = (context / wavelength - low) / (high - low);
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    });
    Ok(Some(factors.collect()))
}
