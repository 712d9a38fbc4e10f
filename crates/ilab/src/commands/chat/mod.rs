//! `ilab model chat`.

mod backend;
mod conversation;
mod input;
mod line;

use std::time::Instant;

use tokio::runtime::Runtime;

use self::backend::Backend;
use self::conversation::{Conversation, Ending};
use self::input::{Input, Typed};
use self::line::{HELP, Line};
use crate::commands::serve::no_runtime;
use crate::commands::stop::StopSignals;
use crate::error::{CommandError, CommandResult};
use crate::settings::{ChatContext, ChatSettings};
use crate::ui::{Ui, log};

pub(crate) fn run(settings: &ChatSettings, ui: Ui) -> CommandResult {
    if settings.is_quick && settings.question.is_none() {
        return Ok(());
    }
    log::start(None, settings.verbosity)?;
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
        conversation: Conversation::new(&settings.context),
        backend,
        signals,
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
    runtime: Runtime,
}

impl Session<'_> {
    fn answer_once(&mut self, question: &str) -> CommandResult {
        match self.ask(question)? {
            Ending::Whole => Ok(()),
            Ending::Stopped => Err(CommandError::interrupted("ask again")),
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
        loop {
            let is_over = match input.next(&self.runtime, &mut self.signals)? {
                Typed::Text(text) => self.act(&text, &mut input)?,
                Typed::Interrupt => false,
                Typed::End => true,
            };
            if is_over {
                return Ok(());
            }
        }
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
                Ok(context) => self.conversation = Conversation::new(&context),
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
            Ok(Ending::Stopped) => self.ui.status("(stopped)"),
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

    fn ask(&mut self, question: &str) -> Result<Ending, CommandError> {
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
