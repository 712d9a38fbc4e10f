//! The system prompts that a chat can have.

use crate::error::{CommandError, Kind};

/// A named system prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChatContext {
    /// None: the model's own chat template decides what it is told before the conversation.
    Default,
    /// Help with command lines.
    CliHelper,
}

const CLI_HELPER: &str = "You help people at a command line. Answer with the command that does what is asked, ready to \
    be pasted, then one sentence that says what it does. Say so when a command deletes or overwrites anything.";

impl ChatContext {
    const NAMES: [(&str, Self); 2] = [("default", Self::Default), ("cli_helper", Self::CliHelper)];

    /// The context of that name.
    pub(crate) fn parse(name: &str) -> Result<Self, CommandError> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, context)| *context).ok_or_else(|| {
            CommandError::message(
                Kind::Usage,
                format!("there is no chat context `{name}`"),
                "the contexts are `default` and `cli_helper`",
            )
        })
    }

    /// What the model is told first.
    pub(crate) fn system_prompt(&self) -> Option<&'static str> {
        match self {
            Self::Default => None,
            Self::CliHelper => Some(CLI_HELPER),
        }
    }

    /// Every context with its prompt.
    pub(crate) fn list() -> String {
        let line = |(name, context): &(&str, Self)| {
            format!(
                "{name}: {}",
                context
                    .system_prompt()
                    .unwrap_or("the model's own, if it has one")
            )
        };
        Self::NAMES.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}
