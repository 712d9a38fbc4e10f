//! Random numbers that repeat.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The one generator that the project draws from.
pub type Rng = ChaCha8Rng;

/// A generator for one purpose: the same `seed` and `purpose` always give the same stream, and two purposes never share one.
pub fn rng(seed: u64, purpose: &str) -> Rng {
    ChaCha8Rng::seed_from_u64(seed ^ fnv1a(purpose.as_bytes()))
}

/// FNV-1a, 64 bits: <http://www.isthe.com/chongo/tech/comp/fnv/>.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng as _;

    #[test]
    fn purpose_and_seed_select_the_stream() {
        let draw = |seed, purpose: &str| rng(seed, purpose).next_u64();
        assert_eq!(draw(1, "packing"), draw(1, "packing"));
        assert_ne!(draw(1, "packing"), draw(1, "dropout"));
        assert_ne!(draw(1, "packing"), draw(2, "packing"));
    }
}
