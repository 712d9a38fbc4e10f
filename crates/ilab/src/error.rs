//! The one place where a failure becomes what the user reads: kind, message, causes and hints.

use std::error::Error;
use std::process::ExitCode;

use ilab_base::hint::Hint;

/// What kind of failure it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Something the user can put right: a file, a model, an endpoint, a disk.
    User,
    /// The command line or the configuration file is wrong.
    Usage,
    /// The user stopped the command.
    Interrupted,
    /// Another process did what was asked for and ended with this code.
    Ended(u8),
}

impl Kind {
    fn exit_code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Usage => 2,
            Self::Interrupted => 130,
            Self::Ended(code) => code,
        }
    }
}

/// A failed command.
#[derive(Debug)]
pub(crate) struct CommandError {
    kind: Kind,
    source: Box<dyn Error + Send + Sync>,
    hints: Vec<String>,
}

impl CommandError {
    /// The same with one more thing to do.
    pub(crate) fn and_hint(mut self, hint: &str) -> Self {
        self.hints.push(hint.to_owned());
        self
    }

    /// A failure with a library error behind it; its hints come along.
    pub(crate) fn user(error: impl Error + Hint + Send + Sync + 'static) -> Self {
        let hints = error.hints();
        Self {
            kind: Kind::User,
            source: Box::new(error),
            hints,
        }
    }

    /// A failure of the command line or the configuration file; its hints come along.
    pub(crate) fn usage(error: impl Error + Hint + Send + Sync + 'static) -> Self {
        Self {
            kind: Kind::Usage,
            ..Self::user(error)
        }
    }

    /// A failure that only this program knows: `message` says what, `hint` what to do.
    pub(crate) fn message(kind: Kind, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            kind,
            source: message.into().into(),
            hints: vec![hint.into()],
        }
    }

    /// A failure that was already told in full; only the exit code is left to give.
    pub(crate) fn told(kind: Kind) -> Self {
        Self {
            kind,
            source: String::new().into(),
            hints: Vec::new(),
        }
    }

    /// The user stopped the command; `hint` says how to go on.
    pub(crate) fn interrupted(hint: impl Into<String>) -> Self {
        Self::message(Kind::Interrupted, "interrupted", hint)
    }

    /// Whether it failed because the user stopped it.
    pub(crate) fn is_cancelled(&self) -> bool {
        use ilab_train::error::TrainError;
        let of_training = self.source.downcast_ref::<TrainError>();
        matches!(of_training, Some(TrainError::Cancelled(_)))
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    /// The exit code as a number.
    pub(crate) fn code(&self) -> u8 {
        self.kind.exit_code()
    }

    /// What failed, in one line; `None` where it was told already.
    pub(crate) fn summary(&self) -> Option<String> {
        let text = self.source.to_string();
        text.lines().next().map(str::to_owned)
    }

    /// The whole message: what failed, why, and what to do.
    pub(crate) fn render(&self) -> String {
        let mut text = self.source.to_string();
        if text.is_empty() {
            return text;
        }
        let mut cause = self.source.source();
        while let Some(error) = cause {
            text.push_str(&format!("\n  caused by: {error}"));
            cause = error.source();
        }
        for (index, hint) in self.hints.iter().enumerate() {
            if !self.hints[..index].contains(hint) {
                text.push_str(&format!("\nhint: {hint}"));
            }
        }
        text
    }
}

impl<E: Error + Hint + Send + Sync + 'static> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::user(error)
    }
}

/// What a command returns.
pub(crate) type CommandResult = Result<(), CommandError>;
