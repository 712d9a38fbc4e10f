//! Lines from a terminal: edited in a thread of its own, so that a signal is heard while it waits for a key.

use std::io::Write;
use std::sync::mpsc as prompts;

use rustyline::{Config, DefaultEditor, EditMode};
use tokio::sync::mpsc;

/// Ends what line editing switches on beside the modes: pasted text in brackets.
const END_OF_EDITING: &str = "\u{1b}[?2004l\r\n";

/// A line editor.
pub(super) struct Terminal {
    prompts: prompts::Sender<String>,
    lines: mpsc::Receiver<rustyline::Result<String>>,
    modes: Modes,
}

impl Terminal {
    /// Starts the editor; nothing is asked yet.
    pub(super) fn new(is_vi_mode: bool) -> rustyline::Result<Self> {
        let modes = Modes::now();
        let mode = if is_vi_mode {
            EditMode::Vi
        } else {
            EditMode::Emacs
        };
        let config = Config::builder()
            .edit_mode(mode)
            .auto_add_history(true)
            .build();
        let mut editor = DefaultEditor::with_config(config)?;
        let (prompt_sender, prompts) = prompts::channel::<String>();
        let (sender, lines) = mpsc::channel(1);
        std::thread::spawn(move || {
            for prompt in prompts {
                if sender.blocking_send(editor.readline(&prompt)).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            prompts: prompt_sender,
            lines,
            modes,
        })
    }

    /// Shows `prompt` and lets a line be edited.
    pub(super) fn begin(&self, prompt: &str) {
        // The thread ends only when this does.
        let _ = self.prompts.send(prompt.to_owned());
    }

    /// The line that was begun; none when the editor has ended.
    pub(super) async fn line(&mut self) -> Option<rustyline::Result<String>> {
        self.lines.recv().await
    }

    /// Gives the terminal back as it was, while the editor still waits for a key.
    pub(super) fn leave(&self) {
        self.modes.set();
        let mut stdout = std::io::stdout().lock();
        // A terminal that is gone needs no tidying.
        let _ = write!(stdout, "{END_OF_EDITING}").and_then(|()| stdout.flush());
    }
}

/// How the terminal takes keys.
#[cfg(unix)]
struct Modes(Option<nix::sys::termios::Termios>);

#[cfg(unix)]
impl Modes {
    fn now() -> Self {
        Self(nix::sys::termios::tcgetattr(std::io::stdin()).ok())
    }

    fn set(&self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        if let Some(modes) = &self.0 {
            // A terminal that is gone needs no modes.
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, modes);
        }
    }
}

/// Nothing here ends a chat while the editor waits.
#[cfg(not(unix))]
struct Modes;

#[cfg(not(unix))]
impl Modes {
    fn now() -> Self {
        Self
    }

    fn set(&self) {}
}
