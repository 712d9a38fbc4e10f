//! `ilab`: teach a language model new knowledge and skills.
//!
//! `cli` says what can be typed (clap only), `settings` turns it into plain values with their origin, `commands` does the
//! work and knows neither, `ui` is the screen, `error` turns every failure into a message with a next step.

mod cli;
mod commands;
mod error;
mod settings;
mod ui;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::thread;

use ui::Ui;

/// Training frees and takes tens of megabytes in every operation. The allocator of glibc gives such pieces back to the
/// kernel and faults them in again, a quarter of the time of a small model.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(tell_defect));
    let exit_code = cli::run();
    if exit_code == ExitCode::SUCCESS && ui::has_lost_data() {
        return ExitCode::FAILURE;
    }
    exit_code
}

/// A panic is a defect of this program: it is told like every other error, and what to do about it. Those of the converter of
/// documents are errors about the document, which are told as such.
fn tell_defect(panic: &PanicHookInfo<'_>) {
    if thread::current().name() == Some(ilab_documents::convert::THREAD_NAME) {
        return;
    }
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic
        .location()
        .map(|place| format!(" ({}:{})", place.file(), place.line()))
        .unwrap_or_default();
    Ui::new(false, true).error(format!(
        "a defect of this program: {message}{place}\n  hint: report it with the command that you typed; `RUST_BACKTRACE=1` adds where it came from"
    ));
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        Ui::new(false, true).status(trace.to_string());
    }
}
