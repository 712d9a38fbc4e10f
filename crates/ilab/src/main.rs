//! `ilab`: teach a language model new knowledge and skills.
//!
//! `cli` says what can be typed (clap only), `settings` turns it into plain values with their origin, `commands` does the
//! work and knows neither, `ui` is the screen, `error` turns every failure into a message with a next step.

mod cli;
mod commands;
mod error;
mod settings;
mod ui;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
