//! What a run of generation shows while it works.

use std::sync::{Mutex, PoisonError};

use ilab_sdg::{Event, Observer};

use crate::ui::{Progress, Ui};

/// Counts answers on the screen.
pub(crate) struct GenerationProgress {
    ui: Ui,
    state: Mutex<State>,
}

struct State {
    progress: Progress,
    n_planned: usize,
    n_answered: usize,
    n_from_journal: usize,
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
            Event::Planned { n_answers } => {
                state.n_planned += n_answers;
                let total = state.n_planned as u64;
                state.progress.set_total(total);
            }
            Event::Answered {
                n_answers,
                is_from_journal,
            } => {
                state.n_answered += n_answers;
                if is_from_journal {
                    state.n_from_journal += n_answers;
                }
                let note = match state.n_from_journal {
                    0 => "answers".to_owned(),
                    n => format!("answers, {n} kept from before"),
                };
                let n_answered = state.n_answered as u64;
                state.progress.set(n_answered, &note);
            }
            Event::Unread { leaf, file } => {
                self.ui.warning(format!(
                    "{leaf}: `{file}` is in no format that can be read and is left out"
                ));
            }
            Event::Chunked { .. } | Event::Writing => {}
        }
    }
}
