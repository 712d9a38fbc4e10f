//! What a checked request asks of the model.

use ilab_openai::completer::{ChatMessage, Prompt, Request, Sampling};
use ilab_openai::wire::chat::{ChatRequest, RequestMessage};
use ilab_openai::wire::completion::CompletionRequest;

use crate::error::ApiError;
use crate::model::ServedModel;
use crate::request::sampling::{MAX_CHOICES, count, is_filled, n_alternatives, refuse, sampling};

/// A checked request: one [`Request`] a prompt, and how the answer is sent.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The name of the model in the answer.
    pub(crate) model: String,
    /// One a prompt; a chat has one.
    pub(crate) requests: Vec<Request>,
    /// Send the answer as it is generated.
    pub(crate) is_stream: bool,
    /// End a stream with the tokens spent.
    pub(crate) wants_usage: bool,
}

impl Asked {
    /// Checks a chat.
    pub(crate) fn chat(model: &ServedModel, body: ChatRequest) -> Result<Self, ApiError> {
        let name = model.resolve(body.model.as_deref())?;
        refuse("tools", is_filled(body.tools.as_ref()))?;
        let format = body.response_format.as_ref();
        refuse(
            "response_format",
            format.is_some_and(|format| !format.is_null() && format["type"] != "text"),
        )?;
        let mut sampling = sampling(&body.sampling)?;
        if body.max_completion_tokens.is_some() {
            sampling.max_tokens = count(
                "max_completion_tokens",
                body.max_completion_tokens,
                i64::from(u32::MAX),
            )?;
        }
        let n_alternatives = n_alternatives("top_logprobs", body.top_logprobs)?;
        sampling.logprobs = body.logprobs.then(|| n_alternatives.unwrap_or(0));
        let prompt = Prompt::Chat(messages(body.messages)?);
        Ok(Self {
            model: name,
            requests: vec![Request { prompt, sampling }],
            is_stream: body.sampling.stream == Some(true),
            wants_usage: wants_usage(&body.sampling),
        })
    }

    /// Checks a completion.
    pub(crate) fn completion(
        model: &ServedModel,
        body: CompletionRequest,
    ) -> Result<Self, ApiError> {
        let name = model.resolve(body.model.as_deref())?;
        refuse("echo", body.echo == Some(true))?;
        refuse(
            "suffix",
            body.suffix.is_some_and(|suffix| !suffix.is_empty()),
        )?;
        let mut sampling = sampling(&body.sampling)?;
        let best_of = count("best_of", body.best_of, MAX_CHOICES)?;
        refuse(
            "best_of",
            best_of.is_some_and(|best_of| best_of != sampling.n_choices()),
        )?;
        sampling.logprobs = n_alternatives("logprobs", body.logprobs)?;
        Ok(Self {
            model: name,
            requests: texts(body.prompt, &sampling)?,
            is_stream: body.sampling.stream == Some(true),
            wants_usage: wants_usage(&body.sampling),
        })
    }

    /// How many answers each prompt has.
    pub(crate) fn n_choices(&self) -> usize {
        self.requests
            .first()
            .map_or(0, |request| request.sampling.n_choices() as usize)
    }
}

fn wants_usage(fields: &ilab_openai::wire::sampling::SamplingFields) -> bool {
    fields
        .stream_options
        .is_some_and(|options| options.include_usage)
}

fn messages(messages: Vec<RequestMessage>) -> Result<Vec<ChatMessage>, ApiError> {
    if messages.is_empty() {
        return Err(ApiError::field(
            "messages",
            "`messages` has 0 messages; it must have at least 1",
        ));
    }
    let check = |(index, message): (usize, RequestMessage)| match message.role.as_str() {
        "system" | "user" | "assistant" => Ok(ChatMessage::new(message.role, message.content)),
        // The newer name of the same thing.
        "developer" => Ok(ChatMessage::new("system", message.content)),
        role => Err(ApiError::field(
            &format!("messages[{index}].role"),
            format!(
                "the role of message {index} is `{role}`; it must be `system`, `user` or `assistant`"
            ),
        )),
    };
    messages.into_iter().enumerate().map(check).collect()
}

fn texts(prompts: Vec<String>, sampling: &Sampling) -> Result<Vec<Request>, ApiError> {
    let n_choices = prompts.len() as u64 * u64::from(sampling.n_choices());
    if prompts.is_empty() {
        return Err(ApiError::field(
            "prompt",
            "`prompt` is missing; it must be a text or a list of texts",
        ));
    }
    if n_choices > MAX_CHOICES.unsigned_abs() {
        return Err(ApiError::field(
            "prompt",
            format!("{n_choices} answers are asked for; one request may ask for {MAX_CHOICES}"),
        ));
    }
    let request = |prompt| Request {
        prompt: Prompt::Text(prompt),
        sampling: sampling.clone(),
    };
    Ok(prompts.into_iter().map(request).collect())
}
