//! `ilab process`.

use clap::{Args, Subcommand, ValueEnum};

use crate::commands::process;
use crate::error::CommandResult;
use crate::settings::{Invocation, PruneSettings, Which};

#[derive(Debug, Subcommand)]
pub(super) enum ProcessCommand {
    /// List runs and their states
    List(ListArgs),
    /// Follow the log of a run to its end; Ctrl-C leaves it running
    Attach(AttachArgs),
    /// Stop a run and delete its log and its entry
    Remove(RemoveArgs),
    /// Remove many at once
    Prune(PruneArgs),
}

/// The states of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub(crate) enum State {
    /// It runs
    Running,
    /// It ended well
    Done,
    /// It failed, was stopped, or died
    Errored,
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Only those in this state
    #[arg(long, value_enum, ignore_case = true)]
    state: Option<State>,
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct AttachArgs {
    /// The run with this UUID; its beginning is enough where it is the only one
    #[arg(long, value_name = "UUID")]
    pub(crate) uuid: Option<String>,
    /// The run that was started last
    #[arg(long)]
    pub(crate) latest: bool,
}

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    /// UUID of the run; its beginning is enough where it is the only one
    #[arg(value_name = "PROCESS_UUID")]
    uuid: String,
    /// Ask nothing
    #[arg(short, long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// Those that started so many days ago or earlier; 0 for all
    #[arg(long, value_name = "DAYS", allow_negative_numbers = true)]
    pub(crate) older: Option<i64>,
    /// Those in this state
    #[arg(long, value_enum, ignore_case = true)]
    pub(crate) state: Option<State>,
    /// Ask nothing
    #[arg(short, long)]
    pub(crate) force: bool,
}

impl ProcessCommand {
    pub(super) fn run(self, invocation: &Invocation) -> CommandResult {
        let registry = invocation.environment.dirs.process_registry();
        let ui = invocation.ui;
        match self {
            Self::List(args) => {
                process::list::run(&registry, args.state.map(State::into), args.json, ui)
            }
            Self::Attach(args) => process::attach::run(&registry, &Which::resolve(args), ui),
            Self::Remove(args) => process::remove::remove(&registry, &args.uuid, args.force, ui),
            Self::Prune(args) => {
                let settings = PruneSettings::resolve(&args)?;
                process::remove::prune(&registry, &settings, ui)
            }
        }
    }
}
