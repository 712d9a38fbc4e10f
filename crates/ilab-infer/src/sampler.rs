//! Drawing a token from the logits of one position.
//!
//! Temperature is applied first, then top-k, top-p and min-p narrow the choice, in that order; each is skipped at the
//! value that keeps everything. A sampler takes exactly one number from its generator per drawn token, so what a
//! sequence draws depends on its seed and its own logits only.

use ilab_base::seed::{Rng, rng};
use ilab_openai::completer::Sampling;
use rand::Rng as _;

/// The logits hold no finite number: the weights or the computation are broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the model produced logits that are not numbers")]
pub(crate) struct NonFiniteLogits;

/// Draws the tokens of one sequence.
#[derive(Debug, Clone)]
pub(crate) struct Sampler {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    min_p: f32,
    rng: Rng,
}

/// Buffers that samplers share, so that drawing allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    weights: Vec<f32>,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// Probability times a constant.
    weight: f32,
    token: u32,
}

impl Sampler {
    /// The sampler of choice `choice_idx`; `seed` is used when the request names none.
    ///
    /// What a request leaves open is the model's own distribution: temperature 1 and nothing cut off, as in the OpenAI API.
    pub(crate) fn new(sampling: &Sampling, choice_idx: u32, seed: u64) -> Self {
        let seed = sampling.seed.unwrap_or(seed);
        Self {
            temperature: sampling.temperature.unwrap_or(1.0),
            top_k: sampling
                .top_k
                .map_or(0, |k| usize::try_from(k).unwrap_or(0)),
            top_p: sampling.top_p.unwrap_or(1.0),
            min_p: sampling.min_p.unwrap_or(0.0),
            rng: rng(seed.wrapping_add(u64::from(choice_idx)), "sampling"),
        }
    }

