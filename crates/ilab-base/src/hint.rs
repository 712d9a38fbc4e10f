//! Advice that belongs to an error.

/// An error that can tell its reader what to do next.
///
/// A hint is one sentence without a full stop; commands and literals stand in backticks.
pub trait Hint {
    /// The next steps, most useful first; empty when there is nothing to advise.
    fn hints(&self) -> Vec<String> {
        Vec::new()
    }
}
