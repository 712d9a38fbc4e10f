//! The learning rate over the steps.

use std::f64::consts::PI;

use serde::Serialize;

/// How the learning rate falls after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Decay {
    /// Half a cosine, to zero.
    Cosine,
    /// A straight line, to zero.
    Linear,
    /// Not at all.
    Constant,
}

/// Linear warm-up, then a fall from the peak.
///
/// # Source
/// `get_{cosine,linear,constant}_schedule_with_warmup` of transformers 4.57, which start their warm-up at zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRate {
    /// Highest learning rate.
    pub peak: f64,
    /// How it falls.
    pub decay: Decay,
    /// Steps over which it rises.
    pub n_warmup_steps: u64,
    /// Steps in all.
    pub n_steps: u64,
}

impl LearningRate {
    /// The learning rate of a step, counted from 0. The first step of a warm-up of `w` steps learns at `peak / w`: at zero
    /// it would be wasted.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.n_warmup_steps {
            return self.peak * (step + 1) as f64 / self.n_warmup_steps as f64;
        }
        let length = self.n_steps.saturating_sub(self.n_warmup_steps).max(1) as f64;
        let progress = ((step - self.n_warmup_steps) as f64 / length).min(1.0);
        self.peak
            * match self.decay {
                Decay::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
                Decay::Linear => 1.0 - progress,
                Decay::Constant => 1.0,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls() {
        let of = |decay, n_warmup_steps| LearningRate {
            peak: 1.0,
            decay,
            n_warmup_steps,
            n_steps: 6,
        };
        let rates = |decay| -> Vec<f64> {
            (0..7)
                .map(|step| (of(decay, 2).at(step) * 1e4).round() / 1e4)
                .collect()
        };
        assert_eq!(
            rates(Decay::Cosine),
            [0.5, 1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0]
        );
        assert_eq!(rates(Decay::Linear), [0.5, 1.0, 1.0, 0.75, 0.5, 0.25, 0.0]);
        assert_eq!(rates(Decay::Constant), [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(of(Decay::Cosine, 0).at(0), 1.0);
    }
}
