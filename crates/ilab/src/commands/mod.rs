//! What each command does, over plain values: no clap, no precedence rules.
