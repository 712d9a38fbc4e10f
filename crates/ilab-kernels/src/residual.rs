//! Sums of streams.

use rayon::prelude::*;

use crate::simd::widest;

/// Elements that one thread takes at a time.
const ELEMENTS_PER_TASK: usize = 1 << 15;

/// `x += y`, element by element.
///
/// # Panics
/// When the lengths differ.
pub fn add(x: &mut [f32], y: &[f32]) {
    assert_eq!(x.len(), y.len(), "sums have terms of one length");
    x.par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(y.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|(x, y)| {
            widest(|| {
                for (x, y) in x.iter_mut().zip(y) {
                    *x += y;
                }
            });
        });
}

/// `x += factor · y`, element by element, by the calling thread.
///
/// # Panics
/// When the lengths differ.
pub fn add_scaled(x: &mut [f32], y: &[f32], factor: f32) {
    assert_eq!(x.len(), y.len(), "sums have terms of one length");
    widest(|| {
        for (x, y) in x.iter_mut().zip(y) {
            *x += factor * y;
        }
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_element_is_added() {
        let n = super::ELEMENTS_PER_TASK + 3;
        let mut x: Vec<f32> = (0..n).map(|index| index as f32).collect();
        let y: Vec<f32> = (0..n).map(|index| 2.0 * index as f32).collect();
        super::add(&mut x, &y);
        assert!(x.iter().zip(0..).all(|(x, index)| *x == 3.0 * index as f32));
    }
}
