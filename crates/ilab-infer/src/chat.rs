//! From messages to the prompt of a model.

use ilab_openai::completer::{ChatMessage, CompletionError};
use ilab_text::message::Message;
use ilab_text::template::{ChatTemplate, TemplateError};
use llama_cpp_2::model::LlamaModel;

use crate::vocabulary::control_text;

/// Used for a model whose file has no template: a heading with the role above each message.
///
/// Such a model was hardly trained on conversations; the format is plain text that any model can go on from.
pub(crate) const FALLBACK_TEMPLATE: &str = "\
{%- for message in messages -%}
{{ '### ' + message['role'] + '\n\n' + message['content'] + '\n\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '### assistant\n\n' }}
{%- endif -%}
";

/// Renders conversations as the model's file says.
#[derive(Debug)]
pub(crate) struct ChatFormat {
    source: Option<String>,
    /// A template that does not compile concerns only those who chat.
    template: Result<ChatTemplate, TemplateError>,
}

impl ChatFormat {
    /// `own` takes the place of the template in the model's file.
    pub(crate) fn new(model: &LlamaModel, own: Option<String>) -> Self {
        let source = own.or_else(|| model.chat_template(None).ok()?.to_string().ok());
        let vocab = model.vocab();
        let (bos, eos) = (
            control_text(model, vocab.bos()),
            control_text(model, vocab.eos()),
        );
        let template =
            ChatTemplate::new(source.as_deref().unwrap_or(FALLBACK_TEMPLATE), &bos, &eos);
        if let Err(error) = &template {
            tracing::warn!("the model's chat template cannot be used: {error}");
        }
        Self { source, template }
    }

    /// The template, if there is one.
    pub(crate) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The prompt after which the assistant speaks.
    pub(crate) fn render(&self, messages: &[ChatMessage]) -> Result<String, CompletionError> {
        let template = self.template.as_ref().map_err(rejected)?;
        let messages: Vec<Message> = messages
            .iter()
            .map(|message| Message::new(&message.role, &message.content))
            .collect();
        template
            .render(&messages, true)
            .map_err(|error| rejected(&error))
    }
}

fn rejected(error: &TemplateError) -> CompletionError {
    let cause = std::error::Error::source(error);
    CompletionError::Rejected {
        status: 400,
        message: cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_puts_a_heading_over_each_message() {
        let template = ChatTemplate::new(FALLBACK_TEMPLATE, "", "").unwrap();
        let messages = [
            Message::new("system", "Be brief."),
            Message::new("user", "Hi"),
        ];
        assert_eq!(
            template.render(&messages, true).unwrap(),
            "### system\n\nBe brief.\n\n### user\n\nHi\n\n### assistant\n\n"
        );
    }
}
