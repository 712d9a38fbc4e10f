//! The output projection and its loss in one: the logits of the whole batch are never held, and rows that are not learned
//! cost nothing.

use rayon::prelude::*;

use crate::factor::Factor;
use crate::matmul::{Precision, Threads};
use crate::rounding;
use crate::scratch;
use crate::simd::{maximum, widest};
use crate::softmax;

/// Logits that are held at one time: 128 MiB.
const LOGITS_PER_CHUNK: usize = 1 << 25;
/// Rows of a chunk at least: every chunk reads the weight twice and its gradient once.
const MIN_ROWS_PER_CHUNK: usize = 256;

/// Factors around the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scales {
    /// On every logit, before the softmax.
    pub logit: f32,
    /// On both gradients: one over the tokens of a step makes them those of the mean.
    pub gradient: f32,
}

/// What [`linear_cross_entropy`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct LossAndGradient {
    /// Sum of `-ln p(target)` over the learned rows.
    pub loss_sum: f64,
    /// How many rows are learned.
    pub n_learned: usize,
    /// Gradient of `scales.gradient · loss_sum` by `hidden`, `[N, C]`.
    pub dhidden: Vec<f32>,
}

/// `Σ -ln softmax(scale · hidden · weightᵀ)[target]` over the rows that have a target, with its gradients.
///
/// The gradient by `weight` is added to `dweight` where there is one.
///
/// # Shape
/// `hidden: [N, C]`, `weight: [V, C]`, `dweight: [V, C]`, `targets: [N]`, each `None` (not learned) or below `V`.
///
/// # Panics
/// When a target is not below `V` or the shapes do not fit.
pub fn linear_cross_entropy(
    hidden: &[f32],
    weight: Factor<'_>,
    targets: &[Option<u32>],
    scales: Scales,
    precision: Precision,
    dweight: Option<&mut [f32]>,
) -> LossAndGradient {
    let rows_per_chunk = rows_per_chunk(weight.n_rows());
    in_chunks(
        hidden,
        weight,
        targets,
        scales,
        precision,
        dweight,
        rows_per_chunk,
    )
}

/// [`linear_cross_entropy`], holding the logits of so many rows at one time.
fn in_chunks(
    hidden: &[f32],
    weight: Factor<'_>,
    targets: &[Option<u32>],
    scales: Scales,
    precision: Precision,
    mut dweight: Option<&mut [f32]>,
    rows_per_chunk: usize,
) -> LossAndGradient {
    let (v, c) = (weight.n_rows(), weight.n_columns());
    assert_eq!(hidden.len(), targets.len() * c, "a target a row");
    let learned = learned(targets);
    let mut result = LossAndGradient {
        loss_sum: 0.0,
        n_learned: learned.len(),
        dhidden: vec![0.0; hidden.len()],
    };
    for chunk in learned.chunks(rows_per_chunk) {
        let gathered_rows = gathered(hidden, chunk, c);
        let rows = Factor::dense(&gathered_rows, chunk.len(), c);
        let mut logits = scratch::floats(chunk.len() * v);
        let transposed = weight.transposed();
        precision.matmul(
            &mut logits,
            0.0,
            scales.logit,
            rows,
            transposed,
            Threads::All,
        );
        result.loss_sum += chunk_loss(&mut logits, chunk, precision);
        let dlogits = match precision {
            Precision::F32 => Factor::dense(&logits, chunk.len(), v),
            // The first half of every row.
            Precision::Bf16 => Factor::bf16(bytemuck::cast_slice(&logits), chunk.len(), v, 2 * v),
        };
        let scale = scales.logit * scales.gradient;
        let mut dhidden = scratch::floats(chunk.len() * c);
        precision.matmul(&mut dhidden, 0.0, scale, dlogits, weight, Threads::All);
        for ((row, _), gradient) in chunk.iter().zip(dhidden.chunks_exact(c)) {
            result.dhidden[row * c..(row + 1) * c].copy_from_slice(gradient);
        }
        if let Some(dweight) = dweight.as_deref_mut() {
            precision.matmul(
                dweight,
                1.0,
                scale,
                dlogits.transposed(),
                rows,
                Threads::All,
            );
        }
    }
    result
}

/// The loss alone; shapes and panics as for [`linear_cross_entropy`].
pub fn cross_entropy_loss(
    hidden: &[f32],
    weight: Factor<'_>,
    targets: &[Option<u32>],
    logit_scale: f32,
    precision: Precision,
) -> f64 {
    let (v, c) = (weight.n_rows(), weight.n_columns());
    assert_eq!(hidden.len(), targets.len() * c, "a target a row");
    let mut loss_sum = 0.0;
    for chunk in learned(targets).chunks(rows_per_chunk(v)) {
        let gathered_rows = gathered(hidden, chunk, c);
        let rows = Factor::dense(&gathered_rows, chunk.len(), c);
        let mut logits = scratch::floats(chunk.len() * v);
        let weight = weight.transposed();
        precision.matmul(&mut logits, 0.0, logit_scale, rows, weight, Threads::All);
        loss_sum += chunk_loss(&mut logits, chunk, precision);
    }
    loss_sum
}

