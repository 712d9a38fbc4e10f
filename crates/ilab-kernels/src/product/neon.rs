//! Tiles in NEON: six rows of four registers of sums.
#![allow(unsafe_code)]

use super::kernel::{Kernel, Word};
use super::tile_kernel::{ROWS, tile_kernel};

/// Single numbers.
pub(super) static F32: Kernel = Kernel {
    name: "NEON",
    word: Word::F32,
    tile_rows: ROWS,
    tile_columns: 16,
    lanes: 16,
    multiply: f32_4,
    state: None,
};

mod floats {
    use std::arch::aarch64::{
        float32x4_t, vdupq_n_f32, vfmaq_f32, vld1q_f32, vmulq_n_f32, vst1q_f32,
    };

    pub(super) const LANES: usize = 4;

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn zero() -> float32x4_t {
        vdupq_n_f32(0.0)
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn load(words: *const u32) -> float32x4_t {
        // SAFETY: the caller's.
        unsafe { vld1q_f32(words.cast()) }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn broadcast(word: *const u8) -> float32x4_t {
        // SAFETY: the caller's.
        vdupq_n_f32(unsafe { word.cast::<f32>().read_unaligned() })
    }

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn dot(sum: float32x4_t, left: float32x4_t, right: float32x4_t) -> float32x4_t {
        vfmaq_f32(sum, left, right)
    }

    /// Stable Rust has no such hint here.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn prefetch(_out: *const f32) {}

    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) unsafe fn store(out: *mut f32, sum: float32x4_t, keep: f32, scale: f32) {
        let sum = vmulq_n_f32(sum, scale);
        // SAFETY: the caller's.
        unsafe {
            let sum = if keep == 0.0 {
                sum
            } else {
                vfmaq_f32(sum, vld1q_f32(out), vdupq_n_f32(keep))
            };
            vst1q_f32(out, sum);
        }
    }
}

tile_kernel!(f32_4, "neon", floats, 0 1 2 3);
