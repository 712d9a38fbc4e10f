//! What a run tells while it works.

use std::path::Path;

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A repository with documents is not on this machine yet and is being cloned.
    Cloning {
        /// What git clones.
        repository: &'a str,
    },
    /// A document is being converted to Markdown.
    Converting {
        /// Its path.
        document: &'a str,
    },
    /// The documents of a leaf were cut into chunks.
    Chunked {
        /// The leaf, as datasets name it.
        leaf: &'a str,
        /// How many documents.
        n_documents: usize,
        /// How many chunks.
        n_chunks: usize,
    },
    /// A file that a pattern matches is in no format that can be read.
    Unread {
        /// The leaf, as datasets name it.
        leaf: &'a str,
        /// The file.
        file: &'a str,
    },
    /// So many more answers are expected to be asked for than before, or fewer: how many a block makes of a row is known only
    /// when it has.
    Planned {
        /// How many more; below zero, how many fewer.
        change: i64,
    },
    /// Answers arrived, or a request was refused.
    Answered {
        /// How many answers were asked for.
        n_answers: usize,
        /// Tokens that the teacher wrote for them just now.
        n_tokens: u32,
        /// They were in the journal.
        is_from_journal: bool,
    },
    /// A block is done with a row.
    Passed {
        /// The leaf, as datasets name it.
        leaf: &'a str,
        /// The block.
        block: &'a str,
        /// Rows that it made of the row.
        n_rows: usize,
        /// Samples that it left out.
        n_left_out: usize,
    },
    /// A dataset that a recipe mixes in has records with an empty turn, which are left out.
    Empty {
        /// The dataset.
        dataset: &'a Path,
        /// How many.
        n_records: usize,
    },
    /// All answers are there; the files are being written.
    Writing,
}

/// Who is told.
pub trait Observer: Send + Sync {
    /// Called from any thread, many times a second: must not block.
    fn event(&self, event: Event<'_>);
}

/// Nobody is told.
impl Observer for () {
    fn event(&self, _event: Event<'_>) {}
}
