//! Rounding to bf16 and widening back.

use half::bf16;
use rayon::prelude::*;

use crate::simd::widest;

/// Elements that one thread takes at a time.
const ELEMENTS_PER_TASK: usize = 1 << 15;

/// Rounds to nearest, ties to even; NaN stays NaN.
pub fn to_bf16(values: &[f32]) -> Vec<bf16> {
    let mut rounded = vec![bf16::ZERO; values.len()];
    to_bf16_into(&mut rounded, values);
    rounded
}

/// [`to_bf16`] into a buffer, whatever that holds.
///
/// # Panics
/// When the buffer has another size.
pub fn to_bf16_into(rounded: &mut [bf16], values: &[f32]) {
    assert_eq!(rounded.len(), values.len(), "as many numbers");
    rounded
        .par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(values.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|(rounded, values)| {
            widest(|| {
                for (rounded, value) in rounded.iter_mut().zip(values) {
                    *rounded = bf16::from_bits(bits(*value));
                }
            });
        });
}

/// Widens; exact.
pub fn to_f32(values: &[bf16]) -> Vec<f32> {
    let mut widened = vec![0.0; values.len()];
    to_f32_into(&mut widened, values);
    widened
}

/// [`to_f32`] into a buffer, whatever that holds.
///
/// # Panics
/// When the buffer has another size.
pub fn to_f32_into(widened: &mut [f32], values: &[bf16]) {
    assert_eq!(widened.len(), values.len(), "as many numbers");
    widened
        .par_chunks_mut(ELEMENTS_PER_TASK)
        .zip(values.par_chunks(ELEMENTS_PER_TASK))
        .for_each(|(widened, values)| {
            widest(|| {
                for (widened, value) in widened.iter_mut().zip(values) {
                    *widened = f32::from_bits(u32::from(value.to_bits()) << 16);
                }
            });
        });
}

/// Rounds in place: as bf16 the numbers take the first half of their memory; what is in the second is left over.
#[inline(always)]
pub(crate) fn narrow(values: &mut [f32]) {
    const LANES: usize = 32;
    let n = values.len();
    for start in (0..n - n % LANES).step_by(LANES) {
        let rounded: [u16; LANES] = {
            let chunk: &[f32; LANES] = values[start..]
                .first_chunk()
                .expect("whole chunks come first");
            chunk.map(bits)
        };
        bytemuck::cast_slice_mut::<f32, u16>(values)[start..start + LANES]
            .copy_from_slice(&rounded);
    }
    for index in n - n % LANES..n {
        let rounded = bits(values[index]);
        bytemuck::cast_slice_mut::<f32, u16>(values)[index] = rounded;
    }
}

/// The bf16 nearest to a number.
#[inline(always)]
pub(crate) fn bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
    let rounded = if value.is_nan() { 0x7fc0_0000 } else { rounded };
    // The upper half of 32 bits.
    #[allow(clippy::cast_possible_truncation)]
    let upper = (rounded >> 16) as u16;
    upper
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_in_place_is_the_same() {
        for n in [1, 31, 32, 100] {
            let mut values = crate::attention::tests::values(n, 1);
            let expected = to_bf16(&values);
            narrow(&mut values);
            assert_eq!(bytemuck::cast_slice::<f32, bf16>(&values)[..n], expected);
        }
    }

    #[test]
    fn rounding_is_that_of_the_half_crate() {
        let bits = (0..1 << 16).map(|bits: u32| f32::from_bits(bits.wrapping_mul(65_521)));
        let special = [f32::NAN, f32::INFINITY, f32::MAX, -0.0];
        let values: Vec<f32> = bits.chain(special).collect();
        let found = to_bf16(&values);
        for ((value, found), widened) in values.iter().zip(&found).zip(to_f32(&found)) {
            let expected = bf16::from_f32(*value);
            assert!(
                *found == expected || (found.is_nan() && expected.is_nan()),
                "{value}: {found}, expected {expected}"
            );
            assert!(widened == found.to_f32() || (widened.is_nan() && found.is_nan()));
        }
    }
}
