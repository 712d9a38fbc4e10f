//! Tiles in AVX512: six rows of up to four registers of sums.
//!
//! Per word of the inner axis a tile takes 24 multiplications for ten loads, so the multipliers are what limits it.
#![allow(unsafe_code)]

use super::kernel::{Kernel, Tile, Word};
use super::tile_kernel::{ROWS, tile_kernel};

/// Pairs of bf16.
pub(super) static BF16: Kernel = Kernel {
    name: "AVX512-BF16",
    word: Word::Bf16Pair,
    tile_rows: ROWS,
    tile_columns: 64,
    lanes: 16,
    multiply: multiply_bf16,
    state: None,
};

/// Single numbers.
pub(super) static F32: Kernel = Kernel {
    name: "AVX512",
    word: Word::F32,
    tile_rows: ROWS,
    tile_columns: 64,
    lanes: 16,
    multiply: multiply_f32,
    state: None,
};

/// Whether the processor multiplies f32 like this.
pub(super) fn has_f32() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
        && std::arch::is_x86_feature_detected!("avx512bw")
        && std::arch::is_x86_feature_detected!("avx512dq")
        && std::arch::is_x86_feature_detected!("avx512vl")
}

/// Whether the processor multiplies bf16 like this.
pub(super) fn has_bf16() -> bool {
    has_f32() && std::arch::is_x86_feature_detected!("avx512bf16")
}

mod floats {
    use std::arch::x86_64::{
        __m512, _MM_HINT_ET0, _mm_prefetch, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mul_ps,
        _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    };

    pub(super) const LANES: usize = 16;

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn zero() -> __m512 {
        _mm512_setzero_ps()
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn load(words: *const u32) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_ps(words.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn broadcast(word: *const u8) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_set1_ps(word.cast::<f32>().read_unaligned()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn dot(sum: __m512, left: __m512, right: __m512) -> __m512 {
        _mm512_fmadd_ps(left, right, sum)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) fn prefetch(out: *const f32) {
        _mm_prefetch::<_MM_HINT_ET0>(out.cast());
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn store(out: *mut f32, sum: __m512, keep: f32, scale: f32) {
        let sum = _mm512_mul_ps(sum, _mm512_set1_ps(scale));
        // SAFETY: the caller's.
        unsafe {
            let sum = if keep == 0.0 {
                sum
            } else {
                _mm512_fmadd_ps(_mm512_loadu_ps(out), _mm512_set1_ps(keep), sum)
            };
            _mm512_storeu_ps(out, sum);
        }
    }
}

mod pairs {
    use std::arch::x86_64::{
        __m512, __m512bh, __m512i, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_set1_epi32,
    };

    pub(super) use super::floats::{LANES, prefetch, store, zero};

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn load(words: *const u32) -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_loadu_si512(words.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn broadcast(word: *const u8) -> __m512i {
        // SAFETY: the caller's.
        unsafe { _mm512_set1_epi32(word.cast::<i32>().read_unaligned()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn dot(sum: __m512, left: __m512i, right: __m512i) -> __m512 {
        // SAFETY: vectors of bf16 are plain bits.
        let [left, right] = unsafe {
            [
                std::mem::transmute::<__m512i, __m512bh>(left),
                std::mem::transmute::<__m512i, __m512bh>(right),
            ]
        };
        _mm512_dpbf16_ps(sum, left, right)
    }
}

tile_kernel!(bf16_1, "avx512f,avx512bf16", pairs, 0);
tile_kernel!(bf16_2, "avx512f,avx512bf16", pairs, 0 1);
tile_kernel!(bf16_3, "avx512f,avx512bf16", pairs, 0 1 2);
tile_kernel!(bf16_4, "avx512f,avx512bf16", pairs, 0 1 2 3);
tile_kernel!(f32_1, "avx512f", floats, 0);
tile_kernel!(f32_2, "avx512f", floats, 0 1);
tile_kernel!(f32_3, "avx512f", floats, 0 1 2);
tile_kernel!(f32_4, "avx512f", floats, 0 1 2 3);

/// # Safety
/// As [`Kernel::multiply`].
unsafe fn multiply_bf16(tile: &Tile) {
    // SAFETY: the caller's.
    unsafe {
        match tile.right_width / 16 {
            1 => bf16_1(tile),
            2 => bf16_2(tile),
            3 => bf16_3(tile),
            _ => bf16_4(tile),
        }
    }
}

/// # Safety
/// As [`Kernel::multiply`].
unsafe fn multiply_f32(tile: &Tile) {
    // SAFETY: the caller's.
    unsafe {
        match tile.right_width / 16 {
            1 => f32_1(tile),
            2 => f32_2(tile),
            3 => f32_3(tile),
            _ => f32_4(tile),
        }
    }
}
