//! The output projection and its loss in one: the logits of the whole batch are never held, and rows that are not learned
//! cost nothing.

use rayon::prelude::*;

use crate::exponential::exp;
use crate::matmul::{Precision, Threads, View};
use crate::simd::{maximum, sum, widest};

/// Rows whose logits are held at one time.
const ROWS_PER_CHUNK: usize = 512;

/// Loss and gradients of [`linear_cross_entropy`], not yet divided by the number of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct LossAndGradients {
    /// Sum of `-ln p(target)` over the learned rows.
    pub loss_sum: f64,
    /// How many rows are learned.
    pub n_learned: usize,
    /// Gradient of `loss_sum` by `hidden`, `[N, C]`.
    pub dhidden: Vec<f32>,
    /// Gradient of `loss_sum` by `weight`, `[V, C]`.
    pub dweight: Vec<f32>,
}

/// `Σ -ln softmax(hidden · weightᵀ)[target]` over the rows that have a target, with both gradients.
///
/// # Shape
/// `hidden: [N, C]`, `weight: [V, C]`, `targets: [N]`, each `None` (not learned) or below `V`.
///
/// # Panics
/// When a target is not below `V` or the shapes do not fit.
pub fn linear_cross_entropy(
    hidden: &[f32],
    weight: &[f32],
    targets: &[Option<u32>],
    c: usize,
    precision: Precision,
) -> LossAndGradients {
    let v = weight.len() / c;
    let learned: Vec<(usize, usize)> = targets
        .iter()
        .enumerate()
        .filter_map(|(row, target)| target.map(|target| (row, target as usize)))
        .collect();
    let mut result = LossAndGradients {
        loss_sum: 0.0,
        n_learned: learned.len(),
        dhidden: vec![0.0; hidden.len()],
        dweight: vec![0.0; weight.len()],
    };
    let weight = View::dense(weight, v, c);
    for chunk in learned.chunks(ROWS_PER_CHUNK) {
        let rows: Vec<f32> = chunk
            .iter()
            .flat_map(|(row, _)| &hidden[row * c..(row + 1) * c])
            .copied()
            .collect();
        let rows = View::dense(&rows, chunk.len(), c);
        let mut logits = vec![0.0; chunk.len() * v];
        precision.matmul(
            &mut logits,
            0.0,
            1.0,
            rows,
            weight.transposed(),
            Threads::All,
        );
        let losses: Vec<f64> = logits
            .par_chunks_exact_mut(v)
            .zip(chunk)
            .map(|(logits, (_, target))| widest(|| softmax_minus_one_hot(logits, *target)))
            .collect();
        result.loss_sum += losses.iter().sum::<f64>();
        let dlogits = View::dense(&logits, chunk.len(), v);
        let mut dhidden = vec![0.0; chunk.len() * c];
        precision.matmul(&mut dhidden, 0.0, 1.0, dlogits, weight, Threads::All);
        for ((row, _), gradient) in chunk.iter().zip(dhidden.chunks_exact(c)) {
            result.dhidden[row * c..(row + 1) * c].copy_from_slice(gradient);
        }
        precision.matmul(
            &mut result.dweight,
            1.0,
            1.0,
            dlogits.transposed(),
            rows,
            Threads::All,
        );
    }
    result
}

/// Turns logits into `softmax - one_hot(target)`, their gradient, and returns `-ln softmax[target]`.
#[inline(always)]
fn softmax_minus_one_hot(logits: &mut [f32], target: usize) -> f64 {
    let highest = maximum(logits);
    let target_logit = f64::from(logits[target]) - f64::from(highest);
    for logit in logits.iter_mut() {
        *logit = exp(*logit - highest);
    }
    let total = sum(logits.len(), |index| logits[index]);
    let scale = 1.0 / total;
    for logit in logits.iter_mut() {
        *logit *= scale;
    }
    logits[target] -= 1.0;
    f64::from(total).ln() - target_logit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{check_gradient, values};

    #[test]
    fn loss_and_gradients_agree_with_the_naive_form() {
        let (n, c, v) = (9, 5, 11);
        let (hidden, weight) = (values(n * c, 1), values(v * c, 2));
        let targets: Vec<_> = (0..n)
            .map(|row| (row % 3 != 1).then_some(((row * 5) % v) as u32))
            .collect();
        let naive = |hidden: &[f32], weight: &[f32]| {
            let mut loss = 0.0;
            for (row, target) in targets.iter().enumerate() {
                let Some(target) = target else { continue };
                let logit = |o: usize| -> f64 {
                    (0..c)
                        .map(|i| f64::from(hidden[row * c + i] * weight[o * c + i]))
                        .sum()
                };
                loss += (0..v).map(|o| logit(o).exp()).sum::<f64>().ln() - logit(*target as usize);
            }
            loss
        };
        let found = linear_cross_entropy(&hidden, &weight, &targets, c, Precision::F32);
        assert_eq!(found.n_learned, 6);
        assert!((found.loss_sum - naive(&hidden, &weight)).abs() < 1e-4);
        check_gradient(&hidden, &found.dhidden, |hidden| naive(hidden, &weight));
        check_gradient(&weight, &found.dweight, |weight| naive(&hidden, weight));
    }

    #[test]
    fn rows_without_a_target_have_no_gradient() {
        let found = linear_cross_entropy(
            &values(6, 1),
            &values(8, 2),
            &[None, None, None],
            2,
            Precision::F32,
        );
        assert_eq!((found.loss_sum, found.n_learned), (0.0, 0));
        assert!(
            found
                .dhidden
                .iter()
                .chain(&found.dweight)
                .all(|gradient| *gradient == 0.0)
        );
    }
}
