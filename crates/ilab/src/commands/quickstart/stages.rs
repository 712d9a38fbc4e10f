//! The stages of a run, told as they go and timed.

use std::time::Instant;

use ilab_base::cancel::Cancel;
use serde::Serialize;

use crate::error::{CommandError, Kind};
use crate::ui::Ui;

/// How many stages a run has.
const N_STAGES: usize = 8;

/// One finished stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) seconds: f64,
}

/// The stages so far.
#[derive(Debug)]
pub(super) struct Stages {
    ui: Ui,
    cancel: Cancel,
    started: Instant,
    finished: Vec<Stage>,
}

impl Stages {
    pub(super) fn new(ui: Ui, cancel: Cancel) -> Self {
        Self {
            ui,
            cancel,
            started: Instant::now(),
            finished: Vec::new(),
        }
    }

    /// Runs one stage; `what` says what it does. The line that it returns says what came of it.
    pub(super) fn run<T>(
        &mut self,
        name: &'static str,
        what: &str,
        work: impl FnOnce() -> Result<(T, String), CommandError>,
    ) -> Result<T, CommandError> {
        let number = self.finished.len() + 1;
        self.ui
            .status(format!("[{number}/{N_STAGES}] {name}: {what}"));
        let started = Instant::now();
        let (value, outcome) = work()?;
        if self.cancel.is_cancelled() {
            return Err(CommandError::told(Kind::Interrupted));
        }
        let seconds = started.elapsed().as_secs_f64();
        self.ui.status(format!("      {outcome} ({seconds:.1} s)"));
        self.finished.push(Stage { name, seconds });
        Ok(value)
    }

    /// The stages and the seconds of the whole run.
    pub(super) fn finish(self) -> (Vec<Stage>, f64) {
        debug_assert_eq!(self.finished.len(), N_STAGES);
        (self.finished, self.started.elapsed().as_secs_f64())
    }
}
