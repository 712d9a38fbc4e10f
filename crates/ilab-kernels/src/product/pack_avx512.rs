//! Whole blocks of 16 lines by 16 words, rearranged in registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m256i, __m512bh, __m512i, _MM_HINT_T0, _mm_prefetch, _mm256_loadu_si256,
    _mm512_castsi256_si512, _mm512_cvtepu16_epi32, _mm512_cvtne2ps_pbh, _mm512_inserti64x4,
    _mm512_loadu_ps, _mm512_loadu_si512, _mm512_permutexvar_epi16, _mm512_shuffle_i32x4,
    _mm512_slli_epi32, _mm512_storeu_si512, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
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
            ahead: if source.is_k_major {
                depth * source.stride * size_of::<N>()
            } else {
                BYTES_AHEAD
            },
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

/// How far ahead along a line memory is asked for.
const BYTES_AHEAD: usize = 512;

/// Rows in memory, their distance in bytes.
#[derive(Clone, Copy)]
struct Read {
    data: *const u8,
    stride: usize,
    /// How far ahead, in bytes, memory is asked for: sixteen rows are more than the processor foresees by itself.
    ahead: usize,
}

impl Read {
    /// Where a row starts.
    #[inline(always)]
    fn row(self, row: usize) -> *const u8 {
        let start = self.data.wrapping_add(row * self.stride);
        prefetch(start.wrapping_add(self.ahead));
        start
    }
}

/// Asks for a cache line.
#[inline(always)]
fn prefetch(place: *const u8) {
    // SAFETY: a hint, which never faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) }
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
        unsafe { _mm512_loadu_si512(read.row(index).cast()) }
    }
}

impl Words for F32PairsOfLine {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's; vectors of bf16 are plain bits.
        unsafe {
            let line = read.row(index).cast::<f32>();
            prefetch(line.cast::<u8>().wrapping_add(64 + BYTES_AHEAD));
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
            let row = |row: usize| _mm512_loadu_ps(read.row(row).cast());
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
        let values = unsafe { _mm256_loadu_si256(read.row(index).cast()) };
        _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(values))
    }
}

impl Words for Bf16PairsOfLine {
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_si512(read.row(index).cast()) }
    }
}

impl Words for Bf16PairsOfRows {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn words(read: Read, index: usize) -> __m512i {
        // SAFETY: the caller's.
        unsafe {
            let row = |row: usize| -> __m256i { _mm256_loadu_si256(read.row(row).cast()) };
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

/// An array of sixteen, written out: a loop that is unrolled late leaves the registers in memory.
macro_rules! sixteen {
    ($of:expr) => {
        [
            $of(0),
            $of(1),
            $of(2),
            $of(3),
            $of(4),
            $of(5),
            $of(6),
            $of(7),
            $of(8),
            $of(9),
            $of(10),
            $of(11),
            $of(12),
            $of(13),
            $of(14),
            $of(15),
        ]
    };
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
    // SAFETY: the caller's.
    unsafe {
        let words = |index: usize| W::words(read, index);
        let mut block = sixteen!(words);
        if is_k_major != (order == Order::ByWord) {
            block = transposed(block);
        }
        let start = out.as_mut_ptr();
        let store = |index: usize| {
            _mm512_storeu_si512(start.add(index * stride).cast(), block[index]);
        };
        let _stored: [(); BLOCK] = sixteen!(store);
    }
}

/// The transposed block.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(block: [__m512i; BLOCK]) -> [__m512i; BLOCK] {
    let pairs = |index: usize| {
        let (even, odd) = (block[index & !1], block[index | 1]);
        if index & 1 == 0 {
            _mm512_unpacklo_epi32(even, odd)
        } else {
            _mm512_unpackhi_epi32(even, odd)
        }
    };
    let pairs = sixteen!(pairs);
    // Row `4 q + c` then holds, in its lane `l`, column `4 l + c` of the rows `4 q …`.
    let quads = |index: usize| {
        let first = (index & !3) + (index & 2) / 2;
        let (even, odd) = (pairs[first], pairs[first + 2]);
        if index & 1 == 0 {
            _mm512_unpacklo_epi64(even, odd)
        } else {
            _mm512_unpackhi_epi64(even, odd)
        }
    };
    let quads = sixteen!(quads);
    // Lanes 0 and 2, or 1 and 3, of eight rows.
    let halves = |index: usize| {
        let first = (index & 3) + (index & 8);
        let (low, high) = (quads[first], quads[first + 4]);
        if index & 4 == 0 {
            _mm512_shuffle_i32x4::<0x88>(low, high)
        } else {
            _mm512_shuffle_i32x4::<0xdd>(low, high)
        }
    };
    let halves = sixteen!(halves);
    let columns = |index: usize| {
        let (low, high) = (halves[index & 7], halves[(index & 7) + 8]);
        if index & 8 == 0 {
            _mm512_shuffle_i32x4::<0x88>(low, high)
        } else {
            _mm512_shuffle_i32x4::<0xdd>(low, high)
        }
    };
    sixteen!(columns)
}
