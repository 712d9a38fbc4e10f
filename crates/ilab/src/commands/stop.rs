//! The two ways in which a user or a supervisor asks a running command to stop.

use std::time::Duration;

use ilab_base::cancel::Cancel;
use tokio::runtime::Runtime;
use tokio::signal;

use crate::commands::serve::no_runtime;
use crate::error::CommandError;
use crate::ui::Ui;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C.
    Keyboard,
    /// SIGTERM.
    Terminated,
}

/// Waits for both. While it exists neither ends the process by itself.
#[cfg(unix)]
pub(crate) struct StopSignals {
    interrupt: signal::unix::Signal,
    terminate: signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    /// Begins to listen.
    pub(crate) fn listen() -> std::io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next request to stop.
    pub(crate) async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.interrupt.recv() => Stop::Keyboard,
            _ = self.terminate.recv() => Stop::Terminated,
        }
    }
}

/// Waits for Ctrl-C, the only one that there is here.
#[cfg(not(unix))]
pub(crate) struct StopSignals {}

#[cfg(not(unix))]
impl StopSignals {
    /// Begins to listen.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self {})
    }

    /// The next request to stop.
    pub(crate) async fn next(&mut self) -> Stop {
        // A console that cannot send Ctrl-C never asks.
        if signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Stop::Keyboard
    }
}

/// Sets `cancel` at the first request to stop and ends the process at the second, while the returned runtime lives.
pub(crate) fn cancel_on_signal(cancel: &Cancel) -> Result<Runtime, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(no_runtime)?;
    let mut signals = {
        let _inside = runtime.enter();
        StopSignals::listen().map_err(no_runtime)?
    };
    let cancel = cancel.clone();
    runtime.spawn(async move {
        signals.next().await;
        cancel.cancel();
        Ui::new(false, true).status("stopping; Ctrl-C again ends at once");
        signals.next().await;
        end_now();
    });
    Ok(runtime)
}

/// What came of watching something.
#[derive(Debug)]
pub(crate) enum Watched<T> {
    /// It was seen.
    Seen(T),
    /// Somebody asked this command to stop.
    Stopped,
}

/// Waits for what others do. While it exists, a request to stop does not end this process.
pub(crate) struct Watcher {
    runtime: Runtime,
    signals: StopSignals,
}

impl Watcher {
    /// Begins to listen.
    pub(crate) fn new() -> Result<Self, CommandError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(no_runtime)?;
        let signals = {
            let _inside = runtime.enter();
            StopSignals::listen().map_err(no_runtime)?
        };
        Ok(Self { runtime, signals })
    }

    /// Looks again and again until there is something to see, or somebody asks to stop.
    pub(crate) fn watch<T>(
        &mut self,
        interval: Duration,
        mut look: impl FnMut() -> Result<Option<T>, CommandError>,
    ) -> Result<Watched<T>, CommandError> {
        let signals = &mut self.signals;
        self.runtime.block_on(async {
            loop {
                if let Some(seen) = look()? {
                    return Ok(Watched::Seen(seen));
                }
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    _ = signals.next() => return Ok(Watched::Stopped),
                }
            }
        })
    }
}

/// Work that takes long to reach its next safe point is left where it is; files appear only when they are complete.
#[allow(
    clippy::exit,
    reason = "nothing may keep a user waiting who asked twice"
)]
fn end_now() -> ! {
    std::process::exit(130)
}
