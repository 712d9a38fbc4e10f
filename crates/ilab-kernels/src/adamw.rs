//! AdamW in one pass over the weights.
//!
//! # Source
//! Loshchilov and Hutter 2019, algorithm 2, with the conventions of `torch.optim.AdamW` (decay scaled by the learning
//! rate, eps outside the root): <https://arxiv.org/abs/1711.05101>.

use rayon::prelude::*;

use crate::simd::{dot, widest};

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
        let keep = 1.0 - lr * self.weight_decay;
        let Self {
            beta1, beta2, eps, ..
        } = *self;
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
                        let gradient = gradient * gradient_scale;
                        *first = beta1 * *first + (1.0 - beta1) * gradient;
                        *second = beta2 * *second + (1.0 - beta2) * gradient * gradient;
                        *weight = *weight * keep
                            - step_size * *first / (second.sqrt() * inverse_root + eps);
                    }
                });
            });
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

/// Sum of the squares: short runs in f32 lanes, their sums in f64, so that large models do not lose small gradients.
pub fn sum_of_squares(values: &[f32]) -> f64 {
    const ELEMENTS_PER_RUN: usize = 1024;
    let partial: Vec<f64> = values
        .par_chunks(ELEMENTS_PER_TASK)
        .map(|chunk| {
            widest(|| {
                chunk
                    .chunks(ELEMENTS_PER_RUN)
                    .map(|run| f64::from(dot(run, run)))
                    .sum()
            })
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

    #[test]
    fn the_sum_of_many_squares_is_that_of_f64() {
        let mut values = crate::attention::tests::values(ELEMENTS_PER_TASK * 2 + 77, 1);
        values[5] = 1e3;
        let exact: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
        let found = sum_of_squares(&values);
        assert!(
            (found - exact).abs() < 1e-6 * exact,
            "{found}, expected {exact}"
        );
        values[7] = f32::NAN;
        assert!(sum_of_squares(&values).is_nan());
    }
}
