//! What each command does, over plain values: no clap, no precedence rules.

pub(crate) mod chat;
pub(crate) mod config_init;
pub(crate) mod config_show;
pub(crate) mod convert;
pub(crate) mod data_list;
mod exam;
pub(crate) mod generate;
mod local_model;
pub(crate) mod model_test;
pub(crate) mod pipelines;
pub(crate) mod process;
pub(crate) mod quickstart;
pub(crate) mod serve;
mod stop;
pub(crate) mod taxonomy_diff;
pub(crate) mod taxonomy_fmt;
pub(crate) mod taxonomy_new;
pub(crate) mod timestamp;
pub(crate) mod train;
mod training_data;
