//! The gate of the feed-forward layer.
//!
//! # Source
//! Shazeer 2020, equation 5: <https://arxiv.org/abs/2002.05202>.

use rayon::prelude::*;

use crate::exponential::exp;
use crate::simd::widest;

/// Elements that one thread takes at a time.
const ELEMENTS_PER_TASK: usize = 1 << 14;

/// `y = silu(gate) · up`, element by element.
pub fn swiglu(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; gate.len()];
    swiglu_into(&mut y, gate, up);
    y
}

/// [`swiglu`] into memory that is there already.
///
/// # Panics
/// When the lengths differ.
pub fn swiglu_into(y: &mut [f32], gate: &[f32], up: &[f32]) {
    assert!(
        y.len() == gate.len() && up.len() == gate.len(),
        "{} y, {} gate, {} up",
        y.len(),
        gate.len(),
        up.len()
    );
    y.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(gate.par_chunks(ELEMENTS_PER_TASK))
        .zip(up.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|((y, gate), up)| {
            widest(|| {
                for ((y, gate), up) in y.iter_mut().zip(gate).zip(up) {
                    *y = gate / (1.0 + exp(-gate)) * up;
                }
            });
        });
}

/// Gradients of [`swiglu`]: `gate` and `up` become their gradients.
///
/// # Panics
/// When the lengths differ.
pub fn swiglu_backward_in_place(gate: &mut [f32], up: &mut [f32], dy: &[f32]) {
    assert!(
        up.len() == gate.len() && dy.len() == gate.len(),
        "{} gate, {} up, {} dy",
        gate.len(),
        up.len(),
        dy.len()
    );
    gate.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(up.par_chunks_mut(ELEMENTS_PER_TASK))
        .zip(dy.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|((gate, up), dy)| {
            widest(|| {
                for ((gate, up), dy) in gate.iter_mut().zip(up).zip(dy) {
                    let sigmoid = 1.0 / (1.0 + exp(-*gate));
                    let dup = dy * *gate * sigmoid;
                    *gate = dy * *up * sigmoid * (1.0 + *gate * (1.0 - sigmoid));
                    *up = dup;
                }
            });
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{check_gradient, values};

    #[test]
    fn gradients_agree_with_differences() {
        let (gate, up, dy) = (values(33, 1), values(33, 2), values(33, 3));
        let loss = |y: &[f32]| {
            y.iter()
                .zip(&dy)
                .map(|(y, dy)| f64::from(y * dy))
                .sum::<f64>()
        };
        let (mut dgate, mut dup) = (gate.clone(), up.clone());
        swiglu_backward_in_place(&mut dgate, &mut dup, &dy);
        check_gradient(&gate, &dgate, |gate| loss(&swiglu(gate, &up)));
        check_gradient(&up, &dup, |up| loss(&swiglu(&gate, up)));
    }

    #[test]
    fn large_gates_stay_finite() {
        let y = swiglu(&[-1e4, 1e4], &[1.0, 1.0]);
        assert!(y[0].abs() < 1e-30 && y[1] == 1e4, "{y:?}");
    }
}
