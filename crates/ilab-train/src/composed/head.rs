//! Logits and loss, of the rows after which something is learned alone, and in chunks that bound their memory.

use candle_core::{D, DType, Result, Tensor};
use ilab_kernels::cross_entropy::Scales;

use crate::composed::factor_type;
use crate::linear::Pass;
use crate::parameter::Parameter;

/// Logits that are held at one time, in f32.
const LOGITS_PER_CHUNK: usize = 1 << 26;
/// Rows of a chunk at least: every chunk reads the weight twice and its gradient once.
const MIN_ROWS_PER_CHUNK: usize = 256;

/// How many rows a chunk has for a vocabulary of `v`.
pub(crate) fn rows_per_chunk(v: usize) -> usize {
    (LOGITS_PER_CHUNK / v.max(1)).max(MIN_ROWS_PER_CHUNK)
}

/// The score of every token of the vocabulary after each row.
///
/// # Shape
/// `hidden: [N, C]`, `weight: [V, C]`, result `[N, V]` in f32.
pub(crate) fn logits(
    hidden: &Tensor,
    weight: &Parameter,
    scale: f32,
    pass: Pass,
) -> Result<Tensor> {
    let factor = factor_type(pass.precision);
    let weight = weight.tensor().to_dtype(factor)?;
    let products = hidden.to_dtype(factor)?.matmul(&weight.t()?)?;
    products.to_dtype(DType::F32)?.affine(f64::from(scale), 0.0)
}

/// The sum of the losses of rows in nats.
///
/// # Shape
/// `hidden: [L, C]`, one row for each of `targets`.
pub(crate) fn loss_sum(
    hidden: &Tensor,
    targets: &[u32],
    weight: &Parameter,
    scale: f32,
    pass: Pass,
    n_rows: usize,
) -> Result<f64> {
    let mut loss = 0.0;
    for (index, targets) in targets.chunks(n_rows).enumerate() {
        let rows = hidden.narrow(0, index * n_rows, targets.len())?;
        let logits = logits(&rows, weight, scale, pass)?;
        loss += Chunk::new(&logits, targets)?.loss_sum()?;
    }
    Ok(loss)
}

/// The sum of the losses, and the gradient of `hidden`, `[L, C]`; adds the gradient of the weight where it is trained.
pub(crate) fn loss_and_gradient(
    hidden: &Tensor,
    targets: &[u32],
    weight: &mut Parameter,
    scales: Scales,
    pass: Pass,
    n_rows: usize,
) -> Result<(f64, Tensor)> {
    let factor = factor_type(pass.precision);
    let (mut loss, mut dhidden) = (0.0, Vec::new());
    for (index, targets) in targets.chunks(n_rows).enumerate() {
        let rows = hidden.narrow(0, index * n_rows, targets.len())?;
        let logits = logits(&rows, weight, scales.logit, pass)?;
        let chunk = Chunk::new(&logits, targets)?;
        loss += chunk.loss_sum()?;
        let scale = f64::from(scales.logit) * f64::from(scales.gradient);
        let dlogits = chunk.gradient(scale)?.to_dtype(factor)?;
        let factors = weight.tensor().to_dtype(factor)?;
        dhidden.push(dlogits.matmul(&factors)?.to_dtype(DType::F32)?);
        if let Some(values) = weight.on_device_mut() {
            values.add_gradient(|| dlogits.t()?.matmul(&rows.to_dtype(factor)?))?;
        }
    }
    Ok((loss, Tensor::cat(&dhidden, 0)?))
}

/// Logits of some rows, `[R, V]`, as the loss reads them.
struct Chunk {
    /// `e^(logit - highest)`, `[R, V]`.
    exponentials: Tensor,
    /// Their sums, `[R, 1]`.
    sums: Tensor,
    /// `highest - logit` of the targets, `[R, 1]`.
    distances: Tensor,
    /// `[R, 1]`.
    targets: Tensor,
}

impl Chunk {
    fn new(logits: &Tensor, targets: &[u32]) -> Result<Self> {
        let targets = Tensor::from_slice(targets, (targets.len(), 1), logits.device())?;
        let highest = logits.max_keepdim(D::Minus1)?;
        let exponentials = logits.broadcast_sub(&highest)?.exp()?;
        Ok(Self {
            sums: exponentials.sum_keepdim(D::Minus1)?,
            distances: highest.sub(&logits.gather(&targets, 1)?)?,
            exponentials,
            targets,
        })
    }

    fn loss_sum(&self) -> Result<f64> {
        let losses = self.sums.log()?.add(&self.distances)?;
        let losses = losses.flatten_all()?.to_vec1::<f32>()?;
        Ok(losses.into_iter().map(f64::from).sum())
    }

    /// `scale` times the gradient of the logits: the probabilities less one at the targets.
    fn gradient(&self, scale: f64) -> Result<Tensor> {
        let probabilities = self.exponentials.broadcast_div(&self.sums)?;
        let ones = self.distances.ones_like()?.affine(-scale, 0.0)?;
        let scaled = probabilities.affine(scale, 0.0)?;
        scaled.scatter_add(&self.targets, &ones, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Device;
    use ilab_kernels::matmul::Precision;

    const TARGETS: [u32; 7] = [4, 0, 10, 3, 3, 9, 1];

    /// Loss, and the gradients of rows and weight, in chunks of `n_rows`.
    fn computed(n_rows: usize) -> (f64, Vec<f32>) {
        let values = |n: usize, seed: usize| -> Vec<f32> {
            let values = (0..n).map(|i| ((i * 29 + seed) % 53) as f32 / 53.0 - 0.5);
            values.collect()
        };
        let opened = candle_core::Device::Cpu;
        let mut weight = Parameter::trained("w".to_owned(), vec![11, 5], values(55, 3));
        weight.move_to(Device::Composed, &opened).unwrap();
        let hidden = Tensor::from_vec(values(35, 8), (7, 5), &opened).unwrap();
        let scales = Scales {
            logit: 0.5,
            gradient: 0.25,
        };
        let pass = Pass {
            precision: Precision::F32,
            dropout_seed: None,
        };
        let alone = loss_sum(&hidden, &TARGETS, &weight, 0.5, pass, n_rows).unwrap();
        let (loss, dhidden) =
            loss_and_gradient(&hidden, &TARGETS, &mut weight, scales, pass, n_rows).unwrap();
        assert_eq!(loss, alone);
        let mut gradients: Vec<f32> = dhidden.flatten_all().unwrap().to_vec1().unwrap();
        gradients.extend(weight.gradient().unwrap().unwrap().iter());
        (loss, gradients)
    }

    #[test]
    fn chunks_of_any_size_compute_the_same() {
        let (loss, gradients) = computed(7);
        for n_rows in [1, 3, 6, 100] {
            let (found_loss, found) = computed(n_rows);
            assert!((found_loss - loss).abs() <= 1e-6, "{found_loss} and {loss}");
            for (found, expected) in found.iter().zip(&gradients) {
                assert!(
                    (found - expected).abs() <= 1e-7,
                    "{found} in chunks of {n_rows}, {expected} in one"
                );
            }
        }
    }

    #[test]
    fn a_chunk_of_a_large_vocabulary_has_rows_enough() {
        assert_eq!(rows_per_chunk(1 << 20), MIN_ROWS_PER_CHUNK);
        assert_eq!(rows_per_chunk(32_768), 2048);
        assert_eq!(rows_per_chunk(0), LOGITS_PER_CHUNK);
    }
}
