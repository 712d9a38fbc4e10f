//! Plain loops compiled for the widest vectors of the processor at hand, chosen at run time.
//!
//! A loop in a crate that is built for every x86-64 gets the vectors of 2003. Here the same loop is compiled three times
//! and the processor picks.

/// Runs `work` compiled for AVX512, AVX2, or the baseline, whichever is the widest the processor has.
///
/// Loops are compiled anew only where they are inlined: what `work` calls has to be `#[inline(always)]`. Sums have to be
/// written in lanes, since the compiler never reorders additions. The result is the same with any of the three.
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
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has these instructions.
            #[allow(unsafe_code)]
            return unsafe { avx2(work) };
        }
    }
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Lanes of a sum: one register of AVX512.
const LANES: usize = 16;

/// `Σ f(index)` in sixteen lanes: faster than one chain of additions, and closer to the exact value.
#[inline(always)]
pub(crate) fn sum(n: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += f(start + lane);
        }
    }
    for index in whole..n {
        lanes[index % LANES] += f(index);
    }
    lanes.iter().sum()
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
    lanes
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, larger)
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
            let found = widest(|| sum(x.len(), |index| x[index]));
            assert!((f64::from(found) - plain).abs() < 1e-5, "{n}");
            let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert!(widest(|| maximum(&x)) == highest, "{n}");
        }
    }
}
