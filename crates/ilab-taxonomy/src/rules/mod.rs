//! The rules for the layout of a qna.yaml, with the names and the limits of yamllint.
//!
//! Rules and limits: <https://yamllint.readthedocs.io/en/stable/rules.html>.

mod error;
mod file;
mod options;

use std::path::Path;

use ilab_base::diagnostic::{Diagnostic, Severity};

pub use error::RulesError;

/// Which rules of layout hold. The default is yamllint's `relaxed` profile without its limit on the length of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutRules {
    pub(crate) trailing_spaces: Option<Rule<()>>,
    pub(crate) new_lines: Option<Rule<LineEnd>>,
    pub(crate) new_line_at_end_of_file: Option<Rule<()>>,
    pub(crate) empty_lines: Option<Rule<EmptyLines>>,
    pub(crate) hyphens: Option<Rule<Around>>,
    pub(crate) colons: Option<Rule<Around>>,
    pub(crate) commas: Option<Rule<Around>>,
    pub(crate) braces: Option<Rule<Inside>>,
    pub(crate) brackets: Option<Rule<Inside>>,
    pub(crate) indentation: Option<Rule<Indentation>>,
}

/// A rule that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule<Limits> {
    /// How bad it is to break it.
    pub(crate) severity: Severity,
    pub(crate) limits: Limits,
}

impl<Limits> Rule<Limits> {
    /// Style changes nothing of what a file teaches: a broken rule is a warning unless somebody says otherwise.
    fn warning(limits: Limits) -> Self {
        Self {
            severity: Severity::Warning,
            limits,
        }
    }
}

/// How lines end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineEnd {
    /// LF.
    Unix,
    /// CR LF.
    Windows,
}

/// How many blanks there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blanks {
    pub(crate) min: usize,
    /// `None` is any number.
    pub(crate) max: Option<usize>,
}

impl Blanks {
    pub(crate) const fn up_to(max: usize) -> Self {
        Self {
            min: 0,
            max: Some(max),
        }
    }

    /// The nearest number that is allowed.
    pub(crate) fn nearest(self, n_blanks: usize) -> usize {
        n_blanks.min(self.max.unwrap_or(usize::MAX)).max(self.min)
    }
}

/// Blanks on both sides of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Around {
    pub(crate) before: Blanks,
    pub(crate) after: Blanks,
}

/// Blanks just inside a pair of brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Inside {
    pub(crate) filled: Blanks,
    /// Where nothing else is inside; `None` is as elsewhere.
    pub(crate) min_empty: Option<usize>,
    pub(crate) max_empty: Option<usize>,
}

impl Inside {
    const fn up_to(max: usize) -> Self {
        Self {
            filled: Blanks::up_to(max),
            min_empty: None,
            max_empty: None,
        }
    }

    /// What holds for brackets with nothing in them.
    pub(crate) fn empty(self) -> Blanks {
        Blanks {
            min: self.min_empty.unwrap_or(self.filled.min),
            max: self.max_empty.or(self.filled.max),
        }
    }
}

/// How many empty lines there may be in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EmptyLines {
    pub(crate) max: usize,
    pub(crate) max_start: usize,
    pub(crate) max_end: usize,
}

/// How far blocks stand to the right of what holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Indentation {
    /// `None` is as the first block of the file.
    pub(crate) spaces: Option<usize>,
    pub(crate) sequences: Sequences,
}

/// Whether the dashes of a list in a mapping stand further to the right than its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sequences {
    Indented,
    Flush,
    /// Either.
    Whatever,
    /// As the first list of the file.
    Consistent,
}

pub(crate) const HYPHENS: Around = Around {
    before: Blanks { min: 0, max: None },
    after: Blanks::up_to(1),
};
pub(crate) const COLONS: Around = Around {
    before: Blanks::up_to(0),
    after: Blanks::up_to(1),
};
pub(crate) const COMMAS: Around = Around {
    before: Blanks::up_to(0),
    after: Blanks {
        min: 1,
        max: Some(1),
    },
};
pub(crate) const EMPTY_LINES: EmptyLines = EmptyLines {
    max: 2,
    max_start: 0,
    max_end: 0,
};
const INDENTATION: Indentation = Indentation {
    spaces: None,
    sequences: Sequences::Indented,
};

impl Default for LayoutRules {
    fn default() -> Self {
        Self::relaxed()
    }
}

impl LayoutRules {
    /// yamllint's profile of that name.
    fn relaxed() -> Self {
        Self {
            braces: Some(Rule::warning(Inside::up_to(1))),
            brackets: Some(Rule::warning(Inside::up_to(1))),
            indentation: Some(Rule::warning(Indentation {
                sequences: Sequences::Consistent,
                ..INDENTATION
            })),
            ..Self::strict()
        }
    }

    /// yamllint's profile `default`.
    fn strict() -> Self {
        Self {
            trailing_spaces: Some(Rule::warning(())),
            new_lines: Some(Rule::warning(LineEnd::Unix)),
            new_line_at_end_of_file: Some(Rule::warning(())),
            empty_lines: Some(Rule::warning(EMPTY_LINES)),
            hyphens: Some(Rule::warning(HYPHENS)),
            colons: Some(Rule::warning(COLONS)),
            commas: Some(Rule::warning(COMMAS)),
            braces: Some(Rule::warning(Inside::up_to(0))),
            brackets: Some(Rule::warning(Inside::up_to(0))),
            indentation: Some(Rule::warning(INDENTATION)),
        }
    }

    fn nothing() -> Self {
        Self {
            trailing_spaces: None,
            new_lines: None,
            new_line_at_end_of_file: None,
            empty_lines: None,
            hyphens: None,
            colons: None,
            commas: None,
            braces: None,
            brackets: None,
            indentation: None,
        }
    }

    /// Reads a configuration file of yamllint, which replaces the default rules as a whole.
    ///
    /// # Errors
    /// A file that cannot be read, that is no YAML, or whose rules have values that they cannot have.
    pub fn load(path: &Path) -> Result<LoadedRules, RulesError> {
        file::load(path)
    }
}

/// The rules of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedRules {
    /// The rules.
    pub rules: LayoutRules,
    /// The text of the file, which the warnings are about.
    pub text: String,
    /// What the file asks for and is not checked here.
    pub warnings: Vec<Diagnostic>,
}
