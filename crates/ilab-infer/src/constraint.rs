//! Keeping an answer to a form: after each token, which tokens may come next.
//!
//! A regular expression is made into an automaton over bytes. A token may come if its bytes lead the automaton to a state from
//! which it can still match, and the answer may end where it matches.

use std::sync::Arc;

use ilab_openai::constraint::Constraint;
use regex_automata::dfa::dense::{self, DFA};
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::nfa::thompson;
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_automata::{Anchored, MatchKind};

use crate::sampler::{NonFiniteLogits, Sampler, Scratch};
use crate::vocabulary::Vocabulary;

/// The most memory that an automaton may take, in bytes, and as much again to build it. A pattern that needs more repeats something
/// long a great many times.
const MAX_BYTES: usize = 16 << 20;
/// The most memory of the automaton that it is made from.
const MAX_NFA_BYTES: usize = 1 << 20;

/// The engine cannot see to this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConstraintError {
    #[error(
        "answers of the form `{0}` are not supported by the engine in this process; `regex` and `choice` are"
    )]
    Unsupported(&'static str),
    #[error("the form of the answer is not a usable regular expression: {0}")]
    Pattern(String),
    #[error("nothing can be an answer of this form")]
    Impossible,
}

/// Where an answer stands in its form.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    automaton: Arc<DFA<Vec<u32>>>,
    state: StateID,
}

impl Form {
    /// Before the first token.
    pub(crate) fn new(constraint: &Constraint) -> Result<Self, ConstraintError> {
        let pattern = match constraint {
            Constraint::Regex(pattern) => pattern.clone(),
            Constraint::Choice(texts) => {
                let texts: Vec<String> = texts
                    .iter()
                    .map(|text| regex_syntax::escape(text))
                    .collect();
                texts.join("|")
            }
            Constraint::Json(_) | Constraint::Grammar(_) => {
                return Err(ConstraintError::Unsupported(constraint.name()));
            }
        };
        let config = dense::Config::new()
            // Every way to match is kept open until the end, so that an answer may be the longer of two.
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(MAX_BYTES))
            .determinize_size_limit(Some(MAX_BYTES));
        let automaton = dense::Builder::new()
            .configure(config)
            .thompson(thompson::Config::new().nfa_size_limit(Some(MAX_NFA_BYTES)))
            // Tokens may end inside a character.
            .syntax(syntax::Config::new().utf8(false).dot_matches_new_line(true))
            .build(&pattern)
            .map_err(|error| ConstraintError::Pattern(causes(&error)))?;
        let start = start::Config::new().anchored(Anchored::Yes);
        let state = automaton
            .start_state(&start)
            .map_err(|error| ConstraintError::Pattern(error.to_string()))?;
        let form = Self {
            automaton: Arc::new(automaton),
            state,
        };
        match form.may_go_on() {
            true => Ok(form),
            false => Err(ConstraintError::Impossible),
        }
    }

    /// Whether the answer may end here.
    pub(crate) fn may_end(&self) -> bool {
        let end = self.automaton.next_eoi_state(self.state);
        self.automaton.is_match_state(end)
    }

    /// Whether anything may follow.
    pub(crate) fn may_go_on(&self) -> bool {
        (0..=u8::MAX).any(|byte| self.after(&[byte]).is_some())
    }

    /// Takes a token that may come.
    pub(crate) fn advance(&mut self, piece: &[u8]) {
        if let Some(state) = self.after(piece) {
            self.state = state;
        }
    }

    /// Whether a token may come next.
    pub(crate) fn allows(&self, token: u32, vocabulary: &Vocabulary) -> bool {
        if vocabulary.ends_generation(token) {
            return self.may_end();
        }
        let piece = vocabulary.piece(token);
        // A token without text would keep the answer where it is for ever.
        !piece.is_empty() && self.after(piece).is_some()
    }

    /// Draws freely, and anew from what the form allows when that is not allowed: in all, each token as often as the model would
    /// draw it among those that are allowed. Where the sampler leaves out unlikely tokens, those that are not allowed must not
    /// count among the likely ones.
    pub(crate) fn draw(
        &self,
        sampler: &mut Sampler,
        logits: &[f32],
        vocabulary: &Vocabulary,
        scratch: &mut Scratch,
    ) -> Result<u32, NonFiniteLogits> {
        if sampler.draws_from_all(logits.len()) {
            let token = sampler.draw(logits, scratch)?;
            if self.allows(token, vocabulary) {
                return Ok(token);
            }
        }
        sampler.draw(&self.masked(logits, vocabulary), scratch)
    }

    /// The logits with those of all tokens that may not come taken away.
    fn masked(&self, logits: &[f32], vocabulary: &Vocabulary) -> Vec<f32> {
        (0_u32..)
            .zip(logits)
            .map(|(token, logit)| match self.allows(token, vocabulary) {
                true => *logit,
                false => f32::NEG_INFINITY,
            })
            .collect()
    }

    fn after(&self, piece: &[u8]) -> Option<StateID> {
        let mut state = self.state;
        for byte in piece {
            state = self.automaton.next_state(state, *byte);
            if self.automaton.is_dead_state(state) || self.automaton.is_quit_state(state) {
                return None;
            }
        }
        // An automaton tells of a match one byte late: a state that tells of one may lead nowhere. All others can still match.
        let is_past = self.automaton.is_match_state(state) && !self.lives(state);
        (!is_past).then_some(state)
    }

    /// Whether a state can still match, at the end or after more bytes.
    fn lives(&self, state: StateID) -> bool {
        let matches_at_end = self
            .automaton
            .is_match_state(self.automaton.next_eoi_state(state));
        matches_at_end
            || (0..=u8::MAX).any(|byte| {
                let next = self.automaton.next_state(state, byte);
                !self.automaton.is_dead_state(next)
            })
    }
}

