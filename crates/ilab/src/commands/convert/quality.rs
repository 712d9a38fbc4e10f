//! Whether a converted model computes, and how far quantising has moved it: next-token probabilities on a short text.

use std::path::Path;

use futures::executor::block_on;
use ilab_infer::{Engine, EngineOptions, SpecialTokens};
use serde_json::{Value, json};

use crate::error::{CommandError, Kind};
use crate::ui::Ui;

/// Plain sentences of several subjects; long enough for a mean over a hundred tokens.
const TEXT: &str = "The lighthouse keeper climbed the stairs at dusk, lit the lamp and wrote the weather into the log: wind from \
the north-west, sea rough, visibility good. In the village below, the baker had sold 214 loaves that day, more than in any \
week since the ferry stopped running. \"What does it cost?\" asked the child. To convert degrees Celsius to Fahrenheit, \
multiply by nine, divide by five and add thirty-two.";

/// Tokens that are looked at, at most.
const MAX_TOKENS: usize = 160;
/// Tokens of the context, so that the cache stays small.
const CONTEXT_TOKENS: u32 = 512;
/// How many times as surprised a model may be before a warning.
const FAR: f64 = 1.5;

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quality {
    n_tokens: usize,
    perplexity: f64,
    reference: Option<Comparison>,
}

/// Against the file before quantising.
#[derive(Debug, Clone, PartialEq)]
struct Comparison {
    perplexity: f64,
    /// Mean over positions of the Kullback-Leibler divergence from the reference, in nats.
    mean_divergence: f64,
    /// Share of positions at which both find the same token likeliest.
    same_likeliest: f64,
}

/// Loads the file, and the one before quantising where there is one, and compares their next-token probabilities.
pub(super) fn measure(result: &Path, reference: Option<&Path>) -> Result<Quality, CommandError> {
    let (tokens, result) = log_probabilities(result)?;
    let perplexity = perplexity(&tokens, &result);
    let reference = reference.map(log_probabilities).transpose()?;
    let reference = reference.map(|(_, reference)| compare(&tokens, &result, &reference));
    Ok(Quality {
        n_tokens: tokens.len(),
        perplexity,
        reference,
    })
}

type Positions = Vec<Vec<f64>>;

/// The text's tokens, and for each position the logarithms of the probabilities of all next tokens.
fn log_probabilities(model: &Path) -> Result<(Vec<u32>, Positions), CommandError> {
    let engine = Engine::load(EngineOptions {
        n_context_tokens: CONTEXT_TOKENS,
        ..EngineOptions::new(model)
    })?;
    let mut tokens = engine.tokenize(TEXT, SpecialTokens::Add);
    tokens.truncate(MAX_TOKENS.min(engine.n_context_tokens()));
    let logits = block_on(engine.logits(&tokens))
        .map_err(|error| CommandError::message(Kind::User, error.to_string(), HINT))?;
    let positions = logits.into_iter().map(|logits| {
        let logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        let total = largest + sum.ln();
        if !total.is_finite() || logits.iter().any(|logit| logit.is_nan()) {
            return Err(CommandError::message(
                Kind::User,
                "the converted model computes numbers that are not finite",
                HINT,
            ));
        }
        Ok(logits.into_iter().map(|logit| logit - total).collect())
    });
    Ok((tokens, positions.collect::<Result<_, _>>()?))
}

const HINT: &str = "the weights may be damaged, or too large for 16 bits: try `--quantize BF16`, or `--skip-check` to keep the file";

/// e to the mean surprise at the tokens that follow.
fn perplexity(tokens: &[u32], positions: &Positions) -> f64 {
    let next = tokens.iter().skip(1).zip(positions);
    let surprises: Vec<f64> = next
        .map(|(token, position)| -position[*token as usize])
        .collect();
    (surprises.iter().sum::<f64>() / surprises.len().max(1) as f64).exp()
}

fn compare(tokens: &[u32], result: &Positions, reference: &Positions) -> Comparison {
    let n_positions = result.len().max(1) as f64;
    let pairs = || result.iter().zip(reference);
    let divergence = |(result, reference): (&Vec<f64>, &Vec<f64>)| -> f64 {
        let terms = reference.iter().zip(result);
        terms.map(|(p, q)| p.exp() * (p - q)).sum()
    };
    let n_same = pairs()
        .filter(|(result, reference)| likeliest(result) == likeliest(reference))
        .count();
    Comparison {
        perplexity: perplexity(tokens, reference),
        mean_divergence: pairs().map(divergence).sum::<f64>() / n_positions,
        same_likeliest: n_same as f64 / n_positions,
    }
}

fn likeliest(position: &[f64]) -> Option<usize> {
    let numbered = position.iter().enumerate();
    numbered
        .max_by(|one, other| one.1.total_cmp(other.1))
        .map(|(token, _)| token)
}

impl Quality {
    /// Says what was measured, with a warning where the model has moved far.
    pub(super) fn tell(&self, ui: Ui) {
        let (n_tokens, perplexity) = (self.n_tokens, self.perplexity);
        let Some(reference) = &self.reference else {
            return ui.status(format!(
                "checked on {n_tokens} tokens: perplexity {perplexity:.2}"
            ));
        };
        let before = reference.perplexity;
        let change = (perplexity / before - 1.0) * 100.0;
        ui.status(format!(
            "checked on {n_tokens} tokens: perplexity {perplexity:.2}, before quantizing {before:.2} ({change:+.1} %); the same \
             next token is likeliest at {:.0} %",
            reference.same_likeliest * 100.0
        ));
        if perplexity > FAR * before {
            ui.warning("quantizing has moved the model far: a type of more bits, or an `--imatrix`, keeps it closer");
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let reference = self.reference.as_ref();
        json!({
            "tokens": self.n_tokens,
            "perplexity": self.perplexity,
            "reference_perplexity": reference.map(|reference| reference.perplexity),
            "mean_divergence": reference.map(|reference| reference.mean_divergence),
            "same_likeliest": reference.map(|reference| reference.same_likeliest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logarithms(probabilities: &[[f64; 2]]) -> Positions {
        let position = |position: &[f64; 2]| position.map(f64::ln).to_vec();
        probabilities.iter().map(position).collect()
    }

    #[test]
    fn what_is_measured() {
        let reference = logarithms(&[[0.5, 0.5], [0.25, 0.75], [0.9, 0.1]]);
        let result = logarithms(&[[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]]);
        // Tokens 1 and 0 follow, the last position's next one is unknown.
        let tokens = [0, 1, 0];
        let close = |one: f64, other: f64| assert!((one - other).abs() < 1e-12, "{one} {other}");
        close(perplexity(&tokens, &reference), (0.5_f64 * 0.25).powf(-0.5));
        let compared = compare(&tokens, &result, &reference);
        close(compared.perplexity, (0.5_f64 * 0.25).powf(-0.5));
        let first = 0.5 * (2.0_f64).ln() + 0.5 * (0.5_f64 / 0.75).ln();
        let second = 0.25 * (0.5_f64).ln() + 0.75 * (1.5_f64).ln();
        close(compared.mean_divergence, (first + second) / 3.0);
        let same = compare(&tokens, &result, &result);
        close(same.mean_divergence, 0.0);
        close(same.same_likeliest, 1.0);
    }
}
