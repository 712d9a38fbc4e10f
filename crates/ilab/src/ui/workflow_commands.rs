//! Findings as commands of GitHub's workflows, which show them beside the lines of a pull request.
//!
//! Format: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands>.

use std::path::Path;

use ilab_base::diagnostic::Diagnostic;

/// One line a finding.
pub(crate) fn lines(path: &Path, diagnostics: &[Diagnostic]) -> Vec<String> {
    let file = property(&path.display().to_string());
    let line = |diagnostic: &Diagnostic| {
        let command = if diagnostic.is_error() {
            "error"
        } else {
            "warning"
        };
        let text = match &diagnostic.help {
            Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
            None => diagnostic.message.clone(),
        };
        format!(
            "::{command} file={file},line={},col={}::{}",
            diagnostic.line,
            diagnostic.column,
            message(&text)
        )
    };
    diagnostics.iter().map(line).collect()
}

/// What stands behind the second `::`.
fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// What stands between the first `::` and the second.
fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ilab_base::diagnostic::Span;

    #[test]
    fn nothing_in_a_path_or_a_message_ends_the_command() {
        let found = [
            Diagnostic::error(
                "é: 1",
                Span { start: 3, end: 4 },
                "100% ::wrong,\r\nall of it",
            ),
            Diagnostic::warning("a", Span::default(), "odd").with_help("write `a: b`"),
        ];
        assert_eq!(
            lines(Path::new("a,b/c:d%/qna.yaml"), &found),
            [
                "::error file=a%2Cb/c%3Ad%25/qna.yaml,line=1,col=3::100%25 ::wrong,%0D%0Aall of it",
                "::warning file=a%2Cb/c%3Ad%25/qna.yaml,line=1,col=1::odd%0Ahelp: write `a: b`",
            ]
        );
    }
}
