//! Optimiser moments in eight bits: small floating-point codes relative to the largest of a block.
//!
//! # Source
//! Dettmers et al. 2021, block-wise quantisation of optimiser states: <https://arxiv.org/abs/2110.02861>. In place of their
//! table of dynamic exponents the codes are floats of four exponent bits, which need no table: sixteen powers of two below
//! the largest number of the block.

use rayon::prelude::*;

use crate::adamw::{AdamW, Schedule};
use crate::simd::widest;

/// Numbers that share a scale.
pub const BLOCK: usize = 256;

/// The first moment has a sign and three bits of mantissa, the root of the second four bits and no sign.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Codes of the first moment.
    pub first: Vec<u8>,
    /// The largest first moment of each block.
    pub first_scales: Vec<f32>,
    /// Codes of the root of the second moment.
    pub second: Vec<u8>,
    /// The largest root of each block.
    pub second_scales: Vec<f32>,
}

impl Moments {
    /// Zeros for `n` weights.
    pub fn new(n: usize) -> Self {
        let n_blocks = n.div_ceil(BLOCK);
        Self {
            first: vec![0; n],
            first_scales: vec![0.0; n_blocks],
            second: vec![0; n],
            second_scales: vec![0.0; n_blocks],
        }
    }
}

/// Exponent and mantissa of 1.0 in the unsigned code, whose largest code is 255.
const UNSIGNED_BIAS: u32 = (127 << 4) - 255;
/// The same for the signed code, whose largest code is 127.
const SIGNED_BIAS: u32 = (127 << 3) - 127;

/// The code of a number from 0 to 1, rounded to nearest; what is below the smallest code but not zero becomes the smallest,
/// because a second moment of zero would make a step of any size.
#[inline(always)]
fn encode_unsigned(value: f32) -> u8 {
    let rounded = (value.to_bits() + (1 << 18)) >> 19;
    let code = rounded.saturating_sub(UNSIGNED_BIAS).clamp(1, 255);
    #[allow(clippy::cast_possible_truncation)]
    let code = if value > 0.0 { code as u8 } else { 0 };
    code
}

#[inline(always)]
fn decode_unsigned(code: u8) -> f32 {
    let value = f32::from_bits((u32::from(code) + UNSIGNED_BIAS) << 19);
    if code == 0 { 0.0 } else { value }
}

/// The code of a number from -1 to 1, rounded to nearest; what is below the smallest code becomes zero.
#[inline(always)]
fn encode_signed(value: f32) -> u8 {
    let bits = value.to_bits();
    let rounded = ((bits & 0x7fff_ffff) + (1 << 19)) >> 20;
    let code = rounded.saturating_sub(SIGNED_BIAS).min(127);
    #[allow(clippy::cast_possible_truncation)]
    let code = (code | ((bits >> 31) << 7)) as u8;
    code
}

#[inline(always)]
fn decode_signed(code: u8) -> f32 {
    let value = f32::from_bits((u32::from(code & 127) + SIGNED_BIAS) << 20);
    let value = if code & 127 == 0 { 0.0 } else { value };
    if code & 128 == 0 { value } else { -value }
}

impl AdamW {
    /// One step with both moments in eight bits; otherwise as [`AdamW::step`].
    ///
    /// # Panics
    /// When the slices differ in length.
    pub fn step_eight_bit(
        &self,
        weight: &mut [f32],
        moments: &mut Moments,
        gradient: &[f32],
        schedule: Schedule,
    ) {
        assert!(
            weight.len() == gradient.len() && moments.first.len() == gradient.len(),
            "weight, moments and gradient differ in length"
        );
        let step = self.coefficients(schedule);
        weight
            .par_chunks_mut(BLOCK)
            .zip(gradient.par_chunks(BLOCK))
            .zip(
                moments
                    .first
                    .par_chunks_mut(BLOCK)
                    .zip(&mut moments.first_scales),
            )
            .zip(
                moments
                    .second
                    .par_chunks_mut(BLOCK)
                    .zip(&mut moments.second_scales),
            )
            .with_min_len(16)
            .for_each(|(((weight, gradient), first), second)| {
                widest(|| {
                    let (mut m, mut v) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
                    decode_block(&mut m, first.0, *first.1, decode_signed);
                    decode_block(&mut v, second.0, *second.1, decode_unsigned);
                    for (((weight, gradient), m), v) in
                        weight.iter_mut().zip(gradient).zip(&mut m).zip(&mut v)
                    {
                        let mut square = *v * *v;
                        step.apply(weight, m, &mut square, *gradient);
                        *v = square.sqrt();
                    }
                    let n = gradient.len();
                    *first.1 = encode_block(first.0, &m[..n], encode_signed);
                    *second.1 = encode_block(second.0, &v[..n], encode_unsigned);
                });
            });
    }
}

