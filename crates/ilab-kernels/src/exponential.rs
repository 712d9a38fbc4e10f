//! An exponential that the compiler can vectorise.

/// `e^x` within 2 units in the last place for finite `x`; 0 below -87.3 and about 2.2e38 above 88.3.
///
/// # Source
/// The range reduction and polynomial of Cephes `expf`: <https://www.netlib.org/cephes/>. The integer is rounded by adding
/// `1.5 · 2²³`, whose lower bits it becomes: a conversion that saturates is not vectorised.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const ROUNDER: f32 = 12_582_912.0;
    // NaN stays: comparisons with it are false.
    let clamped = if x < -87.3 { -87.3 } else { x };
    let clamped = if clamped > 88.3 { 88.3 } else { clamped };
    let rounded = clamped.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = rounded - ROUNDER;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, clamped));
    let polynomial = 1.987_569_1e-4f32
        .mul_add(r, 1.398_199_9e-3)
        .mul_add(r, 8.333_452e-3)
        .mul_add(r, 4.166_579_6e-2)
        .mul_add(r, 1.666_666_6e-1)
        .mul_add(r, 0.5);
    let mantissa = (polynomial * r).mul_add(r, r) + 1.0;
    // Within [-126, 127], so the shifted exponent fits its eight bits.
    let scale = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    if x < -87.3 { 0.0 } else { mantissa * scale }
}

#[cfg(test)]
mod tests {
    #[test]
    fn agrees_with_the_standard_library() {
        for step in -8700..8800 {
            let x = step as f32 / 100.0 + 0.003;
            let (ours, exact) = (super::exp(x), x.exp());
            assert!(
                (ours - exact).abs() <= 3e-7 * exact,
                "exp({x}) = {ours}, expected {exact}"
            );
        }
        assert_eq!(super::exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(super::exp(-1000.0), 0.0);
        assert!(super::exp(f32::NAN).is_nan());
    }
}
