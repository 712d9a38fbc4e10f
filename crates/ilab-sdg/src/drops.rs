//! What did not make it into the dataset, and why.

use std::collections::BTreeMap;

use serde::Serialize;

/// Why a sample was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The row's value names no prompt, no file and no column, or is no chat, so the block cannot go on with it.
    NoChoice,
    /// The teacher refused the request.
    Rejected,
    /// The prompt and the answer do not fit into the teacher's context.
    ContextOverflow,
    /// The answer was cut off at its longest length.
    CutOff,
    /// The answer is empty.
    EmptyAnswer,
    /// The block's tags or pattern were not found in the answer.
    NothingParsed,
    /// A filter block sorted it out.
    Filtered,
    /// The same sample was there before.
    Duplicate,
    /// A sample before it is nearly the same.
    NearDuplicate,
    /// There is no question mark, so question and answer cannot be told apart.
    NoQuestionMark,
    /// Nothing stands before the question mark.
    NoQuestion,
    /// Nothing stands after the question mark.
    NoAnswer,
    /// The question is one of the seed examples.
    SameAsSeed,
    /// It is no question with four choices of which one is named.
    NoChoices,
}

impl DropReason {
    /// What to do when this is why nothing was left.
    pub(crate) fn remedy(self) -> &'static str {
        match self {
            Self::NoChoice => {
                "the pipeline knows other values than the rows have: compare its maps with the texts above"
            }
            Self::Rejected => {
                "the teacher said why it refused: check `--endpoint-url`, `--model` and what it allows"
            }
            Self::ContextOverflow => {
                "take a teacher with a longer context, or shorter chunks with `--chunk-word-count`"
            }
            Self::CutOff => "allow longer answers with `--max-num-tokens`",
            Self::EmptyAnswer
            | Self::NothingParsed
            | Self::Filtered
            | Self::Duplicate
            | Self::NearDuplicate
            | Self::NoQuestionMark
            | Self::NoQuestion
            | Self::NoAnswer
            | Self::SameAsSeed
            | Self::NoChoices => "a larger teacher model follows the prompts better",
        }
    }

    /// In words, for a table.
    pub fn description(self) -> &'static str {
        match self {
            Self::NoChoice => "its value is not one that the block knows",
            Self::Rejected => "request refused by the teacher",
            Self::ContextOverflow => "does not fit into the teacher's context",
            Self::CutOff => "cut off at max_tokens",
            Self::EmptyAnswer => "empty answer",
            Self::NothingParsed => "parser found nothing",
            Self::Filtered => "sorted out by a filter",
            Self::Duplicate => "duplicate",
            Self::NearDuplicate => "nearly the same as another",
            Self::NoQuestionMark => "no question mark",
            Self::NoQuestion => "no question",
            Self::NoAnswer => "question without an answer",
            Self::SameAsSeed => "same as a seed example",
            Self::NoChoices => "not four choices and the letter of one",
        }
    }
}

/// A sample that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DroppedSample {
    /// The leaf, as datasets name it.
    pub leaf: String,
    /// The block whose answer it was, or after which it was left out.
    pub block: String,
    /// Why.
    pub reason: DropReason,
    /// How many samples: a refused request stands for all answers that it asked for.
    pub n_samples: usize,
    /// What the teacher wrote, or what it said when it refused.
    pub text: String,
}

/// Everything that was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Drops(pub Vec<DroppedSample>);

impl Drops {
    /// How many samples were left out.
    pub fn n_samples(&self) -> usize {
        self.0.iter().map(|drop| drop.n_samples).sum()
    }

    /// How many samples were left out for each reason, in the order of [`DropReason`].
    pub fn by_reason(&self) -> BTreeMap<DropReason, usize> {
        let mut counts = BTreeMap::new();
        for drop in &self.0 {
            *counts.entry(drop.reason).or_default() += drop.n_samples;
        }
        counts
    }

    /// What most samples were left out for.
    pub fn main_reason(&self) -> Option<DropReason> {
        let counts = self.by_reason().into_iter();
        counts
            .max_by_key(|(_, n_samples)| *n_samples)
            .map(|(reason, _)| reason)
    }
}
