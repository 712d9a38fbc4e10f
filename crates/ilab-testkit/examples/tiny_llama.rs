//! Writes the tiny models into a folder, for the scripts that make golden values from them.

use std::path::PathBuf;
use std::process::ExitCode;

use ilab_testkit::tiny_llama;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return ExitCode::FAILURE;
    };
    let written = tiny_llama::write_hf(&folder.join("plain"), 0)
        .and_then(|()| tiny_llama::write_hf_like_llama3(&folder.join("like_llama3"), 0));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
