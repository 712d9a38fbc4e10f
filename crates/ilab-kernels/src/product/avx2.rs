//! Tiles in AVX2: six rows of two registers of sums.
#![allow(unsafe_code)]

use super::kernel::{Kernel, Word};
use super::tile_kernel::{ROWS, tile_kernel};

/// Single numbers.
pub(super) static F32: Kernel = Kernel {
    name: "AVX2",
    word: Word::F32,
    tile_rows: ROWS,
    tile_columns: 16,
    lanes: 16,
    multiply: f32_2,
    state: None,
};

/// Whether the processor has these instructions.
pub(super) fn is_available() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
}

mod floats {
    use std::arch::x86_64::{
        __m256, _MM_HINT_T0, _mm_prefetch, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };

    pub(super) const LANES: usize = 8;

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn zero() -> __m256 {
        _mm256_setzero_ps()
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn load(words: *const u32) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_loadu_ps(words.cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn broadcast(word: *const u8) -> __m256 {
        // SAFETY: the caller's.
        unsafe { _mm256_broadcast_ss(&word.cast::<f32>().read_unaligned()) }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn dot(sum: __m256, left: __m256, right: __m256) -> __m256 {
        _mm256_fmadd_ps(left, right, sum)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn prefetch(out: *const f32) {
        _mm_prefetch::<_MM_HINT_T0>(out.cast());
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn store(out: *mut f32, sum: __m256, keep: f32, scale: f32) {
        let sum = _mm256_mul_ps(sum, _mm256_set1_ps(scale));
        // SAFETY: the caller's.
        unsafe {
            let sum = if keep == 0.0 {
                sum
            } else {
                _mm256_fmadd_ps(_mm256_loadu_ps(out), _mm256_set1_ps(keep), sum)
            };
            _mm256_storeu_ps(out, sum);
        }
    }
}

tile_kernel!(f32_2, "avx2,fma", floats, 0 1);
