//! The program as users run it: exit code, stdout and stderr.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ahead;
#[cfg(unix)]
mod background;
mod chat;
mod config;
mod convert;
mod data_list;
mod generate;
mod hostile;
mod model_test;
mod pipelines;
#[cfg(unix)]
mod process;
#[cfg(unix)]
mod process_remove;
#[cfg(unix)]
mod process_state;
mod program;
mod quickstart;
mod resume;
mod serve;
mod silent_endpoint;
mod taxonomy;
mod taxonomy_fmt;
mod taxonomy_new;
mod teacher;
mod train;
mod train_methods;
mod training_data;