/// The message of the library with that of its cause, in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines.last().map_or(text.clone(), |line| {
        line.trim_start_matches("error: ").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use ilab_openai::completer::Sampling;

    use super::*;

    /// What is not allowed is half of the model's own distribution, and must not push the rest to one side.
    #[test]
    fn what_is_allowed_is_drawn_in_proportion() {
        let form = Form::new(&Constraint::Regex("[ab]".to_owned())).unwrap();
        for (pieces, forbidden) in [(["x", "a", "b"], 0), (["a", "b", "x"], 2)] {
            let vocabulary = Vocabulary::of_pieces(&pieces);
            let mut logits = [0.25_f32.ln(); 3];
            logits[forbidden] = 0.5_f32.ln();
            let mut n_drawn = [0; 3];
            let mut sampler = Sampler::new(&Sampling::default(), 0, 7);
            let mut scratch = Scratch::default();
            for _ in 0..4_000 {
                let token = form.draw(&mut sampler, &logits, &vocabulary, &mut scratch);
                n_drawn[token.unwrap() as usize] += 1;
            }
            for (token, n_drawn) in n_drawn.into_iter().enumerate() {
                let expected = if token == forbidden {
                    0..1
                } else {
                    1_850..2_150
                };
                assert!(expected.contains(&n_drawn), "{token}: {n_drawn}");
            }
        }
    }

    #[test]
    fn the_likely_ones_are_those_of_what_is_allowed() {
        let form = Form::new(&Constraint::Regex("[ab]".to_owned())).unwrap();
        let vocabulary = Vocabulary::of_pieces(&["x", "a", "b"]);
        // With what is not allowed among the likely ones, the last would never be one of them.
        let logits = [0.6_f32.ln(), 0.3_f32.ln(), 0.1_f32.ln()];
        let sampling = Sampling {
            top_p: Some(0.85),
            ..Sampling::default()
        };
        let mut sampler = Sampler::new(&sampling, 0, 7);
        let mut n_last = 0;
        for _ in 0..4_000 {
            let token = form.draw(&mut sampler, &logits, &vocabulary, &mut Scratch::default());
            n_last += u32::from(token.unwrap() == 2);
        }
        assert!(
            (880..1_120).contains(&n_last),
            "a quarter of what is allowed: {n_last}"
        );
    }
}
