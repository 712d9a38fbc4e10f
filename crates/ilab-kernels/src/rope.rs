//! Rotary position embedding, in the half-split layout of Hugging Face checkpoints.
//!
//! # Source
//! Su et al. 2021, equation 34: <https://arxiv.org/abs/2104.09864>; element `i` is paired with `i + D/2` as in
//! `rotate_half` of transformers.

use rayon::prelude::*;

use crate::ROWS_PER_TASK;
use crate::simd::widest;

/// Cosines and sines of every position.
#[derive(Debug, Clone)]
pub struct RopeTable {
    half: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl RopeTable {
    /// A table for positions below `n_positions` from the rotary frequencies, one for each pair of elements, in radians a
    /// position.
    pub fn new(frequencies: &[f32], n_positions: usize) -> Self {
        let angles = (0..n_positions)
            .flat_map(|position| frequencies.iter().map(move |f| position as f32 * f));
        let (sines, cosines) = angles.map(f32::sin_cos).unzip();
        Self {
            half: frequencies.len(),
            cosines,
            sines,
        }
    }

    /// Cosines and sines of one position, each one for each pair of elements.
    ///
    /// # Panics
    /// When the position lies outside the table.
    pub fn at(&self, position: u32) -> (&[f32], &[f32]) {
        let start = position as usize * self.half;
        let pairs = start..start + self.half;
        (&self.cosines[pairs.clone()], &self.sines[pairs])
    }
}

/// Which way to turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The forward pass.
    Forward,
    /// Its transpose: the backward pass.
    Backward,
}

/// Turns each head of each row by the angles of its position.
///
/// # Shape
/// `x: [N, heads · D]`, `positions: [N]`, each below the table's size; result `[N, heads · D]`.
///
/// # Panics
/// When a position lies outside the table.
pub fn rope(x: &[f32], positions: &[u32], table: &RopeTable, turn: Turn) -> Vec<f32> {
    let mut y = x.to_vec();
    rope_in_place(&mut y, positions, table, turn);
    y
}

/// [`rope`] where the rows are not needed any more.
///
/// # Panics
/// When a position lies outside the table, or `x` has no whole number of heads a position.
pub fn rope_in_place(x: &mut [f32], positions: &[u32], table: &RopeTable, turn: Turn) {
    if positions.is_empty() {
        return;
    }
    let (width, half) = (x.len() / positions.len(), table.half);
    assert!(
        width * positions.len() == x.len() && width.is_multiple_of(2 * half),
        "{} numbers are no {} rows of heads of {}",
        x.len(),
        positions.len(),
        2 * half
    );
    let sign = if turn == Turn::Forward { 1.0 } else { -1.0 };
    x.par_chunks_mut(width * ROWS_PER_TASK)
        .zip(positions.par_chunks(ROWS_PER_TASK))
        .for_each(|(x, positions)| {
            widest(|| {
                for (row, position) in x.chunks_exact_mut(width).zip(positions) {
                    let start = *position as usize * half;
                    let cosines = &table.cosines[start..start + half];
                    let sines = &table.sines[start..start + half];
                    for head in row.chunks_exact_mut(2 * half) {
                        let (first, second) = head.split_at_mut(half);
                        for (((a, b), cosine), sine) in
                            first.iter_mut().zip(second).zip(cosines).zip(sines)
                        {
                            let sine = sine * sign;
                            (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
                        }
                    }
                }
            });
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, values};

    #[test]
    fn the_backward_turn_undoes_the_forward_turn() {
        let table = RopeTable::new(&[1.0, 0.1, 0.01], 9);
        let x = values(5 * 12, 4);
        let positions = [0, 1, 2, 0, 8];
        let turned = rope(&x, &positions, &table, Turn::Forward);
        assert_close(&turned[..12], &x[..12], 1e-7);
        assert_close(&rope(&turned, &positions, &table, Turn::Backward), &x, 1e-5);
    }

    #[test]
    fn pairs_are_half_a_head_apart() {
        let table = RopeTable::new(&[std::f32::consts::FRAC_PI_2, 0.0], 2);
        let y = rope(&[1.0, 5.0, 0.0, 6.0], &[1], &table, Turn::Forward);
        assert_close(&y, &[0.0, 5.0, 1.0, 6.0], 1e-6);
    }
}
