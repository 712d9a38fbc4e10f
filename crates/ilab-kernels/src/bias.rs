//! A bias: one number a column, added to every row.

use rayon::prelude::*;

use crate::ROWS_PER_TASK;
use crate::simd::widest;

/// `y += bias`, row by row.
///
/// # Shape
/// `y: [N, C]`, `bias: [C]`.
///
/// # Panics
/// When `y` has no whole number of rows.
pub fn add(y: &mut [f32], bias: &[f32]) {
    let c = check_rows(y, bias.len());
    y.par_chunks_mut(c * ROWS_PER_TASK).for_each(|y| {
        widest(|| {
            for row in y.chunks_exact_mut(c) {
                for (y, bias) in row.iter_mut().zip(bias) {
                    *y += bias;
                }
            }
        });
    });
}

/// `dbias += Σ dy` over the rows, in an order that does not depend on the threads.
///
/// # Shape
/// `dy: [N, C]`, `dbias: [C]`.
///
/// # Panics
/// When `dy` has no whole number of rows.
pub fn gradient_add(dbias: &mut [f32], dy: &[f32]) {
    let c = check_rows(dy, dbias.len());
    let partial: Vec<Vec<f32>> = dy
        .par_chunks(c * ROWS_PER_TASK)
        .map(|dy| {
            let mut total = vec![0.0; c];
            widest(|| {
                for row in dy.chunks_exact(c) {
                    for (total, dy) in total.iter_mut().zip(row) {
                        *total += dy;
                    }
                }
            });
            total
        })
        .collect();
    for part in partial {
        for (total, part) in dbias.iter_mut().zip(part) {
            *total += part;
        }
    }
}

fn check_rows(rows: &[f32], c: usize) -> usize {
    assert!(
        c > 0 && rows.len().is_multiple_of(c),
        "{} numbers are no rows of {c}",
        rows.len()
    );
    c
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::{assert_close, values};

    #[test]
    fn sums_are_those_of_the_plain_loops() {
        let (n, c) = (ROWS_PER_TASK * 2 + 3, 17);
        let (y, bias) = (values(n * c, 1), values(c, 2));
        let mut moved = y.clone();
        add(&mut moved, &bias);
        let mut dbias = bias.clone();
        gradient_add(&mut dbias, &y);
        let mut expected = bias.clone();
        for (index, y) in y.iter().enumerate() {
            assert_eq!(moved[index], y + bias[index % c]);
            expected[index % c] += y;
        }
        assert_close(&dbias, &expected, 1e-5);
        gradient_add(&mut dbias, &[f32::NAN; 17]);
        assert!(dbias.iter().all(|total| total.is_nan()));
    }
}
