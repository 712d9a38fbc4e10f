//! Samples that are kept from training, to see on them what was learned.

use ilab_base::hint::Hint;
use ilab_base::seed;
use rand::RngExt as _;

use crate::dataset::Dataset;

/// A data set cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// The share is no share.
    #[error("a share of {fraction} of the samples cannot be kept for validation")]
    Fraction {
        /// The share that was asked for.
        fraction: f64,
    },
    /// One line cannot stand on both sides.
    #[error("the data is of {n_lines} lines, and two are needed to keep some for validation")]
    TooFew {
        /// Lines with samples.
        n_lines: usize,
    },
}

impl Hint for SplitError {
    fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::Fraction { .. } => "choose a share from 0 to below 1, such as 0.05".to_owned(),
            Self::TooFew { .. } => "choose a share of 0".to_owned(),
        }]
    }
}

impl Dataset {
    /// Splits into what is trained on and what is kept for validation: about `fraction` of the lines, at least one and never
    /// all, drawn from `seed`. What comes from one line stays together, and both sides keep the order of the file. A
    /// `fraction` of 0 keeps nothing.
    ///
    /// # Errors
    /// A `fraction` that is not from 0 to below 1, or a single line.
    pub fn split(self, fraction: f64, seed: u64) -> Result<(Self, Self), SplitError> {
        if !(0.0..1.0).contains(&fraction) {
            return Err(SplitError::Fraction { fraction });
        }
        if fraction == 0.0 {
            return Ok((self, Self::default()));
        }
        let mut lines = self.source_lines.clone();
        lines.dedup();
        let n_lines = lines.len();
        if n_lines < 2 {
            return Err(SplitError::TooFew { n_lines });
        }
        let n_kept = ((n_lines as f64 * fraction).round() as usize).clamp(1, n_lines - 1);
        let mut rng = seed::rng(seed, "validation split");
        for index in 0..n_kept {
            lines.swap(index, rng.random_range(index..n_lines));
        }
        lines.truncate(n_kept);
        lines.sort_unstable();
        let mut training = Self {
            left_out: self.left_out,
            ..Self::default()
        };
        let mut validation = Self::default();
        for (sample, line) in self.samples.into_iter().zip(self.source_lines) {
            let side = match lines.binary_search(&line) {
                Ok(_) => &mut validation,
                Err(_) => &mut training,
            };
            side.samples.push(sample);
            side.source_lines.push(line);
        }
        Ok((training, validation))
    }
}

#[cfg(test)]
mod tests {
    use ilab_text::sample::EncodedSample;
    use proptest::prelude::*;

    use super::*;

    /// A data set whose samples are named after their lines.
    fn of_lines(lines: &[usize]) -> Dataset {
        let sample = |line: &usize| EncodedSample {
            input_ids: vec![*line as u32; 2],
            is_learned: vec![true; 2],
        };
        Dataset {
            samples: lines.iter().map(sample).collect(),
            source_lines: lines.to_vec(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn what_cannot_be_split_is_named() {
        let error = |lines: &[usize], fraction| of_lines(lines).split(fraction, 1).unwrap_err();
        assert_eq!(error(&[3, 3], 0.5), SplitError::TooFew { n_lines: 1 });
        for fraction in [1.0, -0.1, f64::INFINITY] {
            assert_eq!(error(&[1, 2], fraction), SplitError::Fraction { fraction });
        }
        assert!(of_lines(&[1, 2]).split(f64::NAN, 1).is_err());
        let (training, validation) = of_lines(&[1]).split(0.0, 1).unwrap();
        assert_eq!((training.samples.len(), validation.samples.len()), (1, 0));
    }

    proptest! {
        #[test]
        fn lines_stay_together_and_no_side_is_empty(
            repeats in prop::collection::vec(1usize..4, 2..60), fraction in 0.001f64..0.999, seed: u64,
        ) {
            let lines: Vec<usize> = repeats.iter().enumerate().flat_map(|(line, n)| vec![line + 1; *n]).collect();
            let (training, validation) = of_lines(&lines).split(fraction, seed).unwrap();
            let again = of_lines(&lines).split(fraction, seed).unwrap();
            prop_assert_eq!(&training.source_lines, &again.0.source_lines);
            prop_assert!(!training.samples.is_empty() && !validation.samples.is_empty());
            prop_assert!(training.source_lines.is_sorted() && validation.source_lines.is_sorted());
            prop_assert!(!training.source_lines.iter().any(|line| validation.source_lines.contains(line)));
            let mut all = [training.source_lines.clone(), validation.source_lines.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, lines);
            for side in [&training, &validation] {
                let named = side.samples.iter().map(|sample| sample.input_ids[0] as usize);
                prop_assert_eq!(named.collect::<Vec<_>>(), side.source_lines.clone());
            }
            let mut kept = validation.source_lines;
            kept.dedup();
            let wanted = (repeats.len() as f64 * fraction).round() as usize;
            prop_assert_eq!(kept.len(), wanted.clamp(1, repeats.len() - 1));
        }
    }
}
