//! The learning rate over the steps.

use std::f64::consts::PI;

/// Linear warm-up, then a cosine from the peak to zero at the end.
///
/// # Source
/// `get_cosine_schedule_with_warmup` of transformers 4.57, which starts its warm-up at zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineSchedule {
    /// Highest learning rate.
    pub peak: f64,
    /// Steps over which it rises.
    pub n_warmup_steps: u64,
    /// Steps in all.
    pub n_steps: u64,
}

impl CosineSchedule {
    /// The learning rate of a step, counted from 0. The first step of a warm-up of `w` steps learns at `peak / w`: at zero
    /// it would be wasted.
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.n_warmup_steps {
            return self.peak * (step + 1) as f64 / self.n_warmup_steps as f64;
        }
        let length = self.n_steps.saturating_sub(self.n_warmup_steps).max(1) as f64;
        let progress = ((step - self.n_warmup_steps) as f64 / length).min(1.0);
        self.peak * 0.5 * (1.0 + (PI * progress).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls() {
        let schedule = CosineSchedule {
            peak: 1.0,
            n_warmup_steps: 2,
            n_steps: 6,
        };
        let rates: Vec<f64> = (0..7)
            .map(|step| (schedule.lr(step) * 1e4).round() / 1e4)
            .collect();
        assert_eq!(rates, [0.5, 1.0, 1.0, 0.8536, 0.5, 0.1464, 0.0]);
        assert_eq!(
            CosineSchedule {
                peak: 1.0,
                n_warmup_steps: 0,
                n_steps: 1
            }
            .lr(0),
            1.0
        );
    }
}
