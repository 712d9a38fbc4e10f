//! What can be typed: clap definitions only, and the hand-over to settings and commands.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::CommandResult;
use crate::settings::Environment;
use crate::ui::Ui;

/// Teach a language model new knowledge and skills.
#[derive(Debug, Parser)]
#[command(
    name = "ilab",
    version,
    disable_help_flag = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Cli {
    /// Configuration file to load
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print help
    #[arg(long, global = true, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

/// The groups and the four short names of the original.
#[derive(Debug, Subcommand)]
enum Command {}

/// Parses the command line, runs the command and says what went wrong.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let (ui, result) = match Environment::read() {
        Ok(environment) => {
            let ui = Ui::new(false, environment.no_colour);
            (ui, dispatch(cli, &environment, ui))
        }
        Err(error) => (Ui::new(false, true), Err(error)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let text = error.render();
            if !text.is_empty() {
                ui.error(text);
            }
            error.exit_code()
        }
    }
}

fn dispatch(cli: Cli, _environment: &Environment, _ui: Ui) -> CommandResult {
    match cli.command {}
}
