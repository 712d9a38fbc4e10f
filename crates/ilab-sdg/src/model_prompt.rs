//! `model_prompt`: a block that frames its prompts itself, in place of the model's own chat template.

use minijinja::{Environment, UndefinedBehavior, context};

const TEMPLATE: &str = "model_prompt";

/// What stands around a prompt, which then is a text to continue and no chat.
#[derive(Debug)]
pub(crate) struct ModelPrompt {
    /// Without one, the prompt is the whole text.
    environment: Option<Environment<'static>>,
}

impl ModelPrompt {
    /// A template with `prompt`, `messages` and `add_generation_prompt`; an empty one stands for the prompt alone.
    ///
    /// # Errors
    /// A template that does not compile, or asks for something else.
    pub(crate) fn parse(template: &str) -> Result<Self, minijinja::Error> {
        if template.is_empty() {
            return Ok(Self { environment: None });
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_template_owned(TEMPLATE, template.to_owned())?;
        let frame = Self {
            environment: Some(environment),
        };
        frame.around("a prompt").map(|_| frame)
    }

    /// The text to continue, without blank space at its ends, as the original has it.
    pub(crate) fn around(&self, prompt: &str) -> Result<String, minijinja::Error> {
        let Some(environment) = &self.environment else {
            return Ok(prompt.to_owned());
        };
        let messages = [context! { role => "user", content => prompt }];
        let text = environment.get_template(TEMPLATE)?.render(context! {
            prompt,
            messages,
            add_generation_prompt => true,
        })?;
        Ok(text.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_framed_by_its_block() {
        let framed = |template: &str| {
            ModelPrompt::parse(template)
                .unwrap()
                .around("Hello?")
                .unwrap()
        };
        assert_eq!(
            framed("<s> [INST] {{ prompt }} [/INST]\n"),
            "<s> [INST] Hello? [/INST]"
        );
        assert_eq!(framed(""), "Hello?");
        let chat = "{% for message in messages %}<|{{ message['role'] }}|>{{ message.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
        assert_eq!(framed(chat), "<|user|>Hello?<|assistant|>");
        assert!(ModelPrompt::parse("{{ question }}").is_err());
        assert!(ModelPrompt::parse("{{ prompt").is_err());
    }
}