/// Rows whose logits are held at one time, for a vocabulary of this size.
pub fn rows_per_chunk(v: usize) -> usize {
    (LOGITS_PER_CHUNK / v.max(1)).max(MIN_ROWS_PER_CHUNK)
}

/// The loss of a chunk; its logits become their gradients, in the precision of the products that read them.
fn chunk_loss(logits: &mut [f32], chunk: &[(usize, usize)], precision: Precision) -> f64 {
    let losses: Vec<f64> = logits
        .par_chunks_exact_mut(logits.len() / chunk.len())
        .zip(chunk)
        .map(|(logits, (_, target))| {
            widest(|| {
                let loss = softmax_minus_one_hot(logits, *target);
                if precision == Precision::Bf16 {
                    rounding::narrow(logits);
                }
                loss
            })
        })
        .collect();
    losses.iter().sum()
}

/// Row and target of the rows that are learned.
fn learned(targets: &[Option<u32>]) -> Vec<(usize, usize)> {
    let rows = targets.iter().enumerate();
    rows.filter_map(|(row, target)| target.map(|target| (row, target as usize)))
        .collect()
}

/// The learned rows, one after the other.
fn gathered(hidden: &[f32], chunk: &[(usize, usize)], c: usize) -> scratch::Floats {
    let mut rows = scratch::floats(chunk.len() * c);
    for ((row, _), gathered) in chunk.iter().zip(rows.chunks_exact_mut(c)) {
        gathered.copy_from_slice(&hidden[row * c..(row + 1) * c]);
    }
    rows
}

/// Turns logits into `softmax - one_hot(target)`, their gradient, and returns `-ln softmax[target]`.
#[inline(always)]
fn softmax_minus_one_hot(logits: &mut [f32], target: usize) -> f64 {
    let highest = maximum(logits);
    let target_logit = f64::from(logits[target]) - f64::from(highest);
    let total = softmax::exponentials(logits, highest);
    softmax::scale(logits, 1.0 / total);
    logits[target] -= 1.0;
    f64::from(total).ln() - target_logit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, check_gradient, values};

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
                        .map(|i| 0.5 * f64::from(hidden[row * c + i] * weight[o * c + i]))
                        .sum()
                };
                loss += (0..v).map(|o| logit(o).exp()).sum::<f64>().ln() - logit(*target as usize);
            }
            loss
        };
        let scales = Scales {
            logit: 0.5,
            gradient: 0.25,
        };
        let factor = Factor::dense(&weight, v, c);
        let mut dweight = vec![1.0; v * c];
        let found = linear_cross_entropy(
            &hidden,
            factor,
            &targets,
            scales,
            Precision::F32,
            Some(&mut dweight),
        );
        assert_eq!(found.n_learned, 6);
        assert!((found.loss_sum - naive(&hidden, &weight)).abs() < 1e-4);
        check_gradient(&hidden, &found.dhidden, |hidden| {
            0.25 * naive(hidden, &weight)
        });
        dweight.iter_mut().for_each(|gradient| *gradient -= 1.0);
        check_gradient(&weight, &dweight, |weight| 0.25 * naive(&hidden, weight));
        let frozen = linear_cross_entropy(&hidden, factor, &targets, scales, Precision::F32, None);
        assert_eq!(frozen, found);
        let alone = cross_entropy_loss(&hidden, factor, &targets, 0.5, Precision::F32);
        assert_eq!(alone, found.loss_sum);
    }

    #[test]
    fn rows_without_a_target_have_no_gradient() {
        let mut dweight = [0.0; 8];
        let found = linear_cross_entropy(
            &values(6, 1),
            Factor::dense(&values(8, 2), 4, 2),
            &[None, None, None],
            Scales {
                logit: 1.0,
                gradient: 1.0,
            },
            Precision::F32,
            Some(&mut dweight),
        );
        assert_eq!((found.loss_sum, found.n_learned), (0.0, 0));
        assert!(
            found
                .dhidden
                .iter()
                .chain(&dweight)
                .all(|gradient| *gradient == 0.0)
        );
    }

    #[test]
    fn chunks_add_up_in_either_precision() {
        let (n, c, v) = (23, 40, 70);
        let (hidden, weight) = (values(n * c, 1), values(v * c, 2));
        let weight = Factor::dense(&weight, v, c);
        let targets: Vec<_> = (0..n)
            .map(|row| (row % 4 != 1).then_some(((row * 5) % v) as u32))
            .collect();
        let scales = Scales {
            logit: 0.3,
            gradient: 1.0,
        };
        let run = |precision, rows_per_chunk| {
            let mut dweight = vec![0.0; v * c];
            let kept = Some(dweight.as_mut_slice());
            let loss = in_chunks(
                &hidden,
                weight,
                &targets,
                scales,
                precision,
                kept,
                rows_per_chunk,
            );
            (loss, dweight)
        };
        let (whole, dweight) = run(Precision::F32, n);
        for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Bf16, 0.02)] {
            let (found, found_dweight) = run(precision, 4);
            assert_eq!(found.n_learned, whole.n_learned);
            assert!((found.loss_sum - whole.loss_sum).abs() <= f64::from(10.0 * tolerance));
            assert_close(&found.dhidden, &whole.dhidden, tolerance);
            assert_close(&found_dweight, &dweight, tolerance);
        }
    }
}
