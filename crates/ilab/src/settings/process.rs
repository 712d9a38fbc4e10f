//! `ilab process`, and runs that are registered.

use std::ffi::OsString;
use std::path::PathBuf;

use ilab_base::dirs::Dirs;
use ilab_base::io::IoError;
use uuid::Uuid;

use crate::cli::data::GenerateArgs;
use crate::cli::process::{AttachArgs, PruneArgs, State};
use crate::commands::process::Status;
use crate::commands::process::record::RecordSettings;
use crate::commands::process::start::StartSettings;
use crate::error::{CommandError, Kind};
use crate::settings::Invocation;
use crate::settings::access::{API_KEY_VARIABLE, PASSWORD_VARIABLE};

/// The flag that starts a run in the background.
const DETACHED: &str = "--detached";
/// The flag that tells such a run which one it is.
const DETACHED_RUN: &str = "--detached-run";
/// Flags whose values nobody else may read, and the variables that do the same.
const SECRET_FLAGS: [(&str, &str); 2] = [
    ("--api-key", API_KEY_VARIABLE),
    ("--tls-client-passwd", PASSWORD_VARIABLE),
];

impl From<State> for Status {
    fn from(state: State) -> Self {
        match state {
            State::Running => Self::Running,
            State::Done => Self::Done,
            State::Errored => Self::Errored,
        }
    }
}

/// Which process is followed.
#[derive(Debug)]
pub(crate) enum Which {
    /// The one that was started last.
    Latest,
    /// The one whose UUID begins so.
    Uuid(String),
}

impl Which {
    pub(crate) fn resolve(args: AttachArgs) -> Self {
        args.uuid.map_or(Self::Latest, Self::Uuid)
    }
}

/// Which processes are removed.
#[derive(Debug)]
pub(crate) struct PruneSettings {
    /// Whole days since they started.
    pub(crate) min_days: Option<u64>,
    pub(crate) status: Option<Status>,
    pub(crate) is_forced: bool,
}

impl PruneSettings {
    pub(crate) fn resolve(args: &PruneArgs) -> Result<Self, CommandError> {
        if args.older.is_none() && args.state.is_none() {
            return Err(CommandError::message(
                Kind::User,
                "Please specify either --older, or --state.",
                "`--older 0` removes all",
            ));
        }
        let min_days = args.older.map(u64::try_from).transpose().map_err(|_| {
            CommandError::message(
                Kind::User,
                "--older must be 0 or a positive integer.",
                "`--older 0` removes all",
            )
        })?;
        Ok(Self {
            min_days,
            status: args.state.map(State::into),
            is_forced: args.force,
        })
    }
}

/// How the run of this invocation is registered; `detached` is its UUID where it was started in the background.
pub(super) fn record(detached: Option<Uuid>, dirs: &Dirs) -> RecordSettings {
    RecordSettings {
        registry: dirs.process_registry(),
        uuid: detached.unwrap_or_else(Uuid::new_v4),
        log_file: detached.map(|uuid| log_file(uuid, dirs)),
    }
}

fn log_file(uuid: Uuid, dirs: &Dirs) -> PathBuf {
    let name = format!("generation-{uuid}.log");
    dirs.logs().join("generation").join(name)
}

impl StartSettings {
    /// This invocation once more, as a run in the background.
    pub(crate) fn resolve(
        args: &GenerateArgs,
        invocation: &Invocation,
    ) -> Result<Self, CommandError> {
        if cfg!(not(unix)) {
            return Err(CommandError::message(
                Kind::Usage,
                "`--detached` works on Linux and macOS only",
                "leave it out, and keep the terminal open",
            ));
        }
        let uuid = Uuid::new_v4();
        let dirs = &invocation.environment.dirs;
        let (arguments, secrets) = divided(&invocation.arguments, uuid);
        Ok(Self {
            program: std::env::current_exe()
                .map_err(|error| IoError::new("find", "ilab", error))?,
            arguments,
            secrets,
            uuid,
            log_file: log_file(uuid, dirs),
            registry: dirs.process_registry(),
            is_quiet: args.quiet,
            is_json: args.json,
        })
    }
}

type Secrets = Vec<(&'static str, OsString)>;

/// The arguments of the run in the background, and the variables that hold what was secret among them.
fn divided(arguments: &[OsString], uuid: Uuid) -> (Vec<OsString>, Secrets) {
    let mut kept = Vec::new();
    let mut secrets = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == DETACHED {
            kept.push(format!("{DETACHED_RUN}={uuid}").into());
            continue;
        }
        let secret = SECRET_FLAGS.iter().find_map(|(flag, variable)| {
            let rest = argument.to_str()?.strip_prefix(flag)?;
            let value = match rest.strip_prefix('=') {
                Some(value) => value.into(),
                None if rest.is_empty() => arguments.next()?.clone(),
                None => return None,
            };
            Some((*variable, value))
        });
        match secret {
            Some(secret) => secrets.push(secret),
            None => kept.push(argument.clone()),
        }
    }
    (kept, secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_passed_on_in_the_environment_only() {
        let uuid = Uuid::nil();
        let run = format!("--detached-run={uuid}");
        for secret in [&["--api-key", "sk-1"][..], &["--api-key=sk-1"]] {
            let mut arguments = vec!["--config", "a", "data", "generate"];
            arguments.extend(secret);
            arguments.extend(["--detached", "--model", "--api-keyring"]);
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            let (kept, secrets) = divided(&arguments, uuid);
            assert_eq!(
                kept,
                [
                    "--config",
                    "a",
                    "data",
                    "generate",
                    &run,
                    "--model",
                    "--api-keyring"
                ]
            );
            assert_eq!(secrets, [("ILAB_API_KEY", OsString::from("sk-1"))]);
        }
    }
}
