//! The options of each rule and the values that they can have.

use ilab_base::diagnostic::{Diagnostic, Severity};
use ilab_base::yaml::{Node, Value};

use super::{Around, EmptyLines, Indentation, Inside, LineEnd, Sequences};

/// Whether an option is known, or what is wrong with its value.
pub(super) type Setting = Result<bool, Box<Diagnostic>>;

/// An option as the file writes it.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    /// The text of the file.
    pub(super) text: &'a str,
    pub(super) name: &'a str,
    pub(super) value: &'a Node,
}

/// More blanks or lines than anybody means.
const MAX_NUMBER: i64 = 100;

impl Written<'_> {
    pub(super) fn refusal(self, expected: &str) -> Box<Diagnostic> {
        let written = self.text.get(self.value.span.start..self.value.span.end);
        let found = match written.map(str::trim).filter(|written| !written.is_empty()) {
            Some(written) if written.len() < 40 && !written.contains('\n') => {
                format!("`{written}`")
            }
            _ => self.value.kind().to_owned(),
        };
        let message = format!("`{}` must be {expected}, not {found}", self.name);
        Box::new(Diagnostic::error(self.text, self.value.span, message))
    }

    /// A number; `None` for -1, which is no limit.
    fn number(self) -> Result<Option<usize>, Box<Diagnostic>> {
        match self.value.value {
            Value::Integer(-1) => Ok(None),
            Value::Integer(number @ 0..=MAX_NUMBER) => Ok(usize::try_from(number).ok()),
            _ => Err(self.refusal("a number of blanks up to 100, or -1 for no limit")),
        }
    }

    fn count(self) -> Result<usize, Box<Diagnostic>> {
        match self.value.value {
            Value::Integer(number @ 0..=MAX_NUMBER) => {
                usize::try_from(number).map_err(|_| self.refusal("a whole number up to 100"))
            }
            _ => Err(self.refusal("a whole number up to 100")),
        }
    }

    /// Takes an option that asks for something that is not checked only where it asks for nothing.
    fn must_be_off(self) -> Setting {
        match self.value.value {
            Value::Boolean(false) => Ok(true),
            _ => Ok(false),
        }
    }

    /// `level`.
    pub(super) fn severity(self) -> Result<Severity, Box<Diagnostic>> {
        match self.value.as_text() {
            Some("warning") => Ok(Severity::Warning),
            Some("error") => Ok(Severity::Error),
            _ => Err(self.refusal("`warning` or `error`")),
        }
    }
}

/// A rule without options.
pub(super) fn none((): &mut (), _: Written<'_>) -> Setting {
    Ok(false)
}

pub(super) fn new_lines(limits: &mut LineEnd, option: Written<'_>) -> Setting {
    if option.name != "type" {
        return Ok(false);
    }
    *limits = match option.value.as_text() {
        // A taxonomy is one thing on all machines: what the platform of its reader has plays no part.
        Some("unix" | "platform") => LineEnd::Unix,
        Some("dos") => LineEnd::Windows,
        _ => return Err(option.refusal("`unix`, `dos` or `platform`")),
    };
    Ok(true)
}

pub(super) fn hyphens(limits: &mut Around, option: Written<'_>) -> Setting {
    match option.name {
        "max-spaces-after" => limits.after.max = option.number()?,
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn colons(limits: &mut Around, option: Written<'_>) -> Setting {
    match option.name {
        "max-spaces-before" => limits.before.max = option.number()?,
        _ => return hyphens(limits, option),
    }
    Ok(true)
}

pub(super) fn commas(limits: &mut Around, option: Written<'_>) -> Setting {
    match option.name {
        "min-spaces-after" => limits.after.min = option.number()?.unwrap_or(0),
        _ => return colons(limits, option),
    }
    Ok(true)
}

/// Braces and brackets.
pub(super) fn inside(limits: &mut Inside, option: Written<'_>) -> Setting {
    match option.name {
        "min-spaces-inside" => limits.filled.min = option.number()?.unwrap_or(0),
        "max-spaces-inside" => limits.filled.max = option.number()?,
        "min-spaces-inside-empty" => limits.min_empty = option.number()?,
        "max-spaces-inside-empty" => limits.max_empty = option.number()?,
        "forbid" => return option.must_be_off(),
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn empty_lines(limits: &mut EmptyLines, option: Written<'_>) -> Setting {
    match option.name {
        "max" => limits.max = option.count()?,
        "max-start" => limits.max_start = option.count()?,
        "max-end" => limits.max_end = option.count()?,
        _ => return Ok(false),
    }
    Ok(true)
}

pub(super) fn indentation(limits: &mut Indentation, option: Written<'_>) -> Setting {
    match option.name {
        "spaces" => {
            limits.spaces = match (&option.value.value, option.value.as_text()) {
                (_, Some("consistent")) => None,
                (Value::Integer(1..=16), _) => Some(option.count()?),
                _ => return Err(option.refusal("a number from 1 to 16, or `consistent`")),
            }
        }
        "indent-sequences" => {
            limits.sequences = match (&option.value.value, option.value.as_text()) {
                (Value::Boolean(true), _) => Sequences::Indented,
                (Value::Boolean(false), _) => Sequences::Flush,
                (_, Some("whatever")) => Sequences::Whatever,
                (_, Some("consistent")) => Sequences::Consistent,
                _ => {
                    return Err(option.refusal("`true`, `false`, `whatever` or `consistent`"));
                }
            }
        }
        "check-multi-line-strings" => return option.must_be_off(),
        _ => return Ok(false),
    }
    Ok(true)
}
