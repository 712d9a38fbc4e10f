//! `ilab model chat`.

mod backend;
mod conversation;
mod input;
mod line;
mod terminal;

use std::time::Instant;

use futures::FutureExt;
use tokio::runtime::Runtime;

use self::backend::Backend;
use self::conversation::{Conversation, Ending};
use self::input::{Input, Typed};
use self::line::{HELP, Line};
use crate::commands::serve::no_runtime;
use crate::commands::stop::{Stop, StopSignals};
use crate::error::{CommandError, CommandResult};
use crate::settings::{ChatContext, ChatSettings};
use crate::ui::Ui;

pub(crate) fn run(settings: &ChatSettings, ui: Ui) -> CommandResult {
    if settings.is_quick && settings.question.is_none() {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(no_runtime)?;
    let backend = runtime.block_on(backend::choose(settings, ui))?;
    let signals = {
        let _runtime = runtime.enter();
        StopSignals::listen().map_err(no_runtime)?
    };
    let mut session = Session {
        settings,
        ui,
        conversation: Conversation::new(&settings.context, backend.n_context_tokens),
        backend,
        signals,
        is_terminated: false,
        runtime,
    };
    match &settings.question {
        Some(question) if settings.is_quick => session.answer_once(question),
        question => session.talk(question.as_deref()),
    }
}

struct Session<'a> {
    settings: &'a ChatSettings,
    ui: Ui,
    conversation: Conversation,
    backend: Backend,
    signals: StopSignals,
    /// SIGTERM came: no further question is waited for.
    is_terminated: bool,
    runtime: Runtime,
}

impl Session<'_> {
    fn answer_once(&mut self, question: &str) -> CommandResult {
        match self.ask(question)? {
            Ending::Whole => Ok(()),
            Ending::CutOff => {
                self.ui.status(self.cut_off());
                Ok(())
            }
            Ending::Stopped(_) => Err(CommandError::interrupted("ask again")),
        }
    }

    fn talk(&mut self, first: Option<&str>) -> CommandResult {
        if self.settings.is_decorated {
            self.ui.status(format!(
                "Welcome to InstructLab Chat w/ {} (type /h for help)",
                self.backend.name.to_uppercase()
            ));
        }
        let mut input = Input::new(self.settings.is_vi_mode)?;
        if let Some(question) = first {
            input.echo(question, self.ui);
            self.ask_and_go_on(question)?;
        }
        while !self.is_terminated {
            let is_over = match input.next(&self.runtime, &mut self.signals)? {
                Typed::Text(text) => self.act(&text, &mut input)?,
                Typed::Interrupt => false,
                Typed::End => true,
            };
            if is_over {
                break;
            }
        }
        Ok(())
    }

    /// Does what was typed; says whether the session is over.
    fn act(&mut self, text: &str, input: &mut Input) -> Result<bool, CommandError> {
        match Line::parse(text) {
            Line::Nothing => {}
            Line::Quit => return Ok(true),
            Line::Help => self.ui.status(HELP),
            Line::Reset => {
                self.conversation.reset();
                self.ui.status("The conversation begins anew.");
            }
            Line::ToggleMultiline => {
                let is_on = input.toggle_multiline();
                self.ui.status(if is_on {
                    "Several lines: an empty line sends them."
                } else {
                    "One line: Enter sends it."
                });
            }
            Line::ListContexts => self.ui.status(ChatContext::list()),
            Line::Context(name) => match ChatContext::parse(name) {
                Ok(context) => {
                    let n_context_tokens = self.backend.n_context_tokens;
                    self.conversation = Conversation::new(&context, n_context_tokens);
                }
                Err(error) => self.ui.warning(error.render()),
            },
            Line::Unknown(command) => self
                .ui
                .warning(format!("there is no command `{command}`; `/h` lists them")),
            Line::Question(question) => self.ask_and_go_on(question)?,
        }
        Ok(false)
    }

    /// Asks; a failure that concerns this question only is told and the session goes on.
    fn ask_and_go_on(&mut self, question: &str) -> CommandResult {
        let started = Instant::now();
        match self.ask(question) {
            Ok(Ending::Whole) => {}
            Ok(Ending::CutOff) => self.ui.status(self.cut_off()),
            Ok(Ending::Stopped(stop)) => {
                self.is_terminated = stop == Stop::Terminated;
                self.ui.status("(stopped)");
            }
            Err(error) => self.ui.error(error.render()),
        }
        if self.settings.is_decorated {
            self.ui.status(format!(
                "- elapsed {:.3} seconds -",
                started.elapsed().as_secs_f64()
            ));
        }
        Ok(())
    }

    fn cut_off(&self) -> String {
        match self.settings.sampling.max_tokens {
            Some(n_tokens) => {
                format!("(cut off after {n_tokens} tokens: `--max-tokens` allows more)")
            }
            None => "(cut off: the model's context or the server's limit is used up)".to_owned(),
        }
    }

    fn ask(&mut self, question: &str) -> Result<Ending, CommandError> {
        // What was sent before the question was asked is not about it.
        while let Some(stop) = self.signals.next().now_or_never() {
            if stop == Stop::Terminated {
                return Ok(Ending::Stopped(stop));
            }
        }
        let asking = self.conversation.ask(
            question,
            &self.settings.sampling,
            self.backend.streamer.as_ref(),
            &mut self.signals,
            self.ui,
        );
        Ok(self.runtime.block_on(asking)?)
    }
}
