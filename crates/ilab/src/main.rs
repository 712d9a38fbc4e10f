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

/// Training frees and takes tens of megabytes in every operation. The allocator of glibc gives such pieces back to the
/// kernel and faults them in again, a quarter of the time of a small model.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let exit_code = cli::run();
    if exit_code == ExitCode::SUCCESS && ui::has_lost_data() {
        return ExitCode::FAILURE;
    }
    exit_code
}
