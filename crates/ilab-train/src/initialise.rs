//! Random weights for a model that is trained from scratch.

use ilab_base::seed;
use ilab_weights::config::ModelConfig;
use rand::RngExt;

use crate::error::TrainError;
use crate::method::Method;
use crate::model::Model;

/// A model of random weights: normal with standard deviation 0.02, the projections back into the residual stream scaled
/// down by `√(2 · layers)`, norms at one.
///
/// # Source
/// Radford et al. 2019, section 2.3 (the scaling of residual projections); 0.02 is `initializer_range` of transformers.
///
/// # Errors
/// Sizes that do not fit into memory.
pub fn random(
    config: ModelConfig,
    method: Method,
    max_seq_len: usize,
    seed: u64,
) -> Result<Model, TrainError> {
    let residual = 1.0 / (2.0 * config.num_hidden_layers as f32).sqrt();
    Model::new(config, method, max_seq_len, |name, shape| {
        let n: usize = shape.iter().product();
        if shape.len() == 1 {
            return Ok(vec![1.0; n]);
        }
        let is_residual = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
        let deviation = if is_residual { 0.02 * residual } else { 0.02 };
        let mut rng = seed::rng(seed, name);
        Ok((0..n).map(|_| deviation * normal(&mut rng)).collect())
    })
}

/// A standard normal number (Box and Muller 1958).
fn normal(rng: &mut seed::Rng) -> f32 {
    let (radius, angle): (f32, f32) = (
        rng.random_range(f32::MIN_POSITIVE..1.0),
        rng.random_range(0.0..1.0),
    );
    (-2.0 * radius.ln()).sqrt() * (2.0 * std::f32::consts::PI * angle).cos()
}
