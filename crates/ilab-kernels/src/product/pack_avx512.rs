//! Whole blocks of 16 lines by 16 words, rearranged in registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, __m512bh, __m512i, _mm256_loadu_si256, _mm512_castsi256_si512, _mm512_cvtepu16_epi32,
    _mm512_cvtne2ps_pbh, _mm512_inserti64x4, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_permutexvar_epi16, _mm512_setzero_si512, _mm512_shuffle_i32x4, _mm512_slli_epi32,
    _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use super::avx512;
use super::kernel::Word;
use super::pack::{BLOCK, Number, Order, Source};

/// Packs one whole block, of which rows are written `stride` words apart; false when the processor cannot.
///
/// # Panics
/// When source or destination are too short.
pub(super) fn pack<N: Number>(
    out: &mut [u32],
    stride: usize,
    order: Order,
    word: Word,
    source: Source<'_, N>,
) -> bool {
    if !avx512::has_bf16() {
        return false;
    }
    let depth = BLOCK * word.depth();
    let (rows, columns) = if source.is_k_major {
        (depth, BLOCK)
    } else {
        (BLOCK, depth)
    };
    assert!(
        (rows - 1) * source.stride + columns <= source.data.len(),
        "a block to read"
    );
    assert!(
        (BLOCK - 1) * stride + BLOCK <= out.len(),
        "a block to write"
    );
    // SAFETY: the processor has the instructions and both blocks lie in their slices.
    unsafe {
        let data = source.data.as_ptr().cast::<u8>();
        let read = Read {
            data,
            stride: source.stride * size_of::<N>(),
        };
        match (N::IS_BF16, word, source.is_k_major) {
            (false, Word::F32, _) => finish::<F32>(out, stride, order, source.is_k_major, read),
            (false, Word::Bf16Pair, false) => {
                finish::<F32PairsOfLine>(out, stride, order, false, read)
            }
            (false, Word::Bf16Pair, true) => {
                finish::<F32PairsOfRows>(out, stride, order, true, read)
            }
            (true, Word::F32, _) => finish::<Bf16>(out, stride, order, source.is_k_major, read),
            (true, Word::Bf16Pair, false) => {
                finish::<Bf16PairsOfLine>(out, stride, order, false, read)
            }
            (true, Word::Bf16Pair, true) => {
                finish::<Bf16PairsOfRows>(out, stride, order, true, read)
            }
        }
    }
    true
}

/// Rows in memory, their distance in bytes.
#[derive(Clone, Copy)]
struct Read {
    data: *const u8,
    stride: usize,
}

/// How sixteen words that lie together are read.
trait Words {
    /// The words of line, or of index, `index`.
    ///
    /// # Safety
    /// AVX512-BF16, and the rows exist.
    unsafe fn words(read: Read, index: usize) -> __m512i;
}

struct F32;
struct F32PairsOfLine;
struct F32PairsOfRows;
struct Bf16;
struct Bf16PairsOfLine;
struct Bf16PairsOfRows;

impl Words for F32 {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_si512(read.data.add(index * read.stride).cast()) }
    }
}

impl Words for F32PairsOfLine {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's; vectors of bf16 are plain bits.
        unsafe {
            let line = read.data.add(index * read.stride).cast::<f32>();
            let (low, high) = (_mm512_loadu_ps(line), _mm512_loadu_ps(line.add(BLOCK)));
            std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low))
        }
    }
}

impl Words for F32PairsOfRows {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's; vectors of bf16 are plain bits.
        unsafe {
            let row = |row: usize| _mm512_loadu_ps(read.data.add(row * read.stride).cast());
            let (even, odd) = (row(2 * index), row(2 * index + 1));
            interleaved(std::mem::transmute::<__m512bh, __m512i>(
                _mm512_cvtne2ps_pbh(odd, even),
            ))
        }
    }
}

impl Words for Bf16 {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's.
        let values = unsafe { _mm256_loadu_si256(read.data.add(index * read.stride).cast()) };
        _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(values))
    }
}

impl Words for Bf16PairsOfLine {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_si512(read.data.add(index * read.stride).cast()) }
    }
}

impl Words for Bf16PairsOfRows {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's.
        unsafe {
            let row = |row: usize| -> __m256i {
                _mm256_loadu_si256(read.data.add(row * read.stride).cast())
            };
            let even = _mm512_castsi256_si512(row(2 * index));
            interleaved(_mm512_inserti64x4::<1>(even, row(2 * index + 1)))
        }
    }
}

/// Sixteen halves of each of two rows, one row after the other, as pairs.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn interleaved(rows: __m512i) -> __m512i {
    const ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut index = 0;
        while index < 32 {
            order[index as usize] = index / 2 + 16 * (index % 2);
            index += 1;
        }
        order
    };
    // SAFETY: 64 bytes are read from an array of that size.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    _mm512_permutexvar_epi16(order, rows)
}

/// # Safety
/// AVX512-BF16, and source and destination hold a block.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn finish<W: Words>(
    out: &mut [u32],
    stride: usize,
    order: Order,
    is_k_major: bool,
    read: Read,
) {
    let mut block = [_mm512_setzero_si512(); BLOCK];
    // SAFETY: the caller's.
    unsafe {
        for (index, words) in block.iter_mut().enumerate() {
            *words = W::words(read, index);
        }
        if is_k_major != (order == Order::ByWord) {
            block = transposed(block);
        }
        for (index, words) in block.iter().enumerate() {
            _mm512_storeu_si512(out.as_mut_ptr().add(index * stride).cast(), *words);
        }
    }
}

/// The transposed block.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(block: [__m512i; BLOCK]) -> [__m512i; BLOCK] {
    let mut pairs = block;
    for index in 0..BLOCK / 2 {
        let (even, odd) = (block[2 * index], block[2 * index + 1]);
        pairs[2 * index] = _mm512_unpacklo_epi32(even, odd);
        pairs[2 * index + 1] = _mm512_unpackhi_epi32(even, odd);
    }
    // Row `4 q + c` then holds, in its lane `l`, column `4 l + c` of the rows `4 q …`.
    let mut quads = pairs;
    for quad in 0..BLOCK / 4 {
        let row = |row: usize| pairs[4 * quad + row];
        quads[4 * quad] = _mm512_unpacklo_epi64(row(0), row(2));
        quads[4 * quad + 1] = _mm512_unpackhi_epi64(row(0), row(2));
        quads[4 * quad + 2] = _mm512_unpacklo_epi64(row(1), row(3));
        quads[4 * quad + 3] = _mm512_unpackhi_epi64(row(1), row(3));
    }
    let mut columns = quads;
    for column in 0..4 {
        let row = |quad: usize| quads[4 * quad + column];
        let (even_low, odd_low) = (
            _mm512_shuffle_i32x4::<0x88>(row(0), row(1)),
            _mm512_shuffle_i32x4::<0xdd>(row(0), row(1)),
        );
        let (even_high, odd_high) = (
            _mm512_shuffle_i32x4::<0x88>(row(2), row(3)),
            _mm512_shuffle_i32x4::<0xdd>(row(2), row(3)),
        );
        columns[column] = _mm512_shuffle_i32x4::<0x88>(even_low, even_high);
        columns[column + 8] = _mm512_shuffle_i32x4::<0xdd>(even_low, even_high);
        columns[column + 4] = _mm512_shuffle_i32x4::<0x88>(odd_low, odd_high);
        columns[column + 12] = _mm512_shuffle_i32x4::<0xdd>(odd_low, odd_high);
    }
    columns
}