#[inline(always)]
fn decode_block(values: &mut [f32], codes: &[u8], scale: f32, decode: impl Fn(u8) -> f32) {
    for (value, code) in values.iter_mut().zip(codes) {
        *value = scale * decode(*code);
    }
}

/// Writes the codes and returns their scale.
#[inline(always)]
fn encode_block(codes: &mut [u8], values: &[f32], encode: impl Fn(f32) -> u8) -> f32 {
    let largest = values
        .iter()
        .fold(0.0f32, |largest, value| largest.max(value.abs()));
    let inverse = if largest > 0.0 { 1.0 / largest } else { 0.0 };
    for (code, value) in codes.iter_mut().zip(values) {
        *code = encode((value * inverse).clamp(-1.0, 1.0));
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::values;

    #[test]
    fn codes_are_within_their_rounding() {
        for exponent in 0..15 {
            for part in [1.0, 1.1, 1.37, 1.9] {
                let value = part * 2f32.powi(-exponent - 1);
                let unsigned = decode_unsigned(encode_unsigned(value));
                assert!(
                    (unsigned - value).abs() <= value / 32.0,
                    "{value}: {unsigned}"
                );
                for signed in [value, -value] {
                    let found = decode_signed(encode_signed(signed));
                    assert!((found - signed).abs() <= value / 16.0, "{signed}: {found}");
                }
            }
        }
        assert_eq!(decode_unsigned(encode_unsigned(1.0)), 1.0);
        assert_eq!(decode_signed(encode_signed(-1.0)), -1.0);
        assert_eq!(decode_unsigned(encode_unsigned(0.0)), 0.0);
        assert_eq!(decode_signed(encode_signed(1e-9)), 0.0);
        assert!(
            decode_unsigned(encode_unsigned(1e-9)) > 0.0,
            "no step of any size"
        );
    }

    /// On a bowl of unequal axes both forms of the optimiser come to the same place.
    #[test]
    fn learns_as_the_moments_in_full_do() {
        let adamw = AdamW {
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.0,
        };
        let target = values(600, 1);
        let (mut full, mut eight) = (vec![0.0; 600], vec![0.0; 600]);
        let (mut first, mut second) = (vec![0.0; 600], vec![0.0; 600]);
        let mut moments = Moments::new(600);
        let gradient = |weight: &[f32]| -> Vec<f32> {
            let pulls = weight.iter().zip(&target).enumerate();
            pulls
                .map(|(index, (w, t))| (w - t) * (1.0 + (index % 7) as f32))
                .collect()
        };
        let distance = |weight: &[f32]| -> f32 {
            weight
                .iter()
                .zip(&target)
                .map(|(w, t)| (w - t).powi(2))
                .sum()
        };
        for step in 1..=200 {
            let lr = 0.02 * (1.0 - step as f32 / 201.0);
            let schedule = Schedule {
                lr,
                gradient_scale: 1.0,
                step,
            };
            let (at_full, at_eight) = (gradient(&full), gradient(&eight));
            adamw.step(&mut full, &mut first, &mut second, &at_full, schedule);
            adamw.step_eight_bit(&mut eight, &mut moments, &at_eight, schedule);
        }
        let start = distance(&vec![0.0; 600]);
        assert!(distance(&full) < 1e-3 * start, "{}", distance(&full));
        assert!(distance(&eight) < 1e-3 * start, "{}", distance(&eight));
    }
}
