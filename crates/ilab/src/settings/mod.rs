//! Plain values for the commands, each resolved once: flag, then environment, then file, then default.

mod chat;
mod chat_context;
mod config_init;
mod config_show;
mod convert;
mod environment;
mod generate;
mod invocation;
mod layout_rules;
mod pipelines;
mod quickstart;
mod serve;
mod taxonomy_diff;
mod taxonomy_fmt;
mod taxonomy_new;
mod train;
mod url;

pub(crate) use chat::ChatSettings;
pub(crate) use chat_context::ChatContext;
pub(crate) use config_init::{ConfigInitSettings, set_model_path, set_taxonomy_path};
pub(crate) use config_show::ConfigShowSettings;
pub(crate) use convert::{ConvertSettings, Target};
pub(crate) use environment::Environment;
pub(crate) use generate::{Ahead, GenerateSettings, Prices, TeacherSettings};
pub(crate) use invocation::Invocation;
pub(crate) use pipelines::{named_pipelines, pipeline};
pub(crate) use quickstart::{QuickstartSettings, Topic};
pub(crate) use serve::{EngineSettings, ServeSettings};
pub(crate) use taxonomy_diff::TaxonomyDiffSettings;
pub(crate) use taxonomy_fmt::{FmtFiles, TaxonomyFmtSettings};
pub(crate) use taxonomy_new::TaxonomyNewSettings;
pub(crate) use train::TrainSettings;
pub(crate) use url::base_url;
