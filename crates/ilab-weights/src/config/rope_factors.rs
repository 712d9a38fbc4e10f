//! llama3 rope scaling: the factor by which each rotary frequency is divided.

use std::path::Path;

use super::{ConfigError, ModelConfig};

impl ModelConfig {
    /// One factor for each pair of a head's dimensions; `None` where frequencies are not scaled. `path` is named where a key is
    /// missing.
    ///
    /// # Source
    /// `_compute_llama3_parameters` of `modeling_rope_utils.py`, transformers 4.57, in single precision as there: short
    /// wavelengths stay, long ones are divided by `factor`, those between are blended.
    ///
    /// # Errors
    /// A key of `rope_scaling` that is absent or not positive.
    pub fn llama3_factors(&self, path: &Path) -> Result<Option<Vec<f32>>, ConfigError> {
        let Some(scaling) = self
            .rope_scaling
            .as_ref()
            .filter(|scaling| scaling.rope_type() == "llama3")
        else {
            return Ok(None);
        };
        let positive = |key, value: Option<f64>| match value {
            Some(value) if value.is_finite() && value > 0.0 => Ok(value as f32),
            value => Err(ConfigError::Invalid {
                path: path.to_owned(),
                key,
                value: value.map_or_else(|| "missing".to_owned(), |value| value.to_string()),
                expected: "a positive number for llama3 scaling".to_owned(),
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
        let head_dim = self.head_dim();
        let factors = (0..head_dim / 2).map(|pair| {
            let exponent = (2 * pair) as f32 / head_dim as f32;
            let frequency = 1.0 / (self.rope_theta as f32).powf(exponent);
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
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn config(original_context: serde_json::Value) -> ModelConfig {
        serde_json::from_value(json!({
            "model_type": "llama", "vocab_size": 8, "hidden_size": 64, "intermediate_size": 8,
            "num_hidden_layers": 1, "num_attention_heads": 4, "head_dim": 32, "rope_theta": 500000.0,
            "rope_scaling": {
                "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": original_context
            }
        }))
        .unwrap()
    }

    /// The unscaled frequencies over those of `ROPE_INIT_FUNCTIONS["llama3"]`, transformers 4.57.6.
    #[test]
    fn factors_are_those_of_transformers() {
        let factors = config(json!(64))
            .llama3_factors(Path::new("config.json"))
            .unwrap();
        let expected = [
            1.0,
            1.0,
            2.442_259_6,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0,
            8.0_f32,
        ];
        let factors = factors.unwrap();
        assert_eq!(factors.len(), expected.len());
        for (factor, expected) in factors.iter().zip(expected) {
            let is_close = (factor - expected).abs() <= 4.0 * f32::EPSILON * expected;
            assert!(is_close, "{factor} and {expected}");
        }
    }

    #[test]
    fn a_missing_key_is_named() {
        let result = config(json!(null)).llama3_factors(Path::new("config.json"));
        assert!(matches!(
            result,
            Err(ConfigError::Invalid {
                key: "original_max_position_embeddings",
                ..
            })
        ));
    }
}
