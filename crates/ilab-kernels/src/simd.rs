//! Plain loops compiled for the widest vectors of the processor at hand, chosen at run time.
//!
//! A loop in a crate that is built for every x86-64 gets the vectors of 2003. Here the same loop is compiled three times
//! and the processor picks.

/// Runs `work` compiled for AVX512, AVX2, or the baseline, whichever is the widest the processor has.
///
/// Loops are compiled anew only where they are inlined: what `work` calls has to be `#[inline(always)]`. Sums have to be
/// written in lanes, since the compiler never reorders additions, and `mul_add` where multiplication and addition are to be
/// one instruction. The result is the same with any of the three.
#[inline(always)]
pub(crate) fn widest<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
            && std::arch::is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the processor has these instructions.
            #[allow(unsafe_code)]
            return unsafe { avx512(work) };
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma")
        {
            // SAFETY: the processor has these instructions.
            #[allow(unsafe_code)]
            return unsafe { avx2(work) };
        }
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Lanes of a sum: one register of AVX512.
pub(crate) const LANES: usize = 16;

/// `Σ x · y` in sixteen lanes: faster than one chain of additions, and closer to the exact value.
///
/// # Panics
/// When `y` is shorter.
#[inline(always)]
pub(crate) fn dot(x: &[f32], y: &[f32]) -> f32 {
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let (y_chunks, y_rest) = y[..x.len()].as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for (x, y) in x_chunks.iter().zip(y_chunks) {
        for lane in 0..LANES {
            lanes[lane] = x[lane].mul_add(y[lane], lanes[lane]);
        }
    }
    // Apart from the lanes, which stay in a register as long as no variable indexes them.
    let tail: f32 = x_rest.iter().zip(y_rest).map(|(x, y)| x * y).sum();
    total(lanes) + tail
}

/// `Σ x · y · z` like [`dot`].
///
/// # Panics
/// When `y` or `z` is shorter.
#[inline(always)]
pub(crate) fn dot3(x: &[f32], y: &[f32], z: &[f32]) -> f32 {
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    let (y_chunks, y_rest) = y[..x.len()].as_chunks::<LANES>();
    let (z_chunks, z_rest) = z[..x.len()].as_chunks::<LANES>();
    let mut lanes = [0.0f32; LANES];
    for ((x, y), z) in x_chunks.iter().zip(y_chunks).zip(z_chunks) {
        for lane in 0..LANES {
            lanes[lane] = (x[lane] * y[lane]).mul_add(z[lane], lanes[lane]);
        }
    }
    let rests = x_rest.iter().zip(y_rest).zip(z_rest);
    let tail: f32 = rests.map(|((x, y), z)| x * y * z).sum();
    total(lanes) + tail
}

/// The sum of all lanes, by halves.
#[inline(always)]
pub(crate) fn total(lanes: [f32; LANES]) -> f32 {
    // In memory for a moment: the compiler forms vectors backwards from where they end, and from halves it would form
    // eight registers of two lanes for the loop before.
    let mut lanes = std::hint::black_box(lanes);
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        for lane in 0..n {
            lanes[lane] += lanes[lane + n];
        }
    }
    lanes[0]
}

/// The largest of the values, in lanes; negative infinity of none.
#[inline(always)]
pub(crate) fn maximum(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *value);
        }
    }
    // As in `total`.
    let highest = std::hint::black_box(lanes)
        .into_iter()
        .fold(f32::NEG_INFINITY, larger);
    rest.iter().copied().fold(highest, larger)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::values;

    #[test]
    fn sums_and_maxima_of_any_length_are_those_of_the_plain_loop() {
        for n in [0, 1, 15, 16, 17, 100] {
            let x = values(n, 3);
            let (y, z) = (values(n, 4), values(n, 5));
            let term = |index: usize| f64::from(x[index]) * f64::from(y[index]);
            let plain: f64 = (0..n).map(term).sum();
            assert!(
                (f64::from(widest(|| dot(&x, &y))) - plain).abs() < 1e-5,
                "{n}"
            );
            let plain: f64 = (0..n).map(|index| term(index) * f64::from(z[index])).sum();
            assert!(
                (f64::from(widest(|| dot3(&x, &y, &z))) - plain).abs() < 1e-5,
                "{n}"
            );
            let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!(widest(|| maximum(&x)) == highest, "{n}");
        }
    }
}