    /// Draws a token id, an index into `logits`.
    ///
    /// # Errors
    /// [`NonFiniteLogits`] when there is nothing to draw from.
    pub(crate) fn draw(
        &mut self,
        logits: &[f32],
        scratch: &mut Scratch,
    ) -> Result<u32, NonFiniteLogits> {
        let (most_likely, max_logit) = greatest(logits)?;
        if self.temperature <= 0.0 || self.top_k == 1 {
            return Ok(most_likely);
        }
        // 53 random bits make a number in [0, 1).
        let unit = (self.rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        let token = if self.keeps_all(logits.len()) {
            self.draw_from_all(logits, max_logit, unit, &mut scratch.weights)
        } else {
            self.draw_from_some(logits, max_logit, unit, &mut scratch.candidates)
        };
        Ok(token.unwrap_or(most_likely))
    }

    /// Whether any token may be drawn, or always the most likely one.
    pub(crate) fn draws_from_all(&self, n_vocab: usize) -> bool {
        self.temperature <= 0.0 || self.top_k == 1 || self.keeps_all(n_vocab)
    }

    fn keeps_all(&self, n_vocab: usize) -> bool {
        (self.top_k == 0 || self.top_k >= n_vocab) && self.top_p >= 1.0 && self.min_p <= 0.0
    }

    fn draw_from_all(
        &self,
        logits: &[f32],
        max_logit: f32,
        unit: f64,
        weights: &mut Vec<f32>,
    ) -> Option<u32> {
        let scale = self.temperature.recip();
        weights.clear();
        weights.extend(
            logits
                .iter()
                .map(|logit| weight((logit - max_logit) * scale)),
        );
        let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
        pick(weights.iter().copied(), total, unit).and_then(|idx| u32::try_from(idx).ok())
    }

    fn draw_from_some(
        &self,
        logits: &[f32],
        max_logit: f32,
        unit: f64,
        candidates: &mut Vec<Candidate>,
    ) -> Option<u32> {
        let scale = self.temperature.recip();
        candidates.clear();
        candidates.extend((0_u32..).zip(logits).map(|(token, logit)| Candidate {
            weight: weight((logit - max_logit) * scale),
            token,
        }));
        self.keep_top_k(candidates);
        self.keep_top_p(candidates);
        // The most likely token has weight 1.
        candidates.retain(|candidate| candidate.weight >= self.min_p);
        let total = total(candidates);
        let idx = pick(
            candidates.iter().map(|candidate| candidate.weight),
            total,
            unit,
        )?;
        Some(candidates[idx].token)
    }

    fn keep_top_k(&self, candidates: &mut Vec<Candidate>) {
        if self.top_k > 0 && self.top_k < candidates.len() {
            candidates.select_nth_unstable_by(self.top_k - 1, by_falling_weight);
            candidates.truncate(self.top_k);
            // Which order the selection leaves is not promised, and the draw depends on it.
            candidates.sort_unstable_by_key(|candidate| candidate.token);
        }
    }

    fn keep_top_p(&self, candidates: &mut Vec<Candidate>) {
        if self.top_p >= 1.0 {
            return;
        }
        let total = total(candidates);
        // Tokens below this share of the remainder cannot add up to more than the remainder, so none of them is needed
        // to reach `top_p`: only the few above it are sorted.
        let floor = (1.0 - f64::from(self.top_p)).max(0.0) * total / candidates.len().max(1) as f64;
        candidates
            .retain(|candidate| f64::from(candidate.weight) >= floor || candidate.weight >= 1.0);
        candidates.sort_unstable_by(by_falling_weight);
        let target = f64::from(self.top_p) * total;
        let mut sum = 0.0;
        let n_kept = candidates
            .iter()
            .position(|candidate| {
                sum += f64::from(candidate.weight);
                sum >= target
            })
            .map_or(candidates.len(), |idx| idx + 1);
        candidates.truncate(n_kept);
    }
}

/// The first of the most likely tokens, with its logit.
pub(crate) fn greatest(logits: &[f32]) -> Result<(u32, f32), NonFiniteLogits> {
    let max = logits.iter().copied().fold(
        f32::NEG_INFINITY,
        |max, logit| {
            if logit > max { logit } else { max }
        },
    );
    if !max.is_finite() {
        return Err(NonFiniteLogits);
    }
    let idx = logits
        .iter()
        .position(|logit| *logit == max)
        .ok_or(NonFiniteLogits)?;
    Ok((u32::try_from(idx).map_err(|_| NonFiniteLogits)?, max))
}

/// `exp(x)` for `x <= 0`; a logit that is not a number has no weight.
fn weight(x: f32) -> f32 {
    let weight = x.exp();
    if weight.is_nan() { 0.0 } else { weight }
}

fn by_falling_weight(a: &Candidate, b: &Candidate) -> std::cmp::Ordering {
    b.weight.total_cmp(&a.weight).then(a.token.cmp(&b.token))
}

fn total(candidates: &[Candidate]) -> f64 {
    candidates
        .iter()
        .map(|candidate| f64::from(candidate.weight))
        .sum()
}

/// The index at which the running sum of the weights passes `unit * total`.
fn pick(weights: impl Iterator<Item = f32>, total: f64, unit: f64) -> Option<usize> {
    let target = unit * total;
    let mut sum = 0.0;
    let mut last_positive = None;
    for (idx, weight) in weights.enumerate() {
        if weight > 0.0 {
            sum += f64::from(weight);
            last_positive = Some(idx);
            if sum > target {
                break;
            }
        }
    }
    last_positive
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampling() -> Sampling {
        Sampling {
            seed: Some(7),
            ..Sampling::default()
        }
    }

    fn frequencies(sampling: &Sampling, logits: &[f32]) -> Vec<f64> {
        const N_DRAWS: usize = 20_000;
        let mut sampler = Sampler::new(sampling, 0, 0);
        let mut scratch = Scratch::default();
        let mut counts = vec![0_usize; logits.len()];
        for _ in 0..N_DRAWS {
            let token = sampler.draw(logits, &mut scratch).unwrap();
            counts[usize::try_from(token).unwrap()] += 1;
        }
        counts
            .iter()
            .map(|count| *count as f64 / N_DRAWS as f64)
            .collect()
    }

    #[track_caller]
    fn check(sampling: Sampling, probabilities: &[f32], expect: &[f64]) {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
        let got = frequencies(&sampling, &logits);
        for (got, expect) in got.iter().zip(expect) {
            // Four standard deviations of 20,000 draws.
            assert!(
                (got - expect).abs() <= 0.015 && (*expect > 0.0 || *got == 0.0),
                "{got} instead of {expect}"
            );
        }
    }

    #[test]
    fn the_models_distribution_is_the_default() {
        check(sampling(), &[0.1, 0.2, 0.3, 0.4], &[0.1, 0.2, 0.3, 0.4]);
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_most_likely() {
        let greedy = Sampling {
            temperature: Some(0.0),
            ..sampling()
        };
        check(greedy, &[0.1, 0.4, 0.4, 0.1], &[0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn temperature_sharpens() {
        let cold = Sampling {
            temperature: Some(0.5),
            ..sampling()
        };
        // Probabilities squared and normalised.
        check(cold, &[0.2, 0.8], &[0.0588, 0.9412]);
    }

    #[test]
    fn top_k_keeps_the_k_most_likely() {
        let top_k = Sampling {
            top_k: Some(2),
            ..sampling()
        };
        check(top_k, &[0.3, 0.1, 0.2, 0.4], &[0.4286, 0.0, 0.0, 0.5714]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        let top_p = Sampling {
            top_p: Some(0.65),
            ..sampling()
        };
        check(
            top_p.clone(),
            &[0.3, 0.1, 0.2, 0.4],
            &[0.4286, 0.0, 0.0, 0.5714],
        );
        let tiny = Sampling {
            top_p: Some(1e-6),
            ..top_p
        };
        check(tiny, &[0.3, 0.1, 0.2, 0.4], &[0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn min_p_keeps_tokens_near_the_most_likely() {
        let min_p = Sampling {
            min_p: Some(0.6),
            ..sampling()
        };
        check(min_p, &[0.3, 0.1, 0.2, 0.4], &[0.4286, 0.0, 0.0, 0.5714]);
    }

    #[test]
    fn broken_logits_are_an_error_and_single_ones_are_never_drawn() {
        let mut scratch = Scratch::default();
        let mut draw = |logits: &[f32]| Sampler::new(&sampling(), 0, 0).draw(logits, &mut scratch);
        assert_eq!(draw(&[f32::NAN; 4]), Err(NonFiniteLogits));
        assert_eq!(draw(&[f32::NEG_INFINITY; 4]), Err(NonFiniteLogits));
        assert_eq!(draw(&[f32::INFINITY, 0.0]), Err(NonFiniteLogits));
        assert_eq!(draw(&[]), Err(NonFiniteLogits));
        assert_eq!(draw(&[f32::NAN, f32::NEG_INFINITY, 1.0]), Ok(2));
    }

    #[test]
    fn seed_and_choice_select_the_stream() {
        let logits = vec![0.0; 1000];
        let draw = |sampling: &Sampling, choice_idx, seed| {
            let mut sampler = Sampler::new(sampling, choice_idx, seed);
            let mut scratch = Scratch::default();
            std::array::from_fn::<u32, 8, _>(|_| sampler.draw(&logits, &mut scratch).unwrap())
        };
        let second_seed = Sampling {
            seed: Some(8),
            ..sampling()
        };
        assert_eq!(draw(&sampling(), 0, 1), draw(&sampling(), 0, 2));
        assert_eq!(draw(&sampling(), 1, 1), draw(&second_seed, 0, 1));
        assert_ne!(draw(&sampling(), 0, 1), draw(&sampling(), 1, 1));
    }
}
