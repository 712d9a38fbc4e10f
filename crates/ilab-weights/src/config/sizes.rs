//! Sizes that make a model: checked before anything is allocated from them.

use std::path::Path;

use super::{ConfigError, ModelConfig};

/// A key, its value in a configuration, and the most that is believed.
type Limit = (&'static str, fn(&ModelConfig) -> usize, usize);

/// Far above any model of this architecture; a larger number is a damaged file.
const LIMITS: [Limit; 8] = [
    ("vocab_size", |config| config.vocab_size, 1 << 24),
    ("hidden_size", |config| config.hidden_size, 1 << 20),
    (
        "intermediate_size",
        |config| config.intermediate_size,
        1 << 24,
    ),
    ("num_hidden_layers", |config| config.num_hidden_layers, 4096),
    (
        "num_attention_heads",
        |config| config.num_attention_heads,
        65_536,
    ),
    ("num_key_value_heads", ModelConfig::n_kv_heads, 65_536),
    ("head_dim", ModelConfig::head_dim, 65_536),
    (
        "max_position_embeddings",
        |config| config.max_position_embeddings,
        1 << 30,
    ),
];

/// Refuses sizes that are absurd or contradict each other.
pub(super) fn check(config: &ModelConfig, path: &Path) -> Result<(), ConfigError> {
    let invalid = |key, value: usize, expected: String| ConfigError::Invalid {
        path: path.to_owned(),
        key,
        value: value.to_string(),
        expected,
    };
    for (key, size, limit) in LIMITS {
        let value = size(config);
        if value == 0 || value > limit {
            return Err(invalid(key, value, format!("a number from 1 to {limit}")));
        }
    }
    if !config
        .num_attention_heads
        .is_multiple_of(config.n_kv_heads())
    {
        return Err(invalid(
            "num_key_value_heads",
            config.n_kv_heads(),
            "a divisor of num_attention_heads".to_owned(),
        ));
    }
    if !config.head_dim().is_multiple_of(2) {
        return Err(invalid(
            "head_dim",
            config.head_dim(),
            "an even number".to_owned(),
        ));
    }
    Ok(())
}
