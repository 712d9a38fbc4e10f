//! Closed-book exams: questions to a model before and after it was taught, and the one way in which answers are judged.

mod answer;
mod comparison;
mod expected;
mod question;
mod words;

pub(crate) use answer::{Answer, ask, take};
pub(crate) use comparison::{Comparison, accuracy, compare, in_report, n_right, score, share};
pub(crate) use expected::Expected;
#[cfg(test)]
pub(crate) use question::parse;
pub(crate) use question::{Question, read};
pub(crate) use words::words;
