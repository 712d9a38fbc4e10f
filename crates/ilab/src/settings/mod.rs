//! Plain values for the commands, each resolved once: flag, then environment, then file, then default.

mod environment;

pub(crate) use environment::Environment;
