//! Four bits a weight: blocks of 64 along a row share their largest magnitude, and each value is one of sixteen levels
//! that are equally likely under a normal distribution.
//!
//! # Source
//! Dettmers et al. 2023, section 3 and appendix E: <https://arxiv.org/abs/2305.14314>. The magnitude is kept in f16; two
//! values share a byte, the one 32 places further on in its upper half, so that a block unpacks without shuffling.

use half::f16;

/// Values of a block.
pub const BLOCK: usize = 64;
/// Bytes of a block's codes.
const N_BYTES: usize = BLOCK / 2;

/// The levels, ascending.
pub const LEVELS: [f32; 16] = [
    -1.0,
    -0.696_192_8,
    -0.525_073_05,
    -0.394_917_5,
    -0.284_441_38,
    -0.184_773_43,
    -0.091_050_036,
    0.0,
    0.079_580_3,
    0.160_930_2,
    0.246_112_3,
    0.337_915_24,
    0.440_709_83,
    0.562_617,
    0.722_956_84,
    1.0,
];

/// Sixty-four values: each is `scale · LEVELS[code]`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C)]
pub struct Nf4Block {
    /// The largest magnitude of the block.
    pub scale: f16,
    /// Codes: value `i` in the lower half of byte `i`, value `i + 32` in its upper half.
    pub codes: [u8; N_BYTES],
}

/// Rounds one row; its last block is padded with zeros. A block with a number that is not finite reads as NaN.
pub fn quantise(row: &[f32]) -> impl Iterator<Item = Nf4Block> {
    row.chunks(BLOCK).map(|chunk| {
        let highest = chunk
            .iter()
            .fold(0.0f32, |high, value| high.max(value.abs()));
        let is_finite = chunk.iter().all(|value| value.is_finite());
        let inverse = if highest > 0.0 { 1.0 / highest } else { 0.0 };
        let mut codes = [0; N_BYTES];
        for index in 0..BLOCK {
            let code = nearest(chunk.get(index).map_or(0.0, |value| value * inverse));
            codes[index % N_BYTES] |= code << (4 * (index / N_BYTES));
        }
        Nf4Block {
            scale: if is_finite {
                f16::from_f32(highest)
            } else {
                f16::NAN
            },
            codes,
        }
    })
}

/// The code of the level nearest to `value`.
fn nearest(value: f32) -> u8 {
    let mut code = 0;
    for pair in LEVELS.windows(2) {
        code += u8::from(value > 0.5 * (pair[0] + pair[1]));
    }
    code
}

/// Copies values of one row from column `start` on.
#[inline(always)]
pub(crate) fn read(row: &[Nf4Block], start: usize, out: &mut [f32]) {
    let mut column = start;
    let mut rest = out;
    while !rest.is_empty() {
        let block = &row[column / BLOCK];
        let (half, skipped) = (column % BLOCK / N_BYTES, column % N_BYTES);
        let (now, later) = rest.split_at_mut(rest.len().min(N_BYTES - skipped));
        read_half(block, half, skipped, now);
        column += now.len();
        rest = later;
    }
}

/// Values of one half of a block, from the `skipped`-th on.
#[inline(always)]
fn read_half(block: &Nf4Block, half: usize, skipped: usize, out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if let Ok(out) = <&mut [f32; N_BYTES]>::try_from(&mut *out)
        && std::arch::is_x86_feature_detected!("avx512f")
    {
        // SAFETY: the processor has the instructions.
        #[allow(unsafe_code)]
        unsafe {
            return read_whole_half(block, half, out);
        }
    }
    let scale = block.scale.to_f32();
    for (out, byte) in out.iter_mut().zip(&block.codes[skipped..]) {
        *out = scale * LEVELS[usize::from((byte >> (4 * half)) & 15)];
    }
}

/// All values of one half of a block: the levels are a table in a register.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn read_whole_half(block: &Nf4Block, half: usize, out: &mut [f32; N_BYTES]) {
    use std::arch::x86_64::{
        _mm_loadu_si128, _mm512_and_si512, _mm512_cvtepu8_epi32, _mm512_loadu_ps, _mm512_mul_ps,
        _mm512_permutexvar_ps, _mm512_set1_epi32, _mm512_set1_ps, _mm512_srli_epi32,
        _mm512_storeu_ps,
    };
    const LANES: usize = 16;
    let scale = _mm512_set1_ps(block.scale.to_f32());
    let (out, _) = out.as_chunks_mut::<LANES>();
    let (bytes, _) = block.codes.as_chunks::<LANES>();
    for (out, bytes) in out.iter_mut().zip(bytes) {
        // SAFETY: sixteen bytes are read, sixteen levels, and sixteen floats written.
        #[allow(unsafe_code)]
        unsafe {
            let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes.as_ptr().cast()));
            let codes = if half == 0 {
                bytes
            } else {
                _mm512_srli_epi32::<4>(bytes)
            };
            let codes = _mm512_and_si512(codes, _mm512_set1_epi32(15));
            let levels = _mm512_permutexvar_ps(codes, _mm512_loadu_ps(LEVELS.as_ptr()));
            _mm512_storeu_ps(out.as_mut_ptr(), _mm512_mul_ps(scale, levels));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::values;

    #[test]
    fn every_value_is_the_nearest_level() {
        let row = values(150, 2);
        let blocks: Vec<_> = quantise(&row).collect();
        assert_eq!(blocks.len(), 3);
        let mut found = vec![0.0; 150];
        read(&blocks, 0, &mut found);
        for (index, (found, value)) in found.iter().zip(&row).enumerate() {
            let scale = blocks[index / BLOCK].scale.to_f32();
            let nearest = LEVELS
                .iter()
                .map(|level| (scale * level - value).abs())
                .fold(f32::INFINITY, f32::min);
            assert!(
                (found - value).abs() <= nearest + 1e-3 * scale,
                "{index}: {found} for {value}"
            );
        }
        let mut part = [0.0; 70];
        read(&blocks, 61, &mut part);
        assert_eq!(part, found[61..131]);
    }

    #[test]
    fn the_largest_and_zero_are_exact() {
        let blocks: Vec<_> = quantise(&[0.5, 0.0, -0.25]).collect();
        let mut found = [9.0; 64];
        read(&blocks, 0, &mut found);
        assert_eq!((found[0], found[1], found[63]), (0.5, 0.0, 0.0));
    }

    #[test]
    fn what_is_not_finite_reads_as_nan() {
        let blocks: Vec<_> = quantise(&[1.0, f32::NAN]).collect();
        let mut found = [0.0; 2];
        read(&blocks, 0, &mut found);
        assert!(found.iter().all(|value| value.is_nan()), "{found:?}");
    }
}
