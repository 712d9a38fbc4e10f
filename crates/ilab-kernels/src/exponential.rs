//! An exponential that the compiler can vectorise.

/// `e^x` within 2 units in the last place for finite `x`; 0 below -87.3 and about 2.4e38 above 88.4.
///
/// # Source
/// The range reduction and polynomial of Cephes `expf`: <https://www.netlib.org/cephes/>.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.3, 88.3);
    let n = (clamped * std::f32::consts::LOG2_E).round_ties_even();
    let r = clamped - n * LN2_HIGH - n * LN2_LOW;
    let polynomial =
        ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r
            + 1.666_666_6e-1)
            * r
            + 5e-1;
    let mantissa = polynomial * r * r + r + 1.0;
    // `n` is within [-126, 127], so the shifted exponent fits its eight bits.
    #[allow(clippy::cast_possible_truncation)]
    let scale = f32::from_bits(((n as i32 + 127) << 23) as u32);
    let value = mantissa * scale;
    if x < -87.3 { 0.0 } else { value }
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
