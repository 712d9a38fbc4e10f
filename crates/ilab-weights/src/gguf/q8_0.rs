//! The Q8_0 block format: 32 values as signed bytes under one half-precision scale.

use half::f16;

/// Values in a block.
pub const BLOCK_VALUES: usize = 32;
/// Bytes of a block: the scale and one byte a value.
pub const BLOCK_BYTES: usize = 2 + BLOCK_VALUES;

/// Appends the blocks of `values` to `bytes`.
///
/// `values` is a whole number of blocks; a remainder is left out, so check the row length before.
///
/// # Source
/// `quantize_row_q8_0_ref` in `ggml-quants.c`, bit for bit: the values are scaled by the reciprocal of the unrounded
/// scale and rounded half away from zero.
pub fn quantize(values: &[f32], bytes: &mut Vec<u8>) {
    let (blocks, _) = values.as_chunks::<BLOCK_VALUES>();
    bytes.reserve(blocks.len() * BLOCK_BYTES);
    for block in blocks {
        let largest = block
            .iter()
            .fold(0.0_f32, |max, value| max.max(value.abs()));
        let scale = largest / 127.0;
        let reciprocal = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        bytes.extend(f16::from_f32(scale).to_le_bytes());
        bytes.extend(block.map(|value| (value * reciprocal).round() as i8 as u8));
    }
}

/// The values of `bytes`, a whole number of blocks.
pub fn dequantize(bytes: &[u8]) -> Vec<f32> {
    let (blocks, _) = bytes.as_chunks::<BLOCK_BYTES>();
    let mut values = Vec::with_capacity(blocks.len() * BLOCK_VALUES);
    for [low, high, quantized @ ..] in blocks {
        let scale = f16::from_le_bytes([*low, *high]).to_f32();
        values.extend(quantized.iter().map(|byte| f32::from(*byte as i8) * scale));
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_at_most_half_a_step() {
        let values: Vec<f32> = (0..64).map(|index| (index as f32 - 20.5) * 0.37).collect();
        let mut bytes = Vec::new();
        quantize(&values, &mut bytes);
        assert_eq!(bytes.len(), 2 * BLOCK_BYTES);
        for (block, restored) in values
            .chunks(BLOCK_VALUES)
            .zip(dequantize(&bytes).chunks(BLOCK_VALUES))
        {
            let largest = block
                .iter()
                .fold(0.0_f32, |max, value| max.max(value.abs()));
            for (value, restored) in block.iter().zip(restored) {
                // Half a step, and the rounding of the scale to 11 bits.
                let limit = largest / 127.0 * 0.5 + largest / 2048.0;
                assert!((value - restored).abs() <= limit, "{value} {restored}");
            }
        }
    }

    #[test]
    fn zeros_and_halves() {
        let mut bytes = Vec::new();
        quantize(&[0.0; 32], &mut bytes);
        assert_eq!(bytes, [0; BLOCK_BYTES]);
        let mut values = [0.0; 32];
        values[..4].copy_from_slice(&[127.0, 2.5, -2.5, 1.4]);
        bytes.clear();
        quantize(&values, &mut bytes);
        assert_eq!(bytes[..2], f16::from_f32(1.0).to_le_bytes());
        assert_eq!(bytes[2..6], [127, 3, 253, 1]);
    }
}
