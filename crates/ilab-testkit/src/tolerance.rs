//! How far two lists of numbers may be apart.

/// `|got - expected| <= absolute + relative * |expected|`, for every element; NaN is never close to anything.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Allowed whatever the size of the value.
    pub absolute: f64,
    /// Allowed as a share of the expected value.
    pub relative: f64,
}

/// Two lists differ.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Mismatch {
    /// They are not equally long.
    #[error("expected {expected} values, got {got}")]
    Length {
        /// Values expected.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// Values are too far apart; the worst is named.
    #[error(
        "{n_wrong} of {n_values} values differ, worst at index {index}: expected {expected}, got {got}, off by {error} where {allowed} is allowed"
    )]
    Values {
        /// How many are too far apart.
        n_wrong: usize,
        /// How many there are.
        n_values: usize,
        /// Where the distance exceeds the allowance most; a NaN before all others.
        index: usize,
        /// The value expected there.
        expected: f64,
        /// The value given there.
        got: f64,
        /// Their distance.
        error: f64,
        /// The distance allowed there.
        allowed: f64,
    },
}

impl Tolerance {
    /// A tolerance with both parts.
    pub const fn new(absolute: f64, relative: f64) -> Self {
        Self { absolute, relative }
    }

    /// Compares all elements.
    ///
    /// # Errors
    /// Another length, or the worst of the elements that are too far apart.
    pub fn compare<T: Copy + Into<f64>>(&self, got: &[T], expected: &[T]) -> Result<(), Mismatch> {
        if got.len() != expected.len() {
            return Err(Mismatch::Length {
                expected: expected.len(),
                got: got.len(),
            });
        }
        let mut n_wrong = 0;
        let mut worst: Option<(f64, usize)> = None;
        for (index, (got, expected)) in got.iter().zip(expected).enumerate() {
            let (error, allowed) = self.distance((*got).into(), (*expected).into());
            if error <= allowed {
                continue;
            }
            n_wrong += 1;
            let excess = match error - allowed {
                excess if excess.is_nan() => f64::INFINITY,
                excess => excess,
            };
            if worst.is_none_or(|(so_far, _)| excess > so_far) {
                worst = Some((excess, index));
            }
        }
        let Some((_, index)) = worst else {
            return Ok(());
        };
        let (got_value, expected_value) = (got[index].into(), expected[index].into());
        let (error, allowed) = self.distance(got_value, expected_value);
        Err(Mismatch::Values {
            n_wrong,
            n_values: got.len(),
            index,
            expected: expected_value,
            got: got_value,
            error,
            allowed,
        })
    }

    /// Compares all elements and fails the test with the worst of them.
    ///
    /// # Panics
    /// The lists are not close.
    #[track_caller]
    pub fn assert_close<T: Copy + Into<f64>>(&self, got: &[T], expected: &[T], what: &str) {
        if let Err(mismatch) = self.compare(got, expected) {
            panic!("{what}: {mismatch}");
        }
    }

    fn distance(&self, got: f64, expected: f64) -> (f64, f64) {
        // Equal infinities are close although their difference is NaN.
        let error = if got == expected {
            0.0
        } else {
            (got - expected).abs()
        };
        (error, self.absolute + self.relative * expected.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOSE: Tolerance = Tolerance::new(0.1, 0.01);

    #[test]
    fn the_formula_has_both_parts() {
        assert_eq!(LOOSE.compare(&[0.09, 101.0], &[0.0, 100.0]), Ok(()));
        let mismatch = LOOSE.compare(&[0.2, 103.0, 1.0], &[0.0, 100.0, 1.0]);
        assert!(matches!(
            mismatch,
            Err(Mismatch::Values {
                n_wrong: 2,
                index: 1,
                ..
            })
        ));
    }

    #[test]
    fn nan_is_never_close() {
        for (got, expected) in [
            (f64::NAN, 1.0),
            (1.0, f64::NAN),
            (f64::NAN, f64::NAN),
            (f64::INFINITY, 1.0),
        ] {
            let mismatch = LOOSE.compare(&[9.0, got], &[0.0, expected]);
            assert!(
                matches!(
                    mismatch,
                    Err(Mismatch::Values {
                        n_wrong: 2,
                        index: 1,
                        ..
                    })
                ),
                "{mismatch:?}"
            );
        }
        assert_eq!(LOOSE.compare(&[f64::INFINITY], &[f64::INFINITY]), Ok(()));
    }

    #[test]
    fn lengths_differ() {
        assert!(LOOSE.compare(&[1.0_f32], &[]).is_err());
    }
}
