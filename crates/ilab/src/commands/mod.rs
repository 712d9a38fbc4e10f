//! What each command does, over plain values: no clap, no precedence rules.

pub(crate) mod config_init;
pub(crate) mod config_show;
pub(crate) mod taxonomy_diff;
