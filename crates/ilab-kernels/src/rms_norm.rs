//! Root-mean-square normalisation.
//!
//! # Source
//! Zhang and Sennrich 2019, equation 4: <https://arxiv.org/abs/1910.07467>.

use rayon::prelude::*;

use crate::ROWS_PER_TASK;
use crate::simd::{dot, dot3, widest};

/// `y = x / sqrt(mean(x²) + eps) · weight`, row by row.
///
/// # Shape
/// `x: [N, C]`, `weight: [C]`, result `[N, C]`.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    rms_norm_into(&mut y, x, weight, eps);
    y
}

/// [`rms_norm`] into memory that is there already.
///
/// # Panics
/// When the shapes do not fit.
pub fn rms_norm_into(y: &mut [f32], x: &[f32], weight: &[f32], eps: f32) {
    let c = weight.len();
    assert!(
        y.len() == x.len() && x.len().is_multiple_of(c),
        "rows of {c}: {} y, {} x",
        y.len(),
        x.len()
    );
    y.par_chunks_mut(c * ROWS_PER_TASK)
        .zip(x.par_chunks(c * ROWS_PER_TASK))
        .for_each(|(y, x)| {
            widest(|| {
                for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                    let scale = inverse_rms(x, eps);
                    for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
                        *y = x * scale * weight;
                    }
                }
            });
        });
}

/// Gradient of [`rms_norm`] by `x`; that by `weight` is added to `dweight` where there is one.
///
/// # Shape
/// `dy: [N, C]`, result `[N, C]`, `dweight: [C]`. Norms of single heads have `N · H` rows of width `D`.
pub fn rms_norm_backward(
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    eps: f32,
    dweight: Option<&mut [f32]>,
) -> Vec<f32> {
    let mut dx = vec![0.0; x.len()];
    rms_norm_backward_add(&mut dx, x, weight, dy, eps, dweight);
    dx
}

/// [`rms_norm_backward`] where `x` has other uses: its gradient is added to `dx`.
///
/// # Panics
/// When the shapes do not fit.
pub fn rms_norm_backward_add(
    dx: &mut [f32],
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    eps: f32,
    dweight: Option<&mut [f32]>,
) {
    let c = weight.len();
    assert!(
        dx.len() == x.len() && dy.len() == x.len() && x.len().is_multiple_of(c),
        "rows of {c}: {} dx, {} x, {} dy",
        dx.len(),
        x.len(),
        dy.len()
    );
    let task = c * ROWS_PER_TASK;
    let partial: Vec<Vec<f32>> = dx
        .par_chunks_mut(task)
        .zip(x.par_chunks(task))
        .zip(dy.par_chunks(task))
        .map(|((dx, x), dy)| {
            let mut partial = vec![0.0; if dweight.is_some() { c } else { 0 }];
            widest(|| {
                for ((dx, x), dy) in dx
                    .chunks_exact_mut(c)
                    .zip(x.chunks_exact(c))
                    .zip(dy.chunks_exact(c))
                {
                    row_backward(dx, &mut partial, x, weight, dy, eps);
                }
            });
            partial
        })
        .collect();
    let Some(dweight) = dweight else { return };
    assert_eq!(dweight.len(), c, "one gradient a weight");
    // Summed in the order of the rows, so that the result does not depend on the threads.
    for part in partial {
        for (total, part) in dweight.iter_mut().zip(part) {
            *total += part;
        }
    }
}

/// Adds to `dx`, and to `dweight` unless it is empty.
#[inline(always)]
fn row_backward(
    dx: &mut [f32],
    dweight: &mut [f32],
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    eps: f32,
) {
    let scale = inverse_rms(x, eps);
    let n = x.len();
    let (dx, weight, dy) = (&mut dx[..n], &weight[..n], &dy[..n]);
    let pulled = dot3(x, weight, dy);
    let pull = pulled * scale * scale * scale / x.len() as f32;
    for (((dx, x), weight), dy) in dx.iter_mut().zip(x).zip(weight).zip(dy) {
        *dx += scale * weight * dy - pull * x;
    }
    for ((dweight, x), dy) in dweight.iter_mut().zip(x).zip(dy) {
        *dweight += dy * x * scale;
    }
}

#[inline(always)]
fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    let mean_square = dot(x, x) / x.len() as f32;
    1.0 / (mean_square + eps).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, check_gradient, values};

    #[test]
    fn gradients_agree_with_differences() {
        let (n, c, eps) = (3, 7, 1e-5);
        let (x, weight, dy) = (values(n * c, 1), values(c, 2), values(n * c, 3));
        let loss = |y: &[f32]| {
            y.iter()
                .zip(&dy)
                .map(|(y, dy)| f64::from(y * dy))
                .sum::<f64>()
        };
        let mut dweight = vec![0.0; c];
        let dx = rms_norm_backward(&x, &weight, &dy, eps, Some(&mut dweight));
        check_gradient(&x, &dx, |x| loss(&rms_norm(x, &weight, eps)));
        check_gradient(&weight, &dweight, |weight| loss(&rms_norm(&x, weight, eps)));

        let (mut added, once) = (vec![1.0; n * c], dweight.clone());
        rms_norm_backward_add(&mut added, &x, &weight, &dy, eps, Some(&mut dweight));
        for ((added, dx), (twice, once)) in added.iter().zip(&dx).zip(dweight.iter().zip(&once)) {
            assert!((added - dx - 1.0).abs() < 1e-6 && (twice - 2.0 * once).abs() < 1e-6);
        }
        assert_eq!(rms_norm_backward(&x, &weight, &dy, eps, None), dx);
    }

    #[test]
    fn rows_are_scaled_to_unit_mean_square() {
        let y = rms_norm(&[3.0, 4.0], &[1.0, 1.0], 0.0);
        assert_close(&y, &[3.0 / 12.5f32.sqrt(), 4.0 / 12.5f32.sqrt()], 1e-6);
    }
}
