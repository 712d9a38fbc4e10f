//! Eight bits a weight: blocks of 32 along a row share one scale, as in `Q8_0` of ggml.

use half::f16;

/// Values of a block.
pub const BLOCK: usize = 32;

/// Thirty-two values: each is `scale · value`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Q8Block {
    /// Size of one step.
    pub scale: f16,
    /// Steps, in [-127, 127].
    pub values: [i8; BLOCK],
}

/// Rounds one row; its last block is padded with zeros. A block with a number that is not finite reads as NaN.
pub fn quantise(row: &[f32]) -> impl Iterator<Item = Q8Block> {
    row.chunks(BLOCK).map(|chunk| {
        let highest = chunk
            .iter()
            .fold(0.0f32, |high, value| high.max(value.abs()));
        let step = highest / 127.0;
        let is_finite = chunk.iter().all(|value| value.is_finite());
        let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
        let mut values = [0; BLOCK];
        for (out, value) in values.iter_mut().zip(chunk) {
            // Within ±127 by the choice of the step.
            #[allow(clippy::cast_possible_truncation)]
            let rounded = (value * inverse).round() as i8;
            *out = rounded;
        }
        Q8Block {
            scale: if is_finite {
                f16::from_f32(step)
            } else {
                f16::NAN
            },
            values,
        }
    })
}

/// Copies values of one row from column `start` on.
#[inline(always)]
pub(crate) fn read(row: &[Q8Block], start: usize, out: &mut [f32]) {
    let mut blocks = row[start / BLOCK..].iter();
    let mut skipped = start % BLOCK;
    let mut rest = out;
    while !rest.is_empty() {
        let block = blocks.next().expect("the columns lie inside the row");
        let (now, later) = rest.split_at_mut(rest.len().min(BLOCK - skipped));
        let scale = block.scale.to_f32();
        for (out, value) in now.iter_mut().zip(&block.values[skipped..]) {
            *out = scale * f32::from(*value);
        }
        (rest, skipped) = (later, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::values;

    #[test]
    fn every_value_is_within_half_a_step() {
        let row = values(75, 1);
        let blocks: Vec<_> = quantise(&row).collect();
        assert_eq!(blocks.len(), 3);
        let mut found = vec![0.0; 75];
        read(&blocks, 0, &mut found);
        for (index, (found, expected)) in found.iter().zip(&row).enumerate() {
            let step = blocks[index / BLOCK].scale.to_f32();
            assert!(
                (found - expected).abs() <= 0.5001 * step + 127.0 * step / 2048.0,
                "{index}"
            );
        }
        let mut part = [0.0; 40];
        read(&blocks, 30, &mut part);
        assert_eq!(part, found[30..70]);
    }

    #[test]
    fn what_is_not_finite_reads_as_nan() {
        for bad in [f32::NAN, f32::INFINITY] {
            let blocks: Vec<_> = quantise(&[1.0, bad]).collect();
            let mut found = [0.0; 2];
            read(&blocks, 0, &mut found);
            assert!(found.iter().all(|value| value.is_nan()), "{found:?}");
        }
    }
}
