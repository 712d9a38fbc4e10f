//! The k-quants: 256 values in a block, in groups of 16 or 32 that have scales of their own, themselves quantised.

use super::half_at;

/// Scales and least values of the eight groups of 32 in Q4_K and Q5_K: 6 bits each, packed into 12 bytes.
fn scale_and_least(group: usize, packed: &[u8]) -> (f32, f32) {
    let (scale, least) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        (
            (packed[group + 4] & 0xf) | ((packed[group - 4] >> 6) << 4),
            (packed[group + 4] >> 4) | ((packed[group] >> 6) << 4),
        )
    };
    (f32::from(scale), f32::from(least))
}

/// 16 bytes of scale and least value of 4 bits each, 64 bytes of 2-bit values, the two scales of the block.
pub(super) fn q2(block: &[u8; 84], values: &mut [f32; 256]) {
    let (scales, rest) = block.split_at(16);
    let (quantised, _) = rest.split_at(64);
    let (scale, least) = (half_at(block, 80), half_at(block, 82));
    for (group, out) in values.chunks_exact_mut(16).enumerate() {
        let group_scale = scale * f32::from(scales[group] & 0xf);
        let group_least = least * f32::from(scales[group] >> 4);
        // Half of the block; within it four shifts of two groups each.
        let (half, within) = (group / 8, group % 8);
        let (shift, begin) = (within / 2 * 2, half * 32 + within % 2 * 16);
        for (value, byte) in out.iter_mut().zip(&quantised[begin..begin + 16]) {
            *value = group_scale * f32::from((byte >> shift) & 3) - group_least;
        }
    }
}

/// 32 bytes of third bits, 64 bytes of 2-bit values, 16 scales of 6 bits in 12 bytes, the scale of the block.
pub(super) fn q3(block: &[u8; 110], values: &mut [f32; 256]) {
    let (third_bits, rest) = block.split_at(32);
    let (quantised, rest) = rest.split_at(64);
    let scale = half_at(rest, 12);
    for (group, out) in values.chunks_exact_mut(16).enumerate() {
        let low = rest[group % 8] >> (group / 8 * 4) & 0xf;
        let high = rest[8 + group % 4] >> (group / 4 * 2) & 3;
        let group_scale = scale * f32::from((low | (high << 4)) as i8 - 32);
        let (half, within) = (group / 8, group % 8);
        let (shift, lane) = (within / 2 * 2, within % 2 * 16);
        let third_bit = 1_u8 << (half * 4 + within / 2);
        let begin = half * 32 + lane;
        let stored = quantised[begin..begin + 16].iter().zip(&third_bits[lane..]);
        for (value, (byte, third)) in out.iter_mut().zip(stored) {
            let offset = if third & third_bit == 0 { 4 } else { 0 };
            *value = group_scale * f32::from((byte >> shift & 3) as i8 - offset);
        }
    }
}

/// Two scales of the block, the groups' scales, 128 bytes of 4-bit values: 32 bytes hold one group low and the next one high.
pub(super) fn q4(block: &[u8; 144], values: &mut [f32; 256]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let (packed, quantised) = block[4..].split_at(12);
    for (group, out) in values.chunks_exact_mut(32).enumerate() {
        let (group_scale, group_least) = scale_and_least(group, packed);
        let (group_scale, group_least) = (scale * group_scale, least * group_least);
        let (begin, shift) = (group / 2 * 32, group % 2 * 4);
        for (value, byte) in out.iter_mut().zip(&quantised[begin..begin + 32]) {
            *value = group_scale * f32::from(byte >> shift & 0xf) - group_least;
        }
    }
}

/// As [`q4`], with 32 bytes of fifth bits before the values: bit i of each is group i's.
pub(super) fn q5(block: &[u8; 176], values: &mut [f32; 256]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let (packed, rest) = block[4..].split_at(12);
    let (fifth_bits, quantised) = rest.split_at(32);
    for (group, out) in values.chunks_exact_mut(32).enumerate() {
        let (group_scale, group_least) = scale_and_least(group, packed);
        let (group_scale, group_least) = (scale * group_scale, least * group_least);
        let (begin, shift) = (group / 2 * 32, group % 2 * 4);
        let stored = quantised[begin..begin + 32].iter().zip(fifth_bits);
        for (value, (byte, fifth)) in out.iter_mut().zip(stored) {
            let quantised = (byte >> shift & 0xf) | ((fifth >> group & 1) << 4);
            *value = group_scale * f32::from(quantised) - group_least;
        }
    }
}

/// 128 bytes of low 4 bits, 64 bytes of high 2 bits, 16 signed scales, the scale of the block; values are around 32.
pub(super) fn q6(block: &[u8; 210], values: &mut [f32; 256]) {
    let (low_bits, rest) = block.split_at(128);
    let (high_bits, rest) = rest.split_at(64);
    let scale = half_at(rest, 16);
    for (group, out) in values.chunks_exact_mut(16).enumerate() {
        let group_scale = scale * f32::from(rest[group] as i8);
        // Half of the block; within it four quarters of 32 values.
        let (half, within) = (group / 8, group % 8);
        let (quarter, lane) = (within / 2, within % 2 * 16);
        let low = &low_bits[half * 64 + quarter % 2 * 32 + lane..][..16];
        let high = &high_bits[half * 32 + lane..][..16];
        for (value, (low, high)) in out.iter_mut().zip(low.iter().zip(high)) {
            let low = low >> (quarter / 2 * 4) & 0xf;
            let high = high >> (quarter * 2) & 3;
            *value = group_scale * f32::from((low | (high << 4)) as i8 - 32);
        }
    }
}
