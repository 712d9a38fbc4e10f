//! `ilab model chat`.

use std::path::PathBuf;

use ilab_openai::completer::Sampling;

use crate::cli::model::ChatArgs;
use crate::error::{CommandError, Kind};
use crate::settings::Invocation;
use crate::settings::access::Access;
use crate::settings::chat_context::ChatContext;
use crate::settings::serve::{EngineSettings, chat_template, n_gpu_layers};
use crate::settings::url::base_url;

/// What `ilab model chat` needs.
#[derive(Debug)]
pub(crate) struct ChatSettings {
    /// The words after the command.
    pub(crate) question: Option<String>,
    /// Answer the question and end.
    pub(crate) is_quick: bool,
    /// The model's name on a server, or its file.
    pub(crate) model: String,
    /// The model was named on the command line.
    pub(crate) is_model_chosen: bool,
    /// `--endpoint-url`.
    pub(crate) endpoint_url: Option<String>,
    /// The base URL of the server that the configuration names.
    pub(crate) server_url: String,
    pub(crate) access: Access,
    pub(crate) sampling: Sampling,
    pub(crate) context: ChatContext,
    /// Edit lines as vi does.
    pub(crate) is_vi_mode: bool,
    /// Greeting and timing around the answers.
    pub(crate) is_decorated: bool,
    /// For the model in this process.
    pub(crate) engine: EngineSettings,
}

impl ChatSettings {
    pub(crate) fn resolve(args: ChatArgs, invocation: &Invocation) -> Result<Self, CommandError> {
        let config = invocation.config()?;
        let question = args.question.join(" ");
        let model = args.model.clone().unwrap_or(config.chat.model);
        Ok(Self {
            question: (!question.trim().is_empty()).then_some(question),
            is_quick: args.quick_question,
            is_model_chosen: args.model.is_some(),
            endpoint_url: args.endpoint_url,
            server_url: base_url(&config.serve.server.host, config.serve.server.port),
            access: Access::resolve(args.access, invocation)?,
            sampling: Sampling {
                temperature: Some(temperature(
                    args.temperature.unwrap_or(config.chat.temperature as f32),
                )?),
                max_tokens: args.max_tokens.or(config.chat.max_tokens),
                n: 1,
                ..Sampling::default()
            },
            context: ChatContext::parse(&args.context.unwrap_or(config.chat.context))?,
            is_vi_mode: config.chat.vi_mode,
            is_decorated: !args.no_decoration && !args.quick_question,
            engine: EngineSettings {
                model_path: PathBuf::from(&model),
                n_context_tokens: config.serve.llama_cpp.max_ctx_size,
                n_gpu_layers: n_gpu_layers(config.serve.llama_cpp.gpu_layers),
                n_threads: None,
                chat_template: chat_template(config.serve.chat_template),
            },
            model,
        })
    }
}

fn temperature(temperature: f32) -> Result<f32, CommandError> {
    if (0.0..=2.0).contains(&temperature) {
        return Ok(temperature);
    }
    Err(CommandError::message(
        Kind::Usage,
        format!("the temperature is {temperature}; it must be from 0 to 2"),
        "0 always gives the most likely answer, 1 the model's own variety",
    ))
}
