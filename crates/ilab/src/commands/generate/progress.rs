//! What a run of generation shows while it works.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ilab_openai::client::RetryListener;
use ilab_sdg::{Event, Observer};

use crate::ui::{Progress, Ui};

/// Requests that wait for each other's endpoint all tell so: one line in this time is enough.
const RETRY_LINE_INTERVAL: Duration = Duration::from_secs(1);

/// Counts answers on the screen.
pub(crate) struct GenerationProgress {
    ui: Ui,
    state: Mutex<State>,
}

struct State {
    progress: Progress,
    n_planned: u64,
    n_answered: usize,
    n_from_journal: usize,
    n_tokens: u64,
    /// When the teacher wrote its first answer of this run.
    first_written: Option<Instant>,
    n_left_out: usize,
    /// Leaf and block of the row that went on last.
    place: String,
}

impl State {
    fn answered(&mut self, n_answers: usize, n_tokens: u32, is_from_journal: bool) {
        self.n_answered += n_answers;
        self.n_tokens += u64::from(n_tokens);
        if is_from_journal {
            self.n_from_journal += n_answers;
        } else {
            self.first_written.get_or_insert_with(Instant::now);
        }
        self.show();
    }

    fn passed(&mut self, leaf: &str, block: &str, n_left_out: usize) {
        self.n_left_out += n_left_out;
        self.place = format!("{leaf}: {block}");
    }

    fn show(&mut self) {
        let mut note = "answers".to_owned();
        if self.n_from_journal > 0 {
            note.push_str(&format!(", {} kept from before", self.n_from_journal));
        }
        if self.n_left_out > 0 {
            note.push_str(&format!(", {} left out", self.n_left_out));
        }
        let seconds = self
            .first_written
            .map(|first| first.elapsed().as_secs_f64());
        if let Some(seconds) = seconds.filter(|seconds| *seconds >= 1.0 && self.n_tokens > 0) {
            note.push_str(&format!(", {:.0} tokens/s", self.n_tokens as f64 / seconds));
        }
        if !self.place.is_empty() {
            note.push_str(&format!(", {}", self.place));
        }
        self.progress.set(self.n_answered as u64, &note);
    }
}

impl GenerationProgress {
    /// Starts at nothing planned.
    pub(crate) fn new(ui: Ui) -> Self {
        let progress = ui.progress("generate", 0, "answers");
        Self {
            ui,
            state: Mutex::new(State {
                progress,
                n_planned: 0,
                n_answered: 0,
                n_from_journal: 0,
                n_tokens: 0,
                first_written: None,
                n_left_out: 0,
                place: String::new(),
            }),
        }
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {
        let state = self.state.into_inner();
        state
            .unwrap_or_else(PoisonError::into_inner)
            .progress
            .finish();
    }
}

impl Observer for GenerationProgress {
    fn event(&self, event: Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Cloning { .. } | Event::Converting { .. } => tell_reading(event, self.ui),
            Event::Chunked {
                leaf,
                n_documents,
                n_chunks,
            } => self.ui.status(format!(
                "{leaf}: {} in {}",
                counted(n_documents, "document"),
                counted(n_chunks, "chunk")
            )),
            Event::Planned { change } => {
                state.n_planned = state.n_planned.saturating_add_signed(change);
                let total = state.n_planned;
                state.progress.set_total(total);
            }
            Event::Answered {
                n_answers,
                n_tokens,
                is_from_journal,
            } => state.answered(n_answers, n_tokens, is_from_journal),
            Event::Passed {
                leaf,
                block,
                n_left_out,
                ..
            } => state.passed(leaf, block, n_left_out),
            Event::Unread { leaf, file } => {
                self.ui.warning(format!(
                    "{leaf}: `{file}` is in no format that can be read and is left out"
                ));
            }
            Event::Empty { dataset, n_records } => self.ui.warning(format!(
                "{} of `{}` with an empty turn are left out",
                counted(n_records, "record"),
                dataset.display()
            )),
            Event::Writing => {}
        }
    }
}

/// Shows what the check before a run does that takes time.
pub(crate) struct CheckProgress(pub(crate) Ui);

impl Observer for CheckProgress {
    fn event(&self, event: Event<'_>) {
        tell_reading(event, self.0);
    }
}

fn tell_reading(event: Event<'_>, ui: Ui) {
    match event {
        Event::Cloning { repository } => ui.status(format!("Cloning {repository}...")),
        Event::Converting { document } => ui.status(format!("Converting {document}...")),
        _ => {}
    }
}

/// Shows that a request failed and when it is sent again.
pub(crate) fn tell_retries(ui: Ui) -> RetryListener {
    let last_line = Mutex::new(None::<Instant>);
    RetryListener::new(move |retry| {
        let mut last_line = last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if last_line.is_none_or(|time| time.elapsed() >= RETRY_LINE_INTERVAL) {
            *last_line = Some(Instant::now());
            ui.status(retry.to_string());
        }
    })
}

fn counted(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
