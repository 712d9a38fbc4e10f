//! Axes: round numbers for the marks, and how they are written.

/// The values that an axis spans, and its marks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) marks: Vec<f64>,
}

impl Axis {
    /// An axis from at most `low` to at least `high`, with marks at multiples of 1, 2 or 5 times a power of ten, about
    /// `n_marks` of them.
    pub(super) fn spanning(low: f64, high: f64, n_marks: usize) -> Self {
        let (low, high) = apart(low, high);
        let step = round_step((high - low) / n_marks.max(1) as f64);
        let (first, last) = ((low / step).floor() as i64, (high / step).ceil() as i64);
        let marks: Vec<f64> = (first..=last).map(|index| index as f64 * step).collect();
        Self {
            low: first as f64 * step,
            high: last as f64 * step,
            marks,
        }
    }

    /// The same for numbers of steps: it ends where they end, and marks are whole.
    pub(super) fn of_steps(first: f64, last: f64) -> Self {
        let (low, high) = apart(first, last.max(first));
        let step = round_step((high - low) / 5.0).max(1.0);
        let marks = ((low / step).ceil() as i64..=(high / step).floor() as i64)
            .map(|index| index as f64 * step)
            .collect();
        Self { low, high, marks }
    }

    /// Where a value lies, 0 at the low end and 1 at the high one.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// Two values that can be the ends of an axis.
fn apart(low: f64, high: f64) -> (f64, f64) {
    if high - low > low.abs().max(high.abs()) * 1e-9 {
        (low, high)
    } else if low == 0.0 {
        (0.0, 1.0)
    } else {
        (low - low.abs() * 0.5, low + low.abs() * 0.5)
    }
}

/// The next larger of 1, 2 and 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let rounded = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|round| step <= round * power * 1.000_001);
    rounded.unwrap_or(10.0) * power
}

/// A number with about four digits: "0.0421", "12.5", "1,250", "2.0e-5".
pub(super) fn shown(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if size == 0.0 => "0".to_owned(),
        ..1e-3 => format!("{value:.1e}"),
        ..1.0 => trimmed(&format!("{value:.4}")),
        ..10.0 => trimmed(&format!("{value:.3}")),
        ..100.0 => trimmed(&format!("{value:.2}")),
        ..1000.0 => trimmed(&format!("{value:.1}")),
        _ => grouped(value.round()),
    }
}

fn trimmed(number: &str) -> String {
    number
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

/// Thousands set apart by commas; above a quintillion, a power of ten.
pub(super) fn grouped(value: f64) -> String {
    if value.is_nan() || value.abs() >= 1e18 {
        return format!("{value:.1e}");
    }
    let number = value as i64;
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if number < 0 {
        format!("-{grouped}")
    } else {
        grouped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn marks_are_round() {
        assert_eq!(
            Axis::spanning(0.13, 4.2, 5).marks,
            [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
        );
        assert_eq!(Axis::spanning(0.0, 2.1e-5, 4).marks.len(), 4);
        assert_eq!(Axis::spanning(7.0, 7.0, 4).low, 2.0);
        assert_eq!(Axis::spanning(0.0, 0.0, 2).marks, [0.0, 0.5, 1.0]);
        assert_eq!(Axis::of_steps(1.0, 12.0).marks, [5.0, 10.0]);
        assert_eq!(Axis::of_steps(1.0, 1.0).marks, [1.0]);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [
            0.0,
            2e-5,
            0.0421,
            0.5,
            3.24159,
            12.5,
            640.25,
            1250.4,
            -1_234_567.0,
            1e300,
            f64::NAN,
        ]
        .map(shown);
        assert_eq!(
            shown,
            [
                "0",
                "2.0e-5",
                "0.0421",
                "0.5",
                "3.242",
                "12.5",
                "640.2",
                "1,250",
                "-1,234,567",
                "1.0e300",
                "NaN"
            ]
        );
    }

    proptest! {
        #[test]
        fn everything_lies_on_its_axis(one in -1e12f64..1e12, other in -1e12f64..1e12, n_marks in 0usize..9) {
            let (low, high) = (one.min(other), one.max(other));
            let axis = Axis::spanning(low, high, n_marks);
            prop_assert!((-1e-9..=1.0 + 1e-9).contains(&axis.place(low)), "{:?}", axis);
            prop_assert!((-1e-9..=1.0 + 1e-9).contains(&axis.place(high)), "{:?}", axis);
            prop_assert!((2..=22).contains(&axis.marks.len()), "{:?}", axis);
        }
    }
}
