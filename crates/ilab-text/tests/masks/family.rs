//! Families of models: a template of the shape that theirs has, and their special tokens, over a vocabulary of bytes.

use std::path::Path;

use ilab_text::conversation::Conversation;
use ilab_text::message::Message;
use ilab_text::sample::{EncodedSample, encode};
use ilab_text::tokenizer::{Tokenizer, TokenizerError};
use serde_json::{Map, Value, json};

/// A family of models.
pub struct Family {
    pub template: &'static str,
    pub bos_token: &'static str,
    pub eos_token: &'static str,
    /// Special tokens beside these two.
    pub special: &'static [&'static str],
}

pub const GRANITE3: Family = Family {
    template: include_str!("templates/granite3.jinja"),
    bos_token: "<|end_of_text|>",
    eos_token: "<|end_of_text|>",
    special: &["<|start_of_role|>", "<|end_of_role|>"],
};
pub const LLAMA3: Family = Family {
    template: include_str!("templates/llama3.jinja"),
    bos_token: "<|begin_of_text|>",
    eos_token: "<|eot_id|>",
    special: &["<|start_header_id|>", "<|end_header_id|>"],
};
pub const MISTRAL3: Family = Family {
    template: include_str!("templates/mistral3.jinja"),
    bos_token: "<s>",
    eos_token: "</s>",
    special: &["[INST]", "[/INST]"],
};
pub const QWEN2: Family = Family {
    template: include_str!("templates/qwen2.jinja"),
    bos_token: "<|endoftext|>",
    eos_token: "<|im_end|>",
    special: &["<|im_start|>"],
};
pub const QWEN3: Family = Family {
    template: include_str!("templates/qwen3.jinja"),
    ..QWEN2
};
pub const PHI3: Family = Family {
    template: include_str!("templates/phi3.jinja"),
    bos_token: "<s>",
    eos_token: "<|endoftext|>",
    special: &["<|user|>", "<|assistant|>", "<|system|>", "<|end|>"],
};
pub const GEMMA: Family = Family {
    template: include_str!("templates/gemma.jinja"),
    bos_token: "<bos>",
    eos_token: "<eos>",
    special: &["<start_of_turn>", "<end_of_turn>"],
};

impl Family {
    /// The tokenizer: special tokens first, then the 256 bytes.
    pub fn tokenizer(&self) -> Tokenizer {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path(), Some(self.template));
        Tokenizer::from_dir(folder.path()).unwrap()
    }

    /// The same with another template, which may be none.
    pub fn try_tokenizer(&self, template: &str) -> Result<Tokenizer, TokenizerError> {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path(), Some(template));
        Tokenizer::from_dir(folder.path())
    }

    /// Writes the two files of a tokenizer.
    pub fn write(&self, folder: &Path, template: Option<&str>) {
        let mut config = json!({"bos_token": self.bos_token, "eos_token": self.eos_token});
        if let Some(template) = template {
            config["chat_template"] = template.into();
        }
        let write = |name: &str, value: &Value| {
            std::fs::write(folder.join(name), value.to_string()).unwrap();
        };
        write("tokenizer.json", &self.tokenizer_json());
        write("tokenizer_config.json", &config);
    }

    fn tokenizer_json(&self) -> Value {
        let mut special = vec![self.bos_token];
        for token in [self.eos_token].iter().chain(self.special) {
            if !special.contains(token) {
                special.push(token);
            }
        }
        let mut vocabulary = Map::new();
        for token in special
            .iter()
            .map(|token| (*token).to_owned())
            .chain(byte_letters())
        {
            vocabulary.insert(token, vocabulary.len().into());
        }
        let added: Vec<Value> = special
            .iter()
            .enumerate()
            .map(|(id, content)| {
                json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": true})
            })
            .collect();
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": true});
        json!({
            "version": "1.0",
            "added_tokens": added,
            "pre_tokenizer": byte_level,
            "decoder": byte_level,
            "model": {"type": "BPE", "vocab": vocabulary, "merges": []},
        })
    }

    /// A conversation as text, what is learned in brackets.
    pub fn picture(&self, messages: Value, unmask: bool) -> String {
        let tokenizer = self.tokenizer();
        let conversation = conversation(messages, unmask);
        match encode(&tokenizer, &conversation) {
            Ok(sample) => picture(&tokenizer, &sample),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                format!("{error}: {}", cause.unwrap_or_default())
            }
        }
    }
}

/// Reads messages as a training file has them.
pub fn conversation(messages: Value, unmask: bool) -> Conversation {
    let messages: Vec<Message> = serde_json::from_value(messages).unwrap();
    Conversation {
        messages,
        unmask,
        variables: Map::new(),
    }
}

/// A sample as text, what is learned in brackets.
pub fn picture(tokenizer: &Tokenizer, sample: &EncodedSample) -> String {
    let tokens: Vec<_> = sample.input_ids.iter().zip(&sample.is_learned).collect();
    tokens
        .chunk_by(|left, right| left.1 == right.1)
        .map(|run| {
            let ids: Vec<u32> = run.iter().map(|(id, _)| **id).collect();
            let text = tokenizer.decode(&ids).unwrap();
            match run[0].1 {
                true => format!("⟦{text}⟧"),
                false => text,
            }
        })
        .collect()
}

/// The letters that stand for the bytes in byte-level vocabularies.
fn byte_letters() -> impl Iterator<Item = String> {
    let is_printed = |byte: u32| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut next = 256;
    (0..256).map(move |byte| {
        let code = if is_printed(byte) {
            byte
        } else {
            next += 1;
            next - 1
        };
        char::from_u32(code).unwrap().to_string()
    })
}
