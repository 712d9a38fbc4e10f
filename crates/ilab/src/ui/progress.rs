//! Progress of anything longer than a second: count, rate and remaining time.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a line is written where the terminal cannot redraw.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// A running count of finished units.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    unit: &'static str,
    started: Instant,
    last_line: Instant,
    writes_lines: bool,
}

impl Progress {
    pub(super) fn new(
        what: &str,
        total: u64,
        unit: &'static str,
        is_drawn: bool,
        is_quiet: bool,
    ) -> Self {
        let target = if is_drawn {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) =
            ProgressStyle::with_template("{prefix:>12} [{bar:24}] {pos}/{len} {msg} ETA {eta}")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(what.to_owned());
        let now = Instant::now();
        Self {
            bar,
            what: what.to_owned(),
            unit,
            started: now,
            last_line: now,
            writes_lines: !is_drawn && !is_quiet,
        }
    }

    /// Sets how many units there are in all.
    pub(crate) fn set_total(&mut self, total: u64) {
        self.bar.set_length(total);
    }

    /// Sets how many units are finished; `note` is shown beside the rate.
    pub(crate) fn set(&mut self, finished: u64, note: &str) {
        let seconds = self.started.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_position(finished);
        self.bar.set_message(format!(
            "{} ({:.1} {}/s)",
            note,
            finished as f64 / seconds,
            self.unit
        ));
        if self.writes_lines && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let eta = self.bar.eta().as_secs();
            let total = self.bar.length().unwrap_or_default();
            eprint_line(&format!(
                "{}: {finished}/{total} {} ETA {eta}s",
                self.what,
                self.bar.message()
            ));
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        self.bar.finish_and_clear();
    }
}

pub(super) fn eprint_line(line: &str) {
    use std::io::Write;
    // Nobody is left to tell when stderr itself is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
}
