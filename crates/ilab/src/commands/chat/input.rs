//! Where questions come from: a terminal with line editing, or a pipe.

use std::io::{BufRead, IsTerminal};

use rustyline::error::ReadlineError;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::commands::chat::terminal::Terminal;
use crate::commands::stop::{Stop, StopSignals};
use crate::error::{CommandError, Kind};
use crate::ui::Ui;

const PROMPT: &str = ">>> ";

/// What came.
#[derive(Debug)]
pub(super) enum Typed {
    /// One line, or several in multiline mode.
    Text(String),
    /// Ctrl-C at the prompt.
    Interrupt,
    /// Ctrl-D, or the end of the pipe.
    End,
}

/// Where lines come from.
pub(super) struct Input {
    lines: Lines,
    is_multiline: bool,
}

enum Lines {
    Terminal(Terminal),
    Pipe(mpsc::Receiver<std::io::Result<String>>),
}

impl Input {
    /// Looks whether stdin is a terminal.
    pub(super) fn new(is_vi_mode: bool) -> Result<Self, CommandError> {
        let lines = if std::io::stdin().is_terminal() {
            Lines::Terminal(Terminal::new(is_vi_mode).map_err(unreadable)?)
        } else {
            Lines::Pipe(read_pipe())
        };
        Ok(Self {
            lines,
            is_multiline: false,
        })
    }

    /// Switches between one line and several; returns whether it is several now.
    pub(super) fn toggle_multiline(&mut self) -> bool {
        self.is_multiline = !self.is_multiline;
        self.is_multiline
    }

    /// Shows a question that was asked on the command line as if it had been typed.
    pub(super) fn echo(&self, question: &str, ui: Ui) {
        if matches!(self.lines, Lines::Terminal(_)) {
            ui.status(format!("{PROMPT}{question}"));
        }
    }

    /// Waits for what is typed next.
    pub(super) fn next(
        &mut self,
        runtime: &Runtime,
        signals: &mut StopSignals,
    ) -> Result<Typed, CommandError> {
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { PROMPT } else { "... " };
            let line = match self.line(prompt, runtime, signals)? {
                Typed::Text(line) => line,
                Typed::End if !text.is_empty() => return Ok(Typed::Text(text)),
                other => return Ok(other),
            };
            let is_command = text.is_empty() && line.starts_with('/');
            if !self.is_multiline || is_command {
                return Ok(Typed::Text(line));
            }
            if line.trim().is_empty() && !text.is_empty() {
                return Ok(Typed::Text(text));
            }
            text.push_str(&line);
            text.push('\n');
        }
    }

    fn line(
        &mut self,
        prompt: &str,
        runtime: &Runtime,
        signals: &mut StopSignals,
    ) -> Result<Typed, CommandError> {
        match &mut self.lines {
            Lines::Terminal(terminal) => {
                terminal.begin(prompt);
                runtime.block_on(edited(terminal, signals))
            }
            Lines::Pipe(lines) => runtime.block_on(async {
                tokio::select! {
                    line = lines.recv() => match line {
                        Some(Ok(line)) => Ok(Typed::Text(line)),
                        Some(Err(error)) => Err(unreadable(ReadlineError::Io(error))),
                        None => Ok(Typed::End),
                    },
                    // Nobody sits at a pipe to type on after Ctrl-C.
                    _ = signals.next() => Ok(Typed::End),
                }
            }),
        }
    }
}

/// The line that is being edited, unless the session is terminated. Ctrl-C comes as a key.
async fn edited(terminal: &mut Terminal, signals: &mut StopSignals) -> Result<Typed, CommandError> {
    loop {
        tokio::select! {
            line = terminal.line() => return match line {
                Some(Ok(line)) => Ok(Typed::Text(line)),
                Some(Err(ReadlineError::Interrupted)) => Ok(Typed::Interrupt),
                Some(Err(ReadlineError::Eof)) | None => Ok(Typed::End),
                Some(Err(error)) => Err(unreadable(error)),
            },
            stop = signals.next() => if stop == Stop::Terminated {
                terminal.leave();
                return Ok(Typed::End);
            },
        }
    }
}

/// Reads stdin in a thread of its own, so that Ctrl-C is heard while it waits.
fn read_pipe() -> mpsc::Receiver<std::io::Result<String>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let is_last = line.is_err();
            if sender.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

fn unreadable(error: ReadlineError) -> CommandError {
    CommandError::message(
        Kind::User,
        format!("the input cannot be read: {error}"),
        "ask one question with `ilab model chat -qq \"…\"`",
    )
}
