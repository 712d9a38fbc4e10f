//! Adafactor without momentum: the second moment of a matrix is kept as one number a row and one a column.
//!
//! # Source
//! Shazeer and Stern 2018, algorithm 4: <https://arxiv.org/abs/1804.04235>, with the conventions of `Adafactor` in
//! transformers 4.57 at `scale_parameter=False, relative_step=False`, against which it is tested.

use rayon::prelude::*;

use crate::adamw::Schedule;

/// What does not change between steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adafactor {
    /// Updates are scaled down to this root mean square.
    pub clip_threshold: f32,
    /// The decay of the second moment at step `t` is `1 - t^-decay_rate`.
    pub decay_rate: f64,
    /// Added to squares of gradients.
    pub eps: f32,
    /// Weight decay a step, as a fraction of the learning rate.
    pub weight_decay: f32,
}

impl Default for Adafactor {
    fn default() -> Self {
        Self {
            clip_threshold: 1.0,
            decay_rate: 0.8,
            eps: 1e-30,
            weight_decay: 0.0,
        }
    }
}

/// The second moment of one weight.
#[derive(Debug, Clone, PartialEq)]
pub enum SecondMoment {
    /// Of a matrix: means over its rows and its columns.
    Factored {
        /// One number a row.
        rows: Vec<f32>,
        /// One number a column.
        columns: Vec<f32>,
    },
    /// Of a vector.
    Full(Vec<f32>),
}

impl SecondMoment {
    /// Zeros for a weight of these axes.
    pub fn new(shape: &[usize]) -> Self {
        match shape {
            [n_rows, n_columns] => Self::Factored {
                rows: vec![0.0; *n_rows],
                columns: vec![0.0; *n_columns],
            },
            _ => Self::Full(vec![0.0; shape.iter().product()]),
        }
    }
}

impl Adafactor {
    /// One step: updates `weight` and its second moment from `gradient · gradient_scale`; `gradient` becomes the update.
    ///
    /// # Panics
    /// When the sizes do not fit.
    pub fn step(
        &self,
        weight: &mut [f32],
        second: &mut SecondMoment,
        gradient: &mut [f32],
        schedule: Schedule,
    ) {
        assert_eq!(weight.len(), gradient.len(), "weight and gradient");
        let Schedule {
            lr,
            gradient_scale,
            step,
        } = schedule;
        #[allow(clippy::cast_possible_truncation)]
        let beta = (1.0 - (step as f64).powf(-self.decay_rate)) as f32;
        gradient
            .par_iter_mut()
            .for_each(|gradient| *gradient *= gradient_scale);
        match second {
            SecondMoment::Full(second) => self.divide(second, gradient, beta),
            SecondMoment::Factored { rows, columns } => {
                self.divide_factored(rows, columns, gradient, beta);
            }
        }
        let mean_square = crate::adamw::sum_of_squares(gradient) / gradient.len().max(1) as f64;
        #[allow(clippy::cast_possible_truncation)]
        let rms = mean_square.sqrt() as f32;
        let size = lr / (rms / self.clip_threshold).max(1.0);
        let keep = 1.0 - lr * self.weight_decay;
        weight
            .par_iter_mut()
            .zip(&*gradient)
            .for_each(|(weight, update)| *weight = *weight * keep - size * update);
    }

    fn divide(&self, second: &mut [f32], gradient: &mut [f32], beta: f32) {
        let eps = self.eps;
        second
            .par_iter_mut()
            .zip(gradient.par_iter_mut())
            .for_each(|(second, gradient)| {
                *second = beta * *second + (1.0 - beta) * (*gradient * *gradient + eps);
                *gradient /= second.sqrt();
            });
    }

    fn divide_factored(
        &self,
        rows: &mut [f32],
        columns: &mut [f32],
        gradient: &mut [f32],
        beta: f32,
    ) {
        let (n_rows, n_columns) = (rows.len(), columns.len());
        assert_eq!(
            gradient.len(),
            n_rows * n_columns,
            "[{n_rows}, {n_columns}]"
        );
        rows.par_iter_mut()
            .zip(gradient.par_chunks(n_columns))
            .for_each(|(row, gradient)| {
                let squares: f32 = gradient.iter().map(|g| g * g + self.eps).sum();
                *row = beta * *row + (1.0 - beta) * squares / n_columns as f32;
            });
        // Sums of groups of rows, added in their order, so that the result does not depend on the threads.
        let group = n_columns * crate::ROWS_PER_TASK;
        let partial: Vec<Vec<f32>> = gradient
            .par_chunks(group)
            .map(|gradient| {
                let mut sums = vec![0.0; n_columns];
                for row in gradient.chunks_exact(n_columns) {
                    for (sum, gradient) in sums.iter_mut().zip(row) {
                        *sum += gradient * gradient + self.eps;
                    }
                }
                sums
            })
            .collect();
        for (index, column) in columns.iter_mut().enumerate() {
            let squares: f32 = partial.iter().map(|sums| sums[index]).sum();
            *column = beta * *column + (1.0 - beta) * squares / n_rows as f32;
        }
        let mean = rows.iter().sum::<f32>() / n_rows as f32;
        gradient
            .par_chunks_mut(n_columns)
            .zip(&*rows)
            .for_each(|(gradient, row)| {
                let row = (row / mean).sqrt().recip();
                for (gradient, column) in gradient.iter_mut().zip(&*columns) {
                    *gradient *= row * column.sqrt().recip();
                }
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::assert_close;

    /// Three steps of `transformers.optimization.Adafactor([w], lr=0.1, scale_parameter=False, relative_step=False,
    /// warmup_init=False)`, transformers 4.57.6: see goldens/train/adafactor.py.
    #[test]
    fn three_steps_agree_with_transformers() {
        let adafactor = Adafactor::default();
        for (shape, expected) in [(vec![2, 3], MATRIX), (vec![6], VECTOR)] {
            let mut weight = vec![1.0, -2.0, 3.0, 0.5, 0.25, -0.125];
            let mut second = SecondMoment::new(&shape);
            for step in 1..=3 {
                let mut gradient: Vec<f32> = (0..6)
                    .map(|index| (((index * 7 + step as usize * 5) % 11) as f32 - 5.0) * 0.1)
                    .collect();
                let schedule = Schedule {
                    lr: 0.1,
                    gradient_scale: 1.0,
                    step,
                };
                adafactor.step(&mut weight, &mut second, &mut gradient, schedule);
            }
            assert_close(&weight, &expected, 1e-5);
        }
    }

    const MATRIX: [f32; 6] = [
        0.890_982_5,
        -1.814_004,
        2.895_118_5,
        0.591_049_85,
        0.229_590_49,
        -0.112_292_74,
    ];
    const VECTOR: [f32; 6] = [
        0.901_841_1,
        -1.806_356_7,
        2.923_913_2,
        0.545_211_6,
        0.227_293_28,
        -0.142_287_7,
    ];
}
