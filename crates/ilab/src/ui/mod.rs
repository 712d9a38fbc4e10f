//! The screen: data goes to stdout, everything else to stderr.

mod findings;
mod lengths;
pub(crate) mod log;
mod progress;
mod question;
mod sample;
pub(crate) mod table;
mod training_progress;
mod workflow_commands;

pub(crate) use progress::Progress;
pub(crate) use question::HINT_NON_INTERACTIVE;
pub(crate) use training_progress::TrainingProgress;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ilab_base::diagnostic::Diagnostic;
use ilab_train::dataset::Statistics;
use ilab_train::dataset::preview::Preview;

/// Set when data did not reach stdout.
static HAS_LOST_DATA: AtomicBool = AtomicBool::new(false);

/// Whether data did not reach stdout, which was told: the command has not done what it was asked for.
pub(crate) fn has_lost_data() -> bool {
    HAS_LOST_DATA.load(Ordering::SeqCst)
}

/// Where commands write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ui {
    is_quiet: bool,
    is_terminal: bool,
    has_colour: bool,
    has_colour_of_data: bool,
}

impl Ui {
    /// Looks at the terminal; `no_colour` is the user's wish (`NO_COLOR`).
    pub(crate) fn new(is_quiet: bool, no_colour: bool) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            is_quiet,
            is_terminal,
            has_colour: is_terminal && !no_colour,
            has_colour_of_data: std::io::stdout().is_terminal() && !no_colour,
        }
    }

    /// The same screen with status lines and progress left out.
    pub(crate) fn quiet(self, is_quiet: bool) -> Self {
        Self {
            is_quiet: self.is_quiet || is_quiet,
            ..self
        }
    }

    /// A sample of training data as the model sees it, on stdout.
    pub(crate) fn sample(&self, preview: &Preview) {
        self.data(sample::draw(preview, self.has_colour_of_data));
    }

    /// How long the samples of a data set are, on stdout.
    pub(crate) fn lengths(&self, statistics: &Statistics) {
        self.data(lengths::draw(statistics));
    }

    /// One line of data, on stdout.
    pub(crate) fn data(&self, line: impl AsRef<str>) {
        self.told(writeln!(std::io::stdout(), "{}", line.as_ref()));
    }

    /// Part of a line of data, on stdout, shown at once.
    pub(crate) fn piece(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        self.told(write!(stdout, "{text}").and_then(|()| stdout.flush()));
    }

    /// Tells that data did not reach stdout, once. A reader that went away (`| head`) wants no more and needs no message.
    fn told(&self, written: std::io::Result<()>) {
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
            && !HAS_LOST_DATA.swap(true, Ordering::SeqCst)
        {
            self.error(format!("cannot write to stdout: {error}"));
        }
    }

    /// What is going on, on stderr.
    pub(crate) fn status(&self, line: impl AsRef<str>) {
        if !self.is_quiet {
            self.line("", "", line.as_ref());
        }
    }

    /// Something the user should look at, on stderr.
    pub(crate) fn warning(&self, line: impl AsRef<str>) {
        self.line("33", "warning: ", line.as_ref());
    }

    /// What went wrong, on stderr.
    pub(crate) fn error(&self, text: impl AsRef<str>) {
        self.line("31", "error: ", text.as_ref());
    }

    /// What was found in a file that the user wrote, each finding with its place and the line, on stderr.
    pub(crate) fn findings(&self, path: &Path, text: &str, diagnostics: &[Diagnostic]) {
        if !diagnostics.is_empty() {
            let drawing = findings::draw(path, text, diagnostics, self.has_colour);
            self.line("", "", &format!("{drawing}\n"));
        }
    }

    /// The same for programs that show findings beside the lines of a change: a line each, on stdout.
    pub(crate) fn annotations(&self, path: &Path, diagnostics: &[Diagnostic]) {
        for line in workflow_commands::lines(path, diagnostics) {
            self.data(line);
        }
    }

    /// A bar with rate and remaining time; in a pipe, a line every few seconds.
    pub(crate) fn progress(&self, what: &str, total: u64, unit: &'static str) -> Progress {
        Progress::new(
            what,
            total,
            unit,
            self.is_terminal && !self.is_quiet,
            self.is_quiet,
        )
    }

    /// A bar with the course of a training; in a pipe, a line an epoch.
    pub(crate) fn training_progress(&self, n_steps: u64) -> TrainingProgress {
        TrainingProgress::new(n_steps, self.is_terminal && !self.is_quiet, self.is_quiet)
    }

    fn line(&self, colour: &str, label: &str, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // Nobody is left to tell when stderr itself is gone.
        let _ = if self.has_colour && !colour.is_empty() {
            writeln!(stderr, "\u{1b}[{colour};1m{label}\u{1b}[0m{text}")
        } else {
            writeln!(stderr, "{label}{text}")
        };
    }
}
