//! AdamW in one pass over the weights.
//!
//! # Source
//! Loshchilov and Hutter 2019, algorithm 2, with the conventions of `torch.optim.AdamW` (decay scaled by the learning
//! rate, eps outside the root): <https://arxiv.org/abs/1711.05101>.

use rayon::prelude::*;

use crate::simd::widest;

/// Elements that one thread takes at a time.
const ELEMENTS_PER_TASK: usize = 1 << 15;

/// What does not change between steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay of the first moment, in [0, 1).
    pub beta1: f32,
    /// Decay of the second moment, in [0, 1).
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Weight decay a step, as a fraction of the learning rate.
    pub weight_decay: f32,
}

impl AdamW {
    /// One step: updates `weight` and both moments from `gradient · gradient_scale`. `step` counts from 1.
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn step(
        &self,
        weight: &mut [f32],
        first: &mut [f32],
        second: &mut [f32],
        gradient: &[f32],
        schedule: Schedule,
    ) {
        assert!(
            weight.len() == gradient.len()
                && first.len() == gradient.len()
                && second.len() == gradient.len(),
            "weight, moments and gradient differ in length"
        );
        let step = self.coefficients(schedule);
        weight
            .par_chunks_mut(ELEMENTS_PER_TASK)
            .zip(
                first
                    .par_chunks_mut(ELEMENTS_PER_TASK)
                    .zip(second.par_chunks_mut(ELEMENTS_PER_TASK)),
            )
            .zip(gradient.par_chunks(ELEMENTS_PER_TASK))
            .for_each(|((weight, (first, second)), gradient)| {
                widest(|| {
                    for (((weight, first), second), gradient) in
                        weight.iter_mut().zip(first).zip(second).zip(gradient)
                    {
                        step.apply(weight, first, second, *gradient);
                    }
                });
            });
    }

    /// The numbers of one step.
    pub(crate) fn coefficients(&self, schedule: Schedule) -> Coefficients {
        let Schedule {
            lr,
            gradient_scale,
            step,
        } = schedule;
        let exponent = i32::try_from(step).unwrap_or(i32::MAX);
        let first_correction = 1.0 - f64::from(self.beta1).powi(exponent);
        let second_correction = 1.0 - f64::from(self.beta2).powi(exponent);
        #[allow(clippy::cast_possible_truncation)]
        let (step_size, inverse_root) = (
            (f64::from(lr) / first_correction) as f32,
            (1.0 / second_correction.sqrt()) as f32,
        );
        Coefficients {
            beta1: self.beta1,
            beta2: self.beta2,
            eps: self.eps,
            step_size,
            inverse_root,
            keep: 1.0 - lr * self.weight_decay,
            gradient_scale,
        }
    }
}

/// What is computed once for all weights of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coefficients {
    beta1: f32,
    beta2: f32,
    eps: f32,
    step_size: f32,
    inverse_root: f32,
    keep: f32,
    gradient_scale: f32,
}

impl Coefficients {
    /// The step of one weight.
    #[inline(always)]
    pub(crate) fn apply(&self, weight: &mut f32, first: &mut f32, second: &mut f32, gradient: f32) {
        let gradient = gradient * self.gradient_scale;
        *first = self.beta1 * *first + (1.0 - self.beta1) * gradient;
        *second = self.beta2 * *second + (1.0 - self.beta2) * gradient * gradient;
        let denominator = second.sqrt() * self.inverse_root + self.eps;
        *weight = *weight * self.keep - self.step_size * *first / denominator;
    }
}

/// What changes at every step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// Learning rate.
    pub lr: f32,
    /// Factor on the gradient: below 1 when it is clipped.
    pub gradient_scale: f32,
    /// Steps taken, this one included.
    pub step: u64,
}

/// Sum of the squares, in f64 so that large models do not lose small gradients.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    let partial: Vec<f64> = values
        .par_chunks(ELEMENTS_PER_TASK)
        .map(|chunk| {
            chunk
                .iter()
                .map(|value| f64::from(*value) * f64::from(*value))
                .sum()
        })
        .collect();
    partial.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `torch.optim.AdamW([w], lr=0.1, weight_decay=0.01)` on w = 1, gradients 0.5 then -0.25 (PyTorch 2.15).
    #[test]
    fn two_steps_agree_with_pytorch() {
        let adamw = AdamW {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
        };
        let (mut weight, mut first, mut second) = ([1.0f32], [0.0], [0.0]);
        let mut at = Vec::new();
        for (step, gradient) in [(1, 0.5f32), (2, -0.25)] {
            let schedule = Schedule {
                lr: 0.1,
                gradient_scale: 1.0,
                step,
            };
            adamw.step(&mut weight, &mut first, &mut second, &[gradient], schedule);
            at.push(weight[0]);
        }
        assert!(
            (at[0] - 0.899).abs() < 1e-6 && (at[1] - 0.871_467_35).abs() < 1e-6,
            "{at:?}"
        );
    }
}
