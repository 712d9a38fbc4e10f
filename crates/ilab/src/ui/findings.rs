//! Findings in files that users write, drawn with the line they are about.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use ilab_base::diagnostic::Diagnostic;
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report,
    Severity,
};

/// Where messages are broken.
const WIDTH: usize = 100;

/// Each finding in `text`, the text of `path`, with place, line, and what to do.
pub(crate) fn draw(
    path: &Path,
    text: &str,
    diagnostics: &[Diagnostic],
    has_colour: bool,
) -> String {
    let source = Arc::new(NamedSource::new(
        path.display().to_string(),
        text.to_owned(),
    ));
    let theme = if has_colour {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false)
        .with_context_lines(1);
    let mut drawing = String::new();
    for diagnostic in diagnostics {
        let report = Report::from(labelled(diagnostic)).with_source_code(Arc::clone(&source));
        let drawn = handler.render_report(&mut drawing, report.as_ref());
        // A place that cannot be drawn must not lose the message.
        if drawn.is_err() {
            drawing.push_str(&plain(path, diagnostic));
        }
        drawing.push('\n');
    }
    drawing.trim_end().to_owned()
}

fn labelled(diagnostic: &Diagnostic) -> MietteDiagnostic {
    let span = diagnostic.span;
    let length = span.end.saturating_sub(span.start);
    let label = LabeledSpan::new(None, span.start, length);
    let labelled = MietteDiagnostic::new(&diagnostic.message)
        .with_severity(if diagnostic.is_error() {
            Severity::Error
        } else {
            Severity::Warning
        })
        .with_label(label);
    match &diagnostic.help {
        Some(help) => labelled.with_help(help),
        None => labelled,
    }
}

fn plain(path: &Path, diagnostic: &Diagnostic) -> String {
    let (line, column) = (diagnostic.line, diagnostic.column);
    let mut text = format!(
        "{}:{line}:{column}: {}\n",
        path.display(),
        diagnostic.message
    );
    if let Some(help) = &diagnostic.help {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  help: {help}");
    }
    text
}
