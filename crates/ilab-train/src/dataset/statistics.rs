//! How long the samples of a data set are, and how much of them is learned.

use ilab_text::sample::EncodedSample;
use serde::Serialize;

/// Shares of the samples whose longest is told, in percent.
const QUANTILES: [usize; 9] = [0, 5, 10, 25, 50, 75, 90, 95, 100];
/// Bars of the histogram.
const N_BARS: usize = 10;

/// Lengths and shares of a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// Samples.
    pub n_samples: usize,
    /// Tokens of all samples.
    pub n_tokens: usize,
    /// Tokens that the model learns to produce.
    pub n_learned: usize,
    /// Mean length, in tokens; 0 without samples.
    pub mean_length: f64,
    /// Pairs of a percentage and the length that so many of the samples do not exceed.
    pub quantiles: Vec<(usize, usize)>,
    /// How many samples are how long, from the shortest to the longest.
    pub histogram: Vec<Bar>,
}

/// Samples of similar length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bar {
    /// Shortest length, in tokens.
    pub from: usize,
    /// Longest length, in tokens.
    pub to: usize,
    /// Samples.
    pub n_samples: usize,
}

impl Statistics {
    pub(super) fn of(samples: &[EncodedSample]) -> Self {
        let lengths = samples.iter().map(|sample| sample.input_ids.len());
        let mut lengths: Vec<usize> = lengths.collect();
        lengths.sort_unstable();
        let n_tokens: usize = lengths.iter().sum();
        Self {
            n_samples: samples.len(),
            n_tokens,
            n_learned: samples.iter().map(EncodedSample::n_learned).sum(),
            mean_length: n_tokens as f64 / samples.len().max(1) as f64,
            quantiles: quantiles(&lengths),
            histogram: histogram(&lengths),
        }
    }

    /// Learned tokens among all; 0 without samples.
    pub fn learned_share(&self) -> f64 {
        self.n_learned as f64 / self.n_tokens.max(1) as f64
    }
}

/// By nearest rank: every quantile is the length of a sample.
fn quantiles(sorted: &[usize]) -> Vec<(usize, usize)> {
    let at = |percent: usize| {
        let rank = (percent * sorted.len()).div_ceil(100).max(1);
        sorted.get(rank - 1).map(|length| (percent, *length))
    };
    QUANTILES.into_iter().filter_map(at).collect()
}

fn histogram(sorted: &[usize]) -> Vec<Bar> {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let width = (last - first + 1).div_ceil(N_BARS);
    let mut bars: Vec<Bar> = (*first..=*last)
        .step_by(width)
        .map(|from| Bar {
            from,
            to: (from + width - 1).min(*last),
            n_samples: 0,
        })
        .collect();
    for length in sorted {
        bars[(length - first) / width].n_samples += 1;
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_counted() {
        let sample = |length: usize| EncodedSample {
            input_ids: vec![1; length],
            is_learned: (0..length).map(|position| position >= length / 2).collect(),
        };
        let samples: Vec<_> = [4, 30, 8, 4, 10].map(sample).into();
        let statistics = Statistics::of(&samples);
        assert_eq!((statistics.n_tokens, statistics.n_learned), (56, 28));
        assert!((statistics.mean_length - 11.2).abs() < 1e-9);
        assert_eq!(
            statistics.quantiles,
            [
                (0, 4),
                (5, 4),
                (10, 4),
                (25, 4),
                (50, 8),
                (75, 10),
                (90, 30),
                (95, 30),
                (100, 30)
            ]
        );
        let bars: Vec<_> = statistics
            .histogram
            .iter()
            .map(|bar| (bar.from, bar.to, bar.n_samples))
            .collect();
        assert_eq!(bars[0], (4, 6, 2));
        assert_eq!(bars[1], (7, 9, 1));
        assert_eq!(*bars.last().unwrap(), (28, 30, 1));
        assert_eq!(bars.len(), 9);
    }

    #[test]
    fn without_samples_there_are_no_lengths() {
        let statistics = Statistics::of(&[]);
        assert_eq!(statistics.quantiles, []);
        assert_eq!(statistics.histogram, []);
        assert_eq!(statistics.learned_share(), 0.0);
    }
}
