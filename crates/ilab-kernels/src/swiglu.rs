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

/// Gradients of [`swiglu`] by `gate` and `up`.
pub fn swiglu_backward(gate: &[f32], up: &[f32], dy: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut dgate, mut dup) = (vec![0.0; gate.len()], vec![0.0; gate.len()]);
    swiglu_backward_into(&mut dgate, &mut dup, gate, up, dy);
    (dgate, dup)
}

/// [`swiglu_backward`] into memory that is there already.
///
/// # Panics
/// When the lengths differ.
pub fn swiglu_backward_into(
    dgate: &mut [f32],
    dup: &mut [f32],
    gate: &[f32],
    up: &[f32],
    dy: &[f32],
) {
    let n = gate.len();
    assert!(
        [dgate.len(), dup.len(), up.len(), dy.len()] == [n; 4],
        "{} dgate, {} dup, {n} gate, {} up, {} dy",
        dgate.len(),
        dup.len(),
        up.len(),
        dy.len()
    );
    dgate
        .par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(dup.par_chunks_mut(ELEMENTS_PER_TASK))
        .zip(
            gate.par_chunks(ELEMENTS_PER_TASK)
                .zip(up.par_chunks(ELEMENTS_PER_TASK)),
        )
        .zip(dy.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|(((dgate, dup), (gate, up)), dy)| {
            widest(|| {
                for ((((dgate, dup), gate), up), dy) in
                    dgate.iter_mut().zip(dup).zip(gate).zip(up).zip(dy)
                {
                    let sigmoid = 1.0 / (1.0 + exp(-gate));
                    *dup = dy * gate * sigmoid;
                    *dgate = dy * up * sigmoid * (1.0 + gate * (1.0 - sigmoid));
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
        let (dgate, dup) = swiglu_backward(&gate, &up, &dy);
        check_gradient(&gate, &dgate, |gate| loss(&swiglu(gate, &up)));
        check_gradient(&up, &dup, |up| loss(&swiglu(&gate, up)));
    }

    #[test]
    fn large_gates_stay_finite() {
        let y = swiglu(&[-1e4, 1e4], &[1.0, 1.0]);
        assert!(y[0].abs() < 1e-30 && y[1] == 1e4, "{y:?}");
    }
}
