//! Blocks of quantised values back to f32.
//!
//! # Source
//! `dequantize_row_*` in `ggml/src/ggml-quants.c`, with the block layouts of `ggml-common.h`, in the same order of operations so
//! that every value is the same to the last bit.

mod k;

use half::f16;

use crate::gguf::{TensorType, q8_0};

/// Whether blocks of this type can be turned back.
pub fn is_supported(tensor_type: TensorType) -> bool {
    use TensorType::{Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
    matches!(
        tensor_type,
        Q4_0 | Q4_1 | Q5_0 | Q5_1 | Q8_0 | Q2_K | Q3_K | Q4_K | Q5_K | Q6_K
    )
}

/// Appends the values of whole blocks; of a type that is not supported, nothing.
pub fn append(tensor_type: TensorType, bytes: &[u8], values: &mut Vec<f32>) {
    match tensor_type {
        TensorType::Q4_0 => each(bytes, values, q4_0),
        TensorType::Q4_1 => each(bytes, values, q4_1),
        TensorType::Q5_0 => each(bytes, values, q5_0),
        TensorType::Q5_1 => each(bytes, values, q5_1),
        TensorType::Q8_0 => values.extend(q8_0::dequantize(bytes)),
        TensorType::Q2_K => each(bytes, values, k::q2),
        TensorType::Q3_K => each(bytes, values, k::q3),
        TensorType::Q4_K => each(bytes, values, k::q4),
        TensorType::Q5_K => each(bytes, values, k::q5),
        TensorType::Q6_K => each(bytes, values, k::q6),
        _ => {}
    }
}

fn each<const BYTES: usize, const VALUES: usize>(
    bytes: &[u8],
    values: &mut Vec<f32>,
    decode: impl Fn(&[u8; BYTES], &mut [f32; VALUES]),
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    values.reserve(blocks.len() * VALUES);
    let mut decoded = [0.0; VALUES];
    for block in blocks {
        decode(block, &mut decoded);
        values.extend_from_slice(&decoded);
    }
}

/// A half-precision number in a block.
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Scale, then 32 values of 4 bits around 8: the low halves of the bytes first, the high ones after them.
fn q4_0(block: &[u8; 18], values: &mut [f32; 32]) {
    let scale = half_at(block, 0);
    for (index, byte) in block[2..].iter().enumerate() {
        values[index] = f32::from((byte & 0xf) as i8 - 8) * scale;
        values[index + 16] = f32::from((byte >> 4) as i8 - 8) * scale;
    }
}

/// Scale and least value, then 32 values of 4 bits.
fn q4_1(block: &[u8; 20], values: &mut [f32; 32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    for (index, byte) in block[4..].iter().enumerate() {
        values[index] = f32::from(byte & 0xf) * scale + least;
        values[index + 16] = f32::from(byte >> 4) * scale + least;
    }
}

/// The two values of a byte with their fifth bits, which lie together before the bytes.
fn five_bits(high_bits: u32, index: usize, byte: u8) -> [u8; 2] {
    let low = ((high_bits >> index) << 4) as u8 & 0x10;
    let high = (high_bits >> (index + 12)) as u8 & 0x10;
    [(byte & 0xf) | low, (byte >> 4) | high]
}

fn high_bits_at(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// Scale, fifth bits, then 32 values of 5 bits around 16.
fn q5_0(block: &[u8; 22], values: &mut [f32; 32]) {
    let (scale, high_bits) = (half_at(block, 0), high_bits_at(block, 2));
    for (index, byte) in block[6..].iter().enumerate() {
        let [low, high] = five_bits(high_bits, index, *byte);
        values[index] = f32::from(low as i8 - 16) * scale;
        values[index + 16] = f32::from(high as i8 - 16) * scale;
    }
}

/// Scale, least value, fifth bits, then 32 values of 5 bits.
fn q5_1(block: &[u8; 24], values: &mut [f32; 32]) {
    let (scale, least) = (half_at(block, 0), half_at(block, 2));
    let high_bits = high_bits_at(block, 4);
    for (index, byte) in block[8..].iter().enumerate() {
        let [low, high] = five_bits(high_bits, index, *byte);
        values[index] = f32::from(low) * scale + least;
        values[index + 16] = f32::from(high) * scale + least;
    }
}
