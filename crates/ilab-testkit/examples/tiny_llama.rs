//! Writes the tiny models into a folder, for the scripts that make golden values from them.

use std::path::PathBuf;
use std::process::ExitCode;

use ilab_testkit::tiny_llama::{self, Family};

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return ExitCode::FAILURE;
    };
    let written = tiny_llama::write_hf(&folder.join("plain"), 0)
        .and_then(|()| tiny_llama::write_hf_like_llama3(&folder.join("like_llama3"), 0));
    let mut families = Family::ALL.into_iter();
    let are_written = families
        .all(|family| tiny_llama::write_hf_of(family, &folder.join(family.name()), 0).is_ok());
    if written.is_ok() && are_written {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
