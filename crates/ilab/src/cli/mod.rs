//! What can be typed: clap definitions only, and the hand-over to settings and commands.
//!
//! One file a group. A command is a variant of its group's enum with its flags in a struct; the group's `run` resolves
//! the flags into settings and calls the command. Nothing happens before parsing, so that `--help` is immediate.

pub(crate) mod access;
pub(crate) mod config;
pub(crate) mod data;
pub(crate) mod ignored;
pub(crate) mod model;
pub(crate) mod process;
pub(crate) mod quickstart;
mod short_flags;
pub(crate) mod taxonomy;
pub(crate) mod train;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::error::{CommandError, CommandResult};
use crate::settings::{Environment, Invocation};
use crate::ui::{Ui, log};

/// Teach a language model new knowledge and skills.
#[derive(Debug, Parser)]
#[command(
    name = "ilab",
    // clap prints the display name and the version with a space between; together they read as the original's line.
    display_name = "ilab,",
    version = concat!("version ", env!("CARGO_PKG_VERSION")),
    disable_version_flag = true,
    disable_help_flag = true,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Aliases:\n  chat      model chat\n  generate  data generate\n  serve     model serve\n  train     model train",
)]
struct Cli {
    /// Configuration file to load; `DEFAULT` ignores files and uses the built-in defaults
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say more; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print the version
    #[arg(long, action = clap::ArgAction::Version)]
    version: Option<bool>,
    /// Print help
    #[arg(long, global = true, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(subcommand)]
    command: Command,
}

/// The groups, and the short names of the original.
#[derive(Debug, Subcommand)]
enum Command {
    /// Set up and show the configuration
    #[command(subcommand, arg_required_else_help = true)]
    Config(config::ConfigCommand),
    /// Generate training data
    #[command(subcommand, arg_required_else_help = true)]
    Data(data::DataCommand),
    /// Train, convert, serve and ask models
    #[command(subcommand, arg_required_else_help = true)]
    Model(model::ModelCommand),
    /// Follow and stop runs in the background
    #[command(subcommand, arg_required_else_help = true)]
    Process(process::ProcessCommand),
    /// From a document to a model that learned it, in one run
    Quickstart(quickstart::QuickstartArgs),
    /// Draft, check and tidy the files of a taxonomy
    #[command(subcommand, arg_required_else_help = true)]
    Taxonomy(taxonomy::TaxonomyCommand),
    /// Ask a model questions
    #[command(hide = true)]
    Chat(Box<model::ChatArgs>),
    /// Generate training data from a taxonomy
    #[command(hide = true)]
    Generate(Box<data::GenerateArgs>),
    /// Serve a model over HTTP
    #[command(hide = true)]
    Serve(model::ServeArgs),
    /// Train a model on generated data
    #[command(hide = true)]
    Train(Box<train::TrainArgs>),
}

impl Command {
    /// Where the log goes; `None` is stderr.
    fn log_file(&self) -> Option<&Path> {
        match self {
            Self::Serve(args) | Self::Model(model::ModelCommand::Serve(args)) => {
                args.log_file.as_deref()
            }
            _ => None,
        }
    }
}

/// Parses the command line, runs the command and says what went wrong.
pub(crate) fn run() -> ExitCode {
    let mut arguments = short_flags::expand(std::env::args_os());
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return answer_without_running(&error),
    };
    let (ui, result) = match Environment::read() {
        Ok(environment) => {
            let ui = Ui::new(false, environment.no_colour);
            let invocation = Invocation {
                environment,
                ui,
                arguments: arguments.drain(..).skip(1).collect(),
                config_file: cli.config,
            };
            let log = log::start(cli.command.log_file(), cli.verbose);
            let result = log.map_err(CommandError::from);
            (ui, result.and_then(|()| dispatch(cli.command, &invocation)))
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

/// Help, the version, or what is wrong with the command line.
fn answer_without_running(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // As the original does: a group alone is a question, not a mistake.
        Ui::new(false, true).data(error.render().to_string().trim_end());
        return ExitCode::SUCCESS;
    }
    // Nobody is left to tell when the terminal itself is gone.
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn dispatch(command: Command, invocation: &Invocation) -> CommandResult {
    match command {
        Command::Config(command) => command.run(invocation),
        Command::Data(command) => command.run(invocation),
        Command::Model(command) => command.run(invocation),
        Command::Process(command) => command.run(invocation),
        Command::Quickstart(args) => args.run(invocation),
        Command::Taxonomy(command) => command.run(invocation),
        Command::Chat(args) => args.run(invocation),
        Command::Generate(args) => args.run(invocation),
        Command::Serve(args) => args.run(invocation),
        Command::Train(args) => args.run(invocation),
    }
}
