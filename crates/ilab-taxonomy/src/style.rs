//! Style: what makes a file harder to review and changes nothing of what it teaches. Warnings only.

use ilab_base::diagnostic::{Diagnostic, Span};

/// Looks for trailing blanks, Windows line ends and a missing end of the last line.
///
/// One finding a kind, at its first place: a hundred lines with the same habit are one thing to change.
pub(crate) fn warnings(text: &str) -> Vec<Diagnostic> {
    [
        trailing_blanks(text),
        windows_line_ends(text),
        missing_final_newline(text),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Every line with the byte at which it starts, without its end of line.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let line_start = start;
        start += line.len();
        (line_start, line.trim_end_matches(['\n', '\r']))
    })
}

fn trailing_blanks(text: &str) -> Option<Diagnostic> {
    let mut places = lines(text).filter_map(|(start, line)| {
        let kept = line.trim_end_matches([' ', '\t']).len();
        (kept < line.len()).then_some(Span {
            start: start + kept,
            end: start + line.len(),
        })
    });
    let first = places.next()?;
    let message = format!("blanks at the end of {}", n_lines(1 + places.count()));
    Some(
        Diagnostic::warning(text, first, message)
            .with_help("remove them: `sed -i 's/[ \\t]*$//' qna.yaml`"),
    )
}

fn windows_line_ends(text: &str) -> Option<Diagnostic> {
    let first = text.find("\r\n")?;
    let message = format!(
        "Windows line ends (CR LF) on {}",
        n_lines(text.matches("\r\n").count())
    );
    let span = Span {
        start: first,
        end: first + 1,
    };
    Some(
        Diagnostic::warning(text, span, message)
            .with_help("write LF alone: `sed -i 's/\\r$//' qna.yaml`"),
    )
}

fn missing_final_newline(text: &str) -> Option<Diagnostic> {
    let last = text.chars().next_back().filter(|&last| last != '\n')?;
    let span = Span {
        start: text.len() - last.len_utf8(),
        end: text.len(),
    };
    Some(
        Diagnostic::warning(text, span, "the last line has no end of line")
            .with_help("end the file with a newline"),
    )
}

fn n_lines(count: usize) -> String {
    match count {
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_habit_is_told_once_at_its_first_place() {
        let told = |text: &str| {
            let told = warnings(text).into_iter();
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
