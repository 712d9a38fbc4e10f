//! Chat templates: Jinja as Hugging Face's tokenizers render it.
//!
//! # Source
//! `apply_chat_template` of transformers 4.57: `trim_blocks` and `lstrip_blocks` on, `raise_exception`, `strftime_now` and
//! an unescaped `tojson` available, Python's string and list methods callable.
//! <https://huggingface.co/docs/transformers/v4.57.1/en/chat_templating_writing>

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{Environment, Error, ErrorKind, context};
use serde_json::Map;

use crate::message::Message;

/// A chat template that compiles.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    bos_token: String,
    eos_token: String,
}

/// A chat template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The template is not valid Jinja.
    #[error("the chat template is not valid (line {line})")]
    Syntax {
        /// Line in the template, from 1; 0 when unknown.
        line: usize,
        /// What the parser said.
        #[source]
        source: Error,
    },
    /// The template refuses these messages, or fails on them.
    #[error("the chat template cannot render these messages (line {line})")]
    Render {
        /// Line in the template, from 1; 0 when unknown.
        line: usize,
        /// What the template or the engine said.
        #[source]
        source: Error,
    },
}

impl ilab_base::hint::Hint for TemplateError {
    fn hints(&self) -> Vec<String> {
        vec![match self {
            Self::Syntax { .. } => {
                "check `chat_template` in the model's tokenizer_config.json".to_owned()
            }
            Self::Render { .. } => "check the order and the roles of the messages".to_owned(),
        }]
    }
}

const NAME: &str = "chat_template";

impl ChatTemplate {
    /// Compiles `source`. `bos_token` and `eos_token` are the texts that the template may name; empty when the model has
    /// none.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`].
    pub fn new(source: &str, bos_token: &str, eos_token: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|source| TemplateError::Syntax { line: 0, source })?);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_filter("tojson", tojson);
        environment
            .add_template_owned(NAME, without_generation_marks(source))
            .map_err(|source| TemplateError::Syntax {
                line: source.line().unwrap_or(0),
                source,
            })?;
        Ok(Self {
            environment,
            source: source.to_owned(),
            bos_token: bos_token.to_owned(),
            eos_token: eos_token.to_owned(),
        })
    }

    /// The template's text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Renders a conversation; with `add_generation_prompt` it ends where the assistant is to speak.
    ///
    /// # Errors
    /// [`TemplateError::Render`] with what the template said.
    pub fn render(
        &self,
        messages: &[Message],
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        self.render_with(messages, &Map::new(), add_generation_prompt)
    }

    /// As [`ChatTemplate::render`], with more variables, such as `tools`. They take no place of the messages and the tokens.
    ///
    /// # Errors
    /// [`TemplateError::Render`] with what the template said.
    pub fn render_with(
        &self,
        messages: &[Message],
        variables: &Map<String, serde_json::Value>,
        add_generation_prompt: bool,
    ) -> Result<String, TemplateError> {
        // transformers always passes these two, as none where there are none.
        let mut variables = variables.clone();
        for name in ["tools", "documents"] {
            variables.entry(name).or_insert(serde_json::Value::Null);
        }
        self.environment
            .get_template(NAME)
            .and_then(|template| {
                template.render(context! {
                    messages => Value::from(Serde(messages)),
                    add_generation_prompt => add_generation_prompt,
                    bos_token => self.bos_token.as_str(),
                    eos_token => self.eos_token.as_str(),
                    ..Value::from(Serde(&variables))
                })
            })
            .map_err(|source| TemplateError::Render {
                line: source.line().unwrap_or(0),
                source,
            })
    }
}

/// Removes `{% generation %}` and `{% endgeneration %}`: they mark what is learned and print nothing.
fn without_generation_marks(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        // From behind the opening: `{%}` does not close itself.
        let Some(length) = rest[start + 2..].find("%}") else {
            break;
        };
        let end = start + 2 + length + 2;
        let name = rest[start + 2..end - 2].trim_matches(['-', ' ']);
        text.push_str(&rest[..start]);
        if name == "generation" || name == "endgeneration" {
            // An empty comment keeps the white-space control that the mark had.
            let (open, close) = (&rest[start + 2..start + 3], &rest[end - 3..end - 2]);
            let dash = |text: &str| if text == "-" { "-" } else { "" };
            text.push_str(&format!("{{#{} {}#}}", dash(open), dash(close)));
        } else {
            text.push_str(&rest[start..end]);
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
    text
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Templates print the day in their system prompt; a fixed day keeps training and serving the same.
fn strftime_now(format: String) -> String {
    const PARTS: [(&str, &str); 6] = [
        ("%d", "26"),
        ("%m", "07"),
        ("%Y", "2024"),
        ("%b", "Jul"),
        ("%B", "July"),
        ("%y", "24"),
    ];
    PARTS
        .iter()
        .fold(format, |text, (code, value)| text.replace(code, value))
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)`.
fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Accepted for compatibility: this output is never escaped and keeps the order of keys.
    let _: (Option<bool>, Option<bool>) = (options.get("ensure_ascii")?, options.get("sort_keys")?);
    options.assert_all_used()?;
    let mut bytes = Vec::new();
    let result = match indent {
        Some(width) => {
            let indent = " ".repeat(width);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
            serde::Serialize::serialize(
                value,
                &mut serde_json::Serializer::with_formatter(&mut bytes, formatter),
            )
        }
        None => serde::Serialize::serialize(
            value,
            &mut serde_json::Serializer::with_formatter(&mut bytes, PythonSpacing),
        ),
    };
    result.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    String::from_utf8(bytes)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// Python's separators: a space after each comma and colon.
struct PythonSpacing;

impl serde_json::ser::Formatter for PythonSpacing {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
    ) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String, TemplateError> {
        let messages = [
            Message::new("user", " Hi & bye "),
            Message::new("assistant", "Yes"),
        ];
        ChatTemplate::new(source, "<s>", "</s>")?.render(&messages, true)
    }

    #[test]
    fn renders_what_templates_use() {
        let loops = "{{ bos_token }}{%- for m in messages %}\n[{{ m['role'] }}] {{ m.content.strip() }}\n{%- endfor %}";
        assert_eq!(render(loops).unwrap(), "<s>[user] Hi & bye[assistant] Yes");
        assert_eq!(
            render("{{ messages[0] | tojson }}").unwrap(),
            r#"{"role": "user", "content": " Hi & bye "}"#
        );
        assert_eq!(render("{{ [1] | tojson(indent=2) }}").unwrap(), "[\n  1\n]");
        assert_eq!(
            render("a {%- generation %} b {%- endgeneration %} c").unwrap(),
            "a b c"
        );
        assert_eq!(
            render("{% if add_generation_prompt %}go{% endif %}").unwrap(),
            "go"
        );
    }

    #[test]
    fn failures_name_the_line() {
        assert!(matches!(
            render("x\n{% if %}"),
            Err(TemplateError::Syntax { line: 2, .. })
        ));
        let refused = render("\n\n{{ raise_exception('roles must alternate') }}").unwrap_err();
        assert!(matches!(refused, TemplateError::Render { line: 3, .. }));
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains("roles must alternate"), "{cause}");
    }
}
