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

/// `Σ f(values)` over slices of one length, in sixteen lanes: faster than one chain of additions, and closer to the exact
/// value.
#[inline(always)]
pub(crate) fn sum<const N: usize>(slices: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let split = slices.map(<[f32]>::as_chunks::<LANES>);
    let n_chunks = split
        .iter()
        .map(|(chunks, _)| chunks.len())
        .min()
        .unwrap_or(0);
    let chunks = split.map(|(chunks, _)| &chunks[..n_chunks]);
    for index in 0..n_chunks {
        let values = chunks.map(|chunks| &chunks[index]);
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += f(values.map(|values| values[lane]));
        }
    }
    let rests = split.map(|(_, rest)| rest);
    let n_rest = rests.iter().map(|rest| rest.len()).min().unwrap_or(0);
    for (lane, total) in lanes.iter_mut().take(n_rest).enumerate() {
        *total += f(rests.map(|rest| rest[lane]));
    }
    total(lanes)
}

/// The sum of all lanes, by halves.
#[inline(always)]
pub(crate) fn total(mut lanes: [f32; LANES]) -> f32 {
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
    let highest = rest.iter().copied().fold(f32::NEG_INFINITY, larger);
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        for lane in 0..n {
            lanes[lane] = larger(lanes[lane], lanes[lane + n]);
        }
    }
    larger(highest, lanes[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attention::tests::values;

    #[test]
    fn sums_and_maxima_of_any_length_are_those_of_the_plain_loop() {
        for n in [0, 1, 15, 16, 17, 100] {
            let x = values(n, 3);
            let plain: f64 = x.iter().map(|x| f64::from(*x)).sum();
            let found = widest(|| sum([&x], |[x]| x));
            assert!((f64::from(found) - plain).abs() < 1e-5, "{n}");
            let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!(widest(|| maximum(&x)) == highest, "{n}");
        }
    }
}
