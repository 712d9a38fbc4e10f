//! Development tasks.

use std::error::Error as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;

mod bench;
mod starter;
mod tidy;

/// Training frees and takes tens of megabytes in every operation. The allocator of glibc gives such pieces back to the
/// kernel and faults them in again, a quarter of the time of a small model.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Development tasks of this repository.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
enum Task {
    /// Measure side by side with the peer.
    Bench(bench::BenchArgs),
    /// Make the starter model.
    #[command(subcommand)]
    Starter(starter::Command),
    /// Check what neither the compiler nor clippy does: layers, sizes, names, habits.
    Tidy,
}

/// A task that failed.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error(transparent)]
    Bench(#[from] bench::BenchError),
    #[error(transparent)]
    Starter(#[from] starter::error::StarterError),
    #[error(transparent)]
    Tidy(#[from] tidy::TidyError),
}

fn run(task: Task) -> Result<(), TaskError> {
    match task {
        Task::Bench(args) => Ok(bench::run(&args)?),
        Task::Starter(command) => Ok(starter::run(command)?),
        Task::Tidy => Ok(tidy::run()?),
    }
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut stderr = std::io::stderr().lock();
            let mut message = format!("error: {error}\n");
            let mut source = error.source();
            while let Some(cause) = source {
                message.push_str(&format!("  caused by: {cause}\n"));
                source = cause.source();
            }
            // Nothing is left to do when standard error is closed.
            let _ = stderr.write_all(message.as_bytes());
            ExitCode::FAILURE
        }
    }
}
