//! A chat written out as the text that a model of some family was trained on.
//!
//! For endpoints that only continue texts; all others know the template of their model.

use crate::completer::ChatMessage;

/// How a family of models writes a chat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Frame {
    /// The texts alone, a line between them.
    #[default]
    Plain,
    /// Merlinite and the first Granite models.
    Granite,
    /// Mistral and Mixtral.
    Mixtral,
    /// Llama 3.
    Llama,
}

impl Frame {
    /// The frame of a family by its name; `None` for one that is not known.
    pub fn of_family(family: &str) -> Option<Self> {
        match family {
            "blank" => Some(Self::Plain),
            "merlinite" | "granite" => Some(Self::Granite),
            "mixtral" | "mistral" => Some(Self::Mixtral),
            "llama" => Some(Self::Llama),
            _ => None,
        }
    }

    /// The frame of a model by the beginning of its name, without the folders before it.
    pub fn of_model(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next()?.to_ascii_lowercase();
        // "Meta-Llama-3.1-8B" begins with the name of a company.
        let name = name.strip_prefix("meta-").unwrap_or(&name);
        let is_of = |family: &str| name.starts_with(family);
        if is_of("llama") {
            // Llama 2 wrote chats in another way.
            let is_third = ["llama-3", "llama3", "llama_3"].into_iter().any(is_of);
            return is_third.then_some(Self::Llama);
        }
        ["merlinite", "granite", "mixtral", "mistral"]
            .into_iter()
            .find(|family| is_of(family))
            .and_then(Self::of_family)
    }

    /// What it is like, in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "without marks, as no family of models is named",
            Self::Granite => "as Granite does",
            Self::Mixtral => "as Mixtral does",
            Self::Llama => "as Llama 3 does",
        }
    }

    /// The chat up to where the answer begins.
    pub(super) fn text(self, messages: &[ChatMessage]) -> String {
        let mut text = String::new();
        for message in messages {
            let (role, content) = (&message.role, message.content.trim());
            text.push_str(&match (self, role.as_str()) {
                (Self::Plain, _) => format!("{content}\n"),
                (Self::Granite, _) => format!("<|{role}|>\n{content}\n"),
                (Self::Mixtral, "assistant") => format!("{content}</s>"),
                (Self::Mixtral, _) => format!("[INST] {content} [/INST]"),
                (Self::Llama, _) => {
                    format!("<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>")
                }
            });
        }
        text.push_str(match self {
            Self::Plain | Self::Mixtral => "",
            Self::Granite => "<|assistant|>\n",
            Self::Llama => "<|start_header_id|>assistant<|end_header_id|>\n\n",
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_known_by_name() {
        assert_eq!(
            Frame::of_model("models/granite-7b-lab"),
            Some(Frame::Granite)
        );
        assert_eq!(
            Frame::of_model("mistralai/Mixtral-8x7B"),
            Some(Frame::Mixtral)
        );
        assert_eq!(
            Frame::of_model("Meta-Llama-3.1-8B-Instruct"),
            Some(Frame::Llama)
        );
        assert_eq!(Frame::of_model("Llama3-8B"), Some(Frame::Llama));
        assert_eq!(Frame::of_model("granite_7b"), Some(Frame::Granite));
        assert_eq!(Frame::of_model("llama-2-7b-chat"), None);
        assert_eq!(Frame::of_model("phi-4"), None);
        assert_eq!(Frame::of_family("qwen"), None);
    }

    #[test]
    fn a_chat_is_written_as_the_family_writes_it() {
        let messages = [
            ChatMessage::new("system", "Be brief."),
            ChatMessage::user("Hello?\n"),
        ];
        let text = |frame: Frame| frame.text(&messages);
        assert_eq!(text(Frame::Plain), "Be brief.\nHello?\n");
        assert_eq!(
            text(Frame::Granite),
            "<|system|>\nBe brief.\n<|user|>\nHello?\n<|assistant|>\n"
        );
        assert_eq!(
            text(Frame::Mixtral),
            "[INST] Be brief. [/INST][INST] Hello? [/INST]"
        );
        assert_eq!(
            text(Frame::Llama),
            "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHello?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        );
    }
}
