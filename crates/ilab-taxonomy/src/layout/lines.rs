//! Whole lines: blanks at their ends, how they end, and those with nothing in them.

use ilab_base::diagnostic::Span;

use super::Finding;
use crate::rules::{EmptyLines, LineEnd};

/// Every line with the byte at which it starts, without its end of line.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let line_start = start;
        start += line.len();
        (line_start, line.trim_end_matches(['\n', '\r']))
    })
}

/// The blanks at the ends of lines.
pub(crate) fn trailing(text: &str) -> impl Iterator<Item = Span> {
    lines(text).filter_map(|(start, line)| {
        let kept = line.trim_end_matches([' ', '\t']).len();
        (kept < line.len()).then_some(Span {
            start: start + kept,
            end: start + line.len(),
        })
    })
}

pub(super) fn trailing_blanks(text: &str) -> Option<Finding> {
    let mut places = trailing(text);
    let span = places.next()?;
    Some(Finding {
        span,
        message: format!("blanks at the end of {}", n_lines(1 + places.count())),
        help: "remove them: `sed -i 's/[ \\t]*$//' qna.yaml`".to_owned(),
    })
}

pub(super) fn other_line_ends(text: &str, wanted: LineEnd) -> Option<Finding> {
    match wanted {
        LineEnd::Unix => {
            let n_windows = text.matches("\r\n").count();
            Some(Finding {
                span: one_byte(text.find("\r\n")?),
                message: format!("Windows line ends (CR LF) on {}", n_lines(n_windows)),
                help: "write LF alone: `sed -i 's/\\r$//' qna.yaml`".to_owned(),
            })
        }
        LineEnd::Windows => {
            let ends = text.match_indices('\n');
            let mut unix = ends.filter(|(place, _)| !text[..*place].ends_with('\r'));
            let (first, _) = unix.next()?;
            Some(Finding {
                span: one_byte(first),
                message: format!("Unix line ends (LF) on {}", n_lines(1 + unix.count())),
                help: "write CR LF: `sed -i 's/\\r*$/\\r/' qna.yaml`".to_owned(),
            })
        }
    }
}

pub(super) fn missing_final_newline(text: &str) -> Option<Finding> {
    let last = text.chars().next_back().filter(|&last| last != '\n')?;
    Some(Finding {
        span: Span {
            start: text.len() - last.len_utf8(),
            end: text.len(),
        },
        message: "the last line has no end of line".to_owned(),
        help: "end the file with a newline".to_owned(),
    })
}

/// Empty lines in a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EmptyRun {
    pub(crate) span: Span,
    pub(crate) n_lines: usize,
    /// How many there may be here.
    pub(crate) max: usize,
    message: String,
}

impl EmptyRun {
    fn is_too_long(&self) -> bool {
        self.n_lines > self.max
    }
}

/// The runs of empty lines that are too long.
pub(crate) fn long_empty_runs(text: &str, limits: EmptyLines) -> Vec<EmptyRun> {
    let mut runs = Vec::new();
    let (mut run_start, mut n_empty, mut end) = (0, 0, 0);
    for line in text.split_inclusive('\n') {
        if line.trim_end_matches(['\n', '\r']).is_empty() {
            n_empty += 1;
        } else {
            let span = Span {
                start: run_start,
                end,
            };
            runs.push(run(span, n_empty, false, limits));
            n_empty = 0;
            run_start = end + line.len();
        }
        end += line.len();
    }
    let span = Span {
        start: run_start,
        end,
    };
    runs.push(run(span, n_empty, true, limits));
    runs.retain(EmptyRun::is_too_long);
    runs
}

fn run(span: Span, n_lines: usize, is_last: bool, limits: EmptyLines) -> EmptyRun {
    let (max, message) = if span.start == 0 {
        (limits.max_start, place_message("starts", limits.max_start))
    } else if is_last {
        (limits.max_end, place_message("ends", limits.max_end))
    } else {
        let message = match limits.max {
            0 => "an empty line".to_owned(),
            max => format!("more than {} in a row", n_empty_lines(max)),
        };
        (limits.max, message)
    };
    EmptyRun {
        span,
        n_lines,
        max,
        message,
    }
}

fn place_message(verb: &str, max: usize) -> String {
    match max {
        0 => format!("the file {verb} with an empty line"),
        max => format!("the file {verb} with more than {}", n_empty_lines(max)),
    }
}

fn n_empty_lines(count: usize) -> String {
    match count {
        1 => "one empty line".to_owned(),
        2 => "two empty lines".to_owned(),
        count => format!("{count} empty lines"),
    }
}

pub(super) fn empty_lines(text: &str, limits: EmptyLines) -> Option<Finding> {
    let run = long_empty_runs(text, limits).into_iter().next()?;
    // The first line of a file, the last of any other run.
    let place = if run.span.start == 0 {
        0
    } else {
        run.span.end.saturating_sub(1)
    };
    Some(Finding {
        span: Span {
            start: place,
            end: place,
        },
        message: run.message,
        help: "remove the empty lines".to_owned(),
    })
}

fn one_byte(start: usize) -> Span {
    Span {
        start,
        end: start + 1,
    }
}

fn n_lines(count: usize) -> String {
    match count {
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    }
}

#[cfg(test)]
mod tests {
    use crate::layout::findings;
    use crate::rules::LayoutRules;
    use ilab_base::yaml;

    #[test]
    fn each_habit_is_told_once_at_its_first_place() {
        let told = |text: &str| {
            let root = yaml::parse(text).unwrap().root;
            let told = findings(text, &root, &LayoutRules::default()).into_iter();
            told.map(|one| format!("{}:{} {}", one.line, one.column, one.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(told("a: 1\nb: 2\n"), Vec::<String>::new());
        assert_eq!(told(""), Vec::<String>::new());
        assert_eq!(
            told("é: 1  \nb: 2\t\n"),
            ["1:5 blanks at the end of 2 lines"]
        );
        assert_eq!(
            told("a: 1\r\nb: 2\r\n"),
            ["1:5 Windows line ends (CR LF) on 2 lines"]
        );
        assert_eq!(told("a: é"), ["1:4 the last line has no end of line"]);
    }
}
