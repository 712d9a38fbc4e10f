//! Blocks in AMX: sixteen rows by sixteen columns of sums an instruction.
//!
//! # Source
//! Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18; the permission that Linux wants is
//! that of <https://docs.kernel.org/arch/x86/xstate.html>.
#![allow(unsafe_code)]

use std::arch::asm;
use std::sync::OnceLock;

use super::blocks::{BLOCK, Run, SUMS, Steps, Sums, multiply};
use super::kernel::{Kernel, State, Word};
use super::{Target, multiply_with, portable};
use crate::factor::Factor;
use crate::matmul::Threads;

/// Pairs of bf16.
pub(super) static BF16: Kernel = Kernel {
    name: "AMX-BF16",
    word: Word::Bf16Pair,
    tile_rows: SUMS,
    tile_columns: 64,
    lanes: BLOCK,
    multiply: multiply::<Amx>,
    state: Some(State {
        enter: configure,
        leave: release,
    }),
};

/// Whether the processor has AMX, the system lets us use it, and it multiplies a sample as plain Rust does.
pub(super) fn is_available() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| has_instructions() && is_permitted() && agrees_on_a_sample())
}

/// Whether processor and system know the instructions and their registers.
fn has_instructions() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    const OSXSAVE: u32 = 1 << 27;
    const TILE_STATE: u32 = 0b11 << 17;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
        return false;
    }
    let wanted = AMX_BF16 | AMX_TILE;
    if __cpuid_count(7, 0).edx & wanted != wanted {
        return false;
    }
    let enabled: u32;
    // SAFETY: the system has enabled this instruction (OSXSAVE); it only reads a register.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") enabled, out("edx") _, options(nomem, nostack, preserves_flags));
    }
    enabled & TILE_STATE == TILE_STATE
}

/// Asks Linux for the tile registers, which it hands out on request only.
#[cfg(target_os = "linux")]
fn is_permitted() -> bool {
    const ARCH_PRCTL: isize = 158;
    const REQUEST_PERMISSION: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let answer: isize;
    // SAFETY: a system call that takes no pointers; it clobbers the two registers named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => answer,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

/// No other system says how it would be asked.
#[cfg(not(target_os = "linux"))]
fn is_permitted() -> bool {
    false
}

/// Whether a product with edges on all sides comes out as from plain Rust.
fn agrees_on_a_sample() -> bool {
    let (m, k, n) = (41, 75, 83);
    let sample = |n: usize, step: usize| -> Vec<f32> {
        (0..n)
            .map(|index| ((index * step) % 17) as f32 / 8.0 - 1.0)
            .collect()
    };
    let (a, b) = (sample(m * k, 7), sample(k * n, 5));
    let product = |kernel: &'static Kernel| {
        let mut out = vec![0.5; m * n];
        let target = Target::dense(&mut out, n);
        let (a, b) = (Factor::dense(&a, m, k), Factor::dense(&b, k, n));
        multiply_with(kernel, &target, [1.0, 1.0], a, b, Threads::One);
        out
    };
    let (found, expected) = (product(&BF16), product(&portable::BF16));
    // Sixteenths: only the order of the sum differs, and all of it is exact.
    found
        .iter()
        .zip(&expected)
        .all(|(found, expected)| (found - expected).abs() <= 1e-3)
}

/// What `ldtilecfg` reads: eight tiles of sixteen rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    n_rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    n_rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Sets up the tiles of this thread.
///
/// # Safety
/// The processor has AMX and the system permits it.
unsafe fn configure() {
    // SAFETY: the caller's; the configuration is 64 bytes.
    unsafe {
        asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, preserves_flags));
    }
}

/// Gives the tiles of this thread back, so that the system need not save them.
///
/// # Safety
/// As for [`configure`].
unsafe fn release() {
    // SAFETY: the caller's.
    unsafe {
        asm!("tilerelease", options(nomem, nostack, preserves_flags));
    }
}

struct Amx;

impl Steps for Amx {
    /// Tiles 0 to 3 hold the sums, 4 and 5 the rows, 6 and 7 the columns.
    unsafe fn add(sums: &mut Sums, run: Run) {
        // SAFETY: the caller's; the sums are four tiles, rows 128 bytes apart.
        unsafe {
            asm!(
                "tileloadd tmm0, [{sums} + {sums_stride}*1]",
                "tileloadd tmm1, [{sums} + {sums_stride}*1 + 64]",
                "tileloadd tmm2, [{sums} + {sums_stride}*1 + 2048]",
                "tileloadd tmm3, [{sums} + {sums_stride}*1 + 2112]",
                "2:",
                "tileloadd tmm4, [{top} + {left_stride}*1]",
                "tileloadd tmm5, [{bottom} + {left_stride}*1]",
                "tileloadd tmm6, [{first} + {right_stride}*1]",
                "tileloadd tmm7, [{second} + {right_stride}*1]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {top}, 64",
                "add {bottom}, 64",
                "add {first}, {right_step}",
                "add {second}, {right_step}",
                "dec {n_steps}",
                "jnz 2b",
                "tilestored [{sums} + {sums_stride}*1], tmm0",
                "tilestored [{sums} + {sums_stride}*1 + 64], tmm1",
                "tilestored [{sums} + {sums_stride}*1 + 2048], tmm2",
                "tilestored [{sums} + {sums_stride}*1 + 2112], tmm3",
                sums = in(reg) sums.0.as_mut_ptr(),
                sums_stride = in(reg) 4 * SUMS,
                top = inout(reg) run.left => _,
                bottom = inout(reg) run.left.add(BLOCK * run.left_stride) => _,
                left_stride = in(reg) run.left_stride,
                first = inout(reg) run.right[0] => _,
                second = inout(reg) run.right[1] => _,
                right_stride = in(reg) run.right_stride,
                right_step = in(reg) BLOCK * run.right_stride,
                n_steps = inout(reg) run.n_steps => _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}
