//! Where the libraries' events go.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;

use ilab_base::io::{IoError, WithPath};
use tracing_subscriber::filter::LevelFilter;

/// Sends events to `file`, or to stderr: there only warnings, unless `-v` asks for more.
pub(crate) fn start(file: Option<&Path>, verbosity: u8) -> Result<(), IoError> {
    let least = if file.is_some() {
        LevelFilter::INFO
    } else {
        LevelFilter::WARN
    };
    let level = match verbosity {
        0 => least,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt().with_max_level(level);
    // Fails only when a log was started before, which then goes on.
    let _ = match file {
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .with_path("open log file", path)?;
            log.with_ansi(false)
                .with_writer(Mutex::new(file))
                .try_init()
        }
        None => log
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            .try_init(),
    };
    Ok(())
}
